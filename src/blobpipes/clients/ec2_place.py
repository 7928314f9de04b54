"""EC2 as a place: a machine of its own for each job, which ends itself, and is ended by us if it does not."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from blobpipes.clients.aws import Client, LazyClient, aws_failures
from blobpipes.clients.boot.delivery import SHOWN
from blobpipes.clients.boot.script import BootSettings, boot_script
from blobpipes.clients.ec2_states import state_of
from blobpipes.clients.place import Cause, JobEnd, JobSpec, JobState, Place, Urgency
from blobpipes.errors import LaunchError, PlaceError, PlaceFullError

MAX_USER_DATA: Final = 16 << 10  # bytes, before base64
TOKEN_TAG: Final = "blobpipes-job"
_ALIVE: Final = ("pending", "running", "stopping", "stopped", "shutting-down")
_CONSOLE_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class EC2Settings:
    """What to ask for. Several types, subnets or markets are tried one after the other when one has no room."""

    launch_template: str
    subnet_ids: tuple[str, ...] = ()  # none: as the template says
    instance_types: tuple[str, ...] = ()  # none: as the template says
    image: str | None = None
    spot: bool = True
    fall_back: bool = True  # to a machine on demand, when no spot machine can be had
    attempts: int = 3  # machines in all, if spot machines are taken away
    tags: Mapping[str, str] = field(default_factory=dict)
    boot: BootSettings = field(default_factory=BootSettings)


@dataclass(slots=True)
class Machine:
    """A job's machine; after a spot machine was taken away, the next one."""

    id: str
    spec: JobSpec | None = field(
        default=None, compare=False
    )  # to launch again; None if another process has launched it
    attempt: int = field(default=1, compare=False)
    is_told_to_end: bool = field(default=False, compare=False)
    end: JobState | None = field(default=None, compare=False)  # EC2 forgets a machine an hour after its end


class EC2Place(Place[Machine]):
    """Launches from a template, which says what a machine may do and what it is like.

    Args:
        settings: what to ask for.
        kit: puts what the job's machine needs of blobpipes under the session's URL, and returns where that is.
        region: by default as the environment says.
        client: a `boto3.client("ec2")` of your own.
    """

    name = "EC2"
    interval = 10.0
    first_interval = 2.0

    def __init__(
        self,
        settings: EC2Settings,
        kit: Callable[[JobSpec], str],
        *,
        region: str | None = None,
        client: Client | None = None,
    ) -> None:
        self.settings = settings
        self._kit = kit
        self._client = LazyClient("ec2", region, client)

    @property
    def client(self) -> Client:
        """boto3's, made when it is first needed."""
        return self._client()

    def launch(self, spec: JobSpec) -> Machine:
        """Launch a machine, unless one has this token. EC2 itself launches none twice for one token either."""
        if spec.tasks != 1:
            raise LaunchError(f"a machine runs one process for a job, not {spec.tasks}", remedy="Launch several jobs.")
        found = self.find(spec.token)
        return found or self._launch(spec, attempt=1)

    def poll(self, handle: Machine) -> JobState:
        """One request. A machine that was taken away is replaced here, as often as the settings allow."""
        if handle.end is not None:
            return handle.end
        with aws_failures("looking at the machine"):
            found = _machines(self.client.describe_instances(InstanceIds=[handle.id]))
        state = state_of(found[0], told=handle.is_told_to_end) if found else _FORGOTTEN
        if state.end is not None and state.end.cause is Cause.PREEMPTED and self._may_relaunch(handle):
            assert handle.spec is not None
            handle.id = self._launch(handle.spec, attempt=handle.attempt + 1).id
            handle.attempt += 1
            return JobState("waiting", f"machine {handle.attempt}, after the one before was taken away")
        if state.phase == "ended":
            handle.end = state
        return state

    def terminate(self, handle: Machine, urgency: Urgency) -> None:
        """EC2 knows one way: the machine shuts down, its processes get SIGTERM, and it is gone some minutes later."""
        handle.is_told_to_end = True
        with aws_failures("ending the machine"):
            self.client.terminate_instances(InstanceIds=[handle.id])

    def describe(self, handle: Machine) -> Mapping[str, Any]:
        """Its id, type and zone, and where the console shows it."""
        region = self.client.meta.region_name
        page = (
            f"https://{region}.console.aws.amazon.com/ec2/home?region={region}#InstanceDetails:instanceId={handle.id}"
        )
        told: dict[str, Any] = {"instance_id": handle.id, "console": {"raw_value": page, "type": "url"}}
        with aws_failures("looking at the machine"):
            found = _machines(self.client.describe_instances(InstanceIds=[handle.id]))
        if found:
            told["instance_type"] = found[0].get("InstanceType", "")
            told["zone"] = found[0].get("Placement", {}).get("AvailabilityZone", "")
            told["market"] = found[0].get("InstanceLifecycle", "on-demand")
        return told

    def explain(self, handle: Machine) -> str:
        """The last lines of its console. EC2 has them some minutes late."""
        with aws_failures("reading the machine's console"):
            said = self.client.get_console_output(InstanceId=handle.id).get("Output") or ""
        return "\n".join(_text(said).splitlines()[-_CONSOLE_LINES:])

    def preview(self, spec: JobSpec) -> str:
        """The first request to RunInstances, and the boot script that it carries."""
        script = boot_script(spec, SHOWN, self.settings.boot)
        request = {**next(choices(self.settings)), **self._common(spec, "(see below)")}
        return f"RunInstances\n{json.dumps(request, indent=2)}\n\nthe boot script:\n{script}"

    def find(self, token: str) -> Machine | None:
        """The machine that has this token and has not ended."""
        wanted = [
            {"Name": f"tag:{TOKEN_TAG}", "Values": [token]},
            {"Name": "instance-state-name", "Values": list(_ALIVE)},
        ]
        with aws_failures("looking for the machine"):
            found = _machines(self.client.describe_instances(Filters=wanted))
        newest = max(found, key=lambda machine: str(machine.get("LaunchTime", "")), default=None)
        return Machine(newest["InstanceId"]) if newest else None

    def _may_relaunch(self, handle: Machine) -> bool:
        return handle.spec is not None and handle.attempt < self.settings.attempts and not handle.is_told_to_end

    def _launch(self, spec: JobSpec, attempt: int) -> Machine:
        user_data = boot_script(spec, self._kit(spec), self.settings.boot)
        if len(user_data.encode()) > MAX_USER_DATA:
            raise LaunchError(
                f"the boot script is {len(user_data.encode())} bytes, and EC2 takes {MAX_USER_DATA}",
                remedy="Put large files into an archive: Archive(URL), and large parameters into the session's extras.",
            )
        trouble: PlaceError | None = None
        for number, choice in enumerate(choices(self.settings)):
            request = {
                **choice,
                **self._common(spec, user_data),
                "ClientToken": _client_token(spec.token, attempt, number),
            }
            try:
                with aws_failures(f"launching a machine from {self.settings.launch_template}"):
                    machine = self.client.run_instances(**request)["Instances"][0]
            except PlaceFullError as error:
                trouble = error  # the next type, subnet or market may have room
                continue
            return Machine(machine["InstanceId"], spec, attempt)
        assert trouble is not None
        raise trouble

    def _common(self, spec: JobSpec, user_data: str) -> dict[str, Any]:
        tags = [{"Key": name, "Value": value} for name, value in {**self.settings.tags, TOKEN_TAG: spec.token}.items()]
        request: dict[str, Any] = {
            "MinCount": 1,
            "MaxCount": 1,
            "LaunchTemplate": _template(self.settings.launch_template),
            "UserData": user_data,
            # whatever the template says: a stopped machine's disk costs
            "InstanceInitiatedShutdownBehavior": "terminate",
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
        }
        if self.settings.image is not None:
            request["ImageId"] = self.settings.image
        return request


def choices(settings: EC2Settings) -> Iterator[dict[str, Any]]:
    """What to try, one after the other: each market, and in it each type in each subnet."""
    markets: Sequence[bool] = (True, False) if settings.spot and settings.fall_back else (settings.spot,)
    for spot, kind, subnet in itertools.product(
        markets, settings.instance_types or (None,), settings.subnet_ids or (None,)
    ):
        choice: dict[str, Any] = {}
        if spot:
            once = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
            choice["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": once}
        if kind:
            choice["InstanceType"] = kind
        if subnet:
            choice["SubnetId"] = subnet
        yield choice


_FORGOTTEN: Final = JobState.ended(JobEnd(Cause.UNKNOWN, "EC2 knows nothing of the machine any more"))


def _client_token(token: str, attempt: int, choice: int) -> str:
    """At most 64 characters, and another one for each request that asks for something else."""
    return f"{token[:56]}.{attempt}.{choice}"


def _template(name: str) -> dict[str, str]:
    return {"LaunchTemplateId": name} if name.startswith("lt-") else {"LaunchTemplateName": name}


def _machines(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [machine for reservation in answer["Reservations"] for machine in reservation["Instances"]]


def _text(said: str) -> str:
    """boto3 decodes it; other clients may not."""
    try:
        return base64.b64decode(said, validate=True).decode("utf-8", "replace")
    except ValueError:
        return said
