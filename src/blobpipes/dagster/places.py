"""The clients of the places that blobpipes knows, under Dagster: the same settings, and Dagster's `run`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from blobpipes.clients import aws_batch, ec2, place_client, slurm, ssh
from blobpipes.dagster.clients import PipesPlaceClient
from blobpipes.dagster.official import EnvVar, PipesContextInjector, PipesMessageReader


class KnownPlaceClient(PipesPlaceClient[Any]):
    """Made as the client of the same name in `blobpipes` is; see there for `settings`.

    Args:
        where: what that client takes first: a host, a queue, a template.
        url, env, cwd, context_injector, message_reader, reattach: as of `PipesPlaceClient`.
    """

    engine: ClassVar[type[place_client.PipesPlaceClient[Any]]]

    def __init__(
        self,
        *where: Any,
        url: str | EnvVar | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        reattach: bool = True,
        **settings: Any,
    ) -> None:
        made = self.engine(*where, **settings)
        super().__init__(
            made.place,
            env=env,
            cwd=cwd,
            url=url,
            context_injector=context_injector,
            message_reader=message_reader,
            policy=made.policy,
            reattach=reattach,
            tasks=made.spec(("true",)).tasks,
            **made.session_options,
        )


class PipesSSHClient(KnownPlaceClient):
    """Runs commands on a machine that ssh reaches."""

    engine = ssh.PipesSSHClient


class PipesSlurmClient(KnownPlaceClient):
    """Runs commands as jobs of a Slurm cluster; with `tasks=N` as an array, with a lane for each task."""

    engine = slurm.PipesSlurmClient


class PipesAWSBatchClient(KnownPlaceClient):
    """Runs commands in containers, by an AWS Batch queue; with `tasks=N` as an array, with a lane for each."""

    engine = aws_batch.PipesAWSBatchClient


class PipesEC2Client(KnownPlaceClient):
    """Runs commands on EC2 machines that are launched for one job each."""

    engine = ec2.PipesEC2Client
