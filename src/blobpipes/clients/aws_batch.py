"""Runs a job as a container by an AWS Batch queue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blobpipes.clients.aws_batch_place import AWSBatchPlace, BatchJob, BatchSettings
from blobpipes.clients.job import RunPolicy
from blobpipes.clients.place import JobSpec
from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.errors import InvalidOptionError
from blobpipes.orchestration.context_injectors import PipesContextInjector
from blobpipes.orchestration.message_readers import PipesMessageReader

SUPERVISED = ("blobpipes", "exec", "--")


class PipesAWSBatchClient(PipesPlaceClient[BatchJob]):
    """Runs commands in containers, on machines that AWS Batch starts and stops. Needs `blobpipes[aws]`.

    Args:
        queue: the job queue: its name or ARN.
        job_definition: its name, `name:revision` or ARN. Its image has the program, and what the job may do is its
            job role's business: create and read objects under the URL.
        region: by default as the environment says.
        vcpus, memory_mib, gpus: instead of the job definition's.
        attempts: how often the job may start in all if its spot machine is taken away (1 to 10); a restart continues
            the session. Without, the job definition says it.
        timeout: seconds after which AWS Batch ends an attempt, at least 60.
        tasks: containers of an array job, each with an index and a lane of its own in the session (2 to 10,000).
        supervised: run the command under `blobpipes exec`, which the image must have: then a program in any language
            is told of completely, also when it runs out of memory.
        tags: of the job and its container.
        env: variables for the job. Who may describe jobs can read them: secrets belong into the job definition.
        cwd: its working directory in the container, by default the image's.
        url: under which sessions live.
        client: a `boto3.client("batch")` of your own.
        forward_termination: if this process is interrupted while it waits, end the job too. If not, the job runs on,
            but its session ends, and what it writes from then on is refused. (If this process is killed, nothing ends:
            `run(..., session=NAME, attach=True)` comes back to the job.)
        termination_timeout: seconds that an interrupted job has; AWS Batch kills it 30 s after the first word.
        patience: seconds for which AWS may be out of reach while the job runs.
        session_options: for `open_pipes_session`.
    """

    def __init__(
        self,
        queue: str,
        job_definition: str,
        *,
        region: str | None = None,
        vcpus: float | None = None,
        memory_mib: int | None = None,
        gpus: int | None = None,
        attempts: int | None = None,
        timeout: float | None = None,
        tasks: int = 1,
        supervised: bool | Sequence[str] = False,
        tags: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        url: str | None = None,
        client: Any = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        forward_termination: bool = True,
        termination_timeout: float = 45.0,
        patience: float = 600.0,
        **session_options: Any,
    ) -> None:
        if attempts is not None and not 1 <= attempts <= 10:
            raise InvalidOptionError(f"attempts is {attempts}, and AWS Batch takes 1 to 10")
        if timeout is not None and timeout < 60:
            raise InvalidOptionError(f"timeout is {timeout:g} s, and AWS Batch takes 60 s at the least")
        if attempts is not None and attempts > 1:
            session_options.setdefault("restarts", attempts - 1)  # the session waits for the next attempt
        if tasks > 1:
            session_options.setdefault("lanes", tasks)
        self._tasks = tasks
        supervisor = () if supervised is False else SUPERVISED if supervised is True else tuple(supervised)
        settings = BatchSettings(
            queue, job_definition, vcpus, memory_mib, gpus, attempts, timeout, supervisor, dict(tags or {})
        )
        super().__init__(
            AWSBatchPlace(settings, region=region, client=client),
            env=env,
            cwd=cwd,
            url=url,
            context_injector=context_injector,
            message_reader=message_reader,
            policy=RunPolicy(
                forward_termination=forward_termination, termination_timeout=termination_timeout, patience=patience
            ),
            **session_options,
        )

    def spec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> JobSpec:
        """What to run, in as many containers as the array has."""
        return replace(super().spec(command, env=env, cwd=cwd), tasks=self._tasks)
