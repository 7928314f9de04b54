"""Runs a job on an EC2 machine of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blobpipes.clients.boot.code import Code, parse_code
from blobpipes.clients.boot.delivery import KitDelivery
from blobpipes.clients.boot.kit import Target
from blobpipes.clients.boot.script import MAX_LIFETIME, ROOT, BootSettings
from blobpipes.clients.ec2_place import EC2Place, EC2Settings, Machine
from blobpipes.clients.job import RunPolicy
from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.errors import InvalidOptionError


class PipesEC2Client(PipesPlaceClient[Machine]):
    """Runs commands on machines that are launched for one job each. Needs `blobpipes[aws]`, and s3fs for the store.

    The machine needs Python, and a way to S3 and to nothing else: blobpipes comes from under the session's URL. It
    shuts itself down when the job has ended, and after `max_lifetime` in every case; a machine that does not is ended
    by this process.

    Args:
        launch_template: name or id; it says what a machine may do (its role must read and create objects under the URL)
            and what it is like. `terraform/aws` makes one.
        url: under which sessions live, in S3; by default BLOBPIPES_URL.
        region: by default as the environment says.
        subnet_ids, instance_types: instead of the template's; each is tried in turn while EC2 has no room.
        image: AMI instead of the template's.
        spot: ask for spot machines, and if none can be had (`fall_back`) for one on demand.
        attempts: machines in all, when spot machines are taken away; each continues the session of the one before.
        code: where the machine gets the program from: `Files`, `Archive`, `Git` or `Image` of
            `blobpipes.clients.boot.code`, or a text as `parse_code` there takes it.
        setup: shell commands that run on the machine before the program.
        python, machine: the image's Python (such as "3.12") and processor.
        env: variables for the job. They stand in the machine's user data: no secrets.
        boot_timeout: seconds within which the first message must come, or the machine is ended and explained.
        max_lifetime: seconds after which a machine ends itself, whatever it does.
        root: folder on the machine for what belongs to a job.
        client: a `boto3.client("ec2")` of your own.
        storage_options: for the store, on this side only.
        termination_timeout, patience, forward_termination: as of every client.
        session_options: for `open_pipes_session`.
    """

    def __init__(
        self,
        launch_template: str,
        *,
        url: str | None = None,
        region: str | None = None,
        subnet_ids: Sequence[str] = (),
        instance_types: Sequence[str] = (),
        image: str | None = None,
        spot: bool = True,
        fall_back: bool = True,
        attempts: int = 3,
        code: Code | str | None = None,
        setup: Sequence[str] = (),
        python: str = "3.12",
        machine: str = "x86_64",
        env: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        boot_timeout: float = 600.0,
        max_lifetime: float = MAX_LIFETIME,
        root: str = ROOT,
        client: Any = None,
        storage_options: Mapping[str, Any] | None = None,
        forward_termination: bool = True,
        termination_timeout: float = 120.0,
        patience: float = 600.0,
        **session_options: Any,
    ) -> None:
        if attempts < 1:
            raise InvalidOptionError(f"attempts is {attempts}, and at least one machine is needed")
        if attempts > 1:
            session_options.setdefault("restarts", attempts - 1)
        place = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}
        settings = EC2Settings(
            launch_template,
            subnet_ids=tuple(subnet_ids),
            instance_types=tuple(instance_types),
            image=image,
            spot=spot,
            fall_back=fall_back,
            attempts=attempts,
            tags=dict(tags or {}),
            boot=BootSettings(
                python=python,
                env={**place, **(env or {})},
                code=parse_code(code),
                setup=tuple(setup),
                max_lifetime=max_lifetime,
                root=root,
            ),
        )
        kit = KitDelivery(Target(python, machine), storage_options=storage_options)
        super().__init__(
            EC2Place(settings, kit, region=region, client=client),
            url=url,
            policy=RunPolicy(
                forward_termination=forward_termination,
                termination_timeout=termination_timeout,
                kill_timeout=600.0,  # a machine is gone minutes after it was told to go
                patience=patience,
                boot_timeout=boot_timeout,
            ),
            storage_options=storage_options,
            **session_options,
        )
