"""The official calling half: an asset in a run of Dagster, with PipesSubprocessClient and PipesS3MessageReader."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import dagster
from dagster_aws.pipes import PipesS3MessageReader

from benchmarks.plan import SESSION_VAR, Plan, Watching, number_of

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # its run log would fill the terminal


def runner(plan: Plan, command: Sequence[str]) -> Callable[[Watching], None]:
    credentials = {"aws_access_key_id": plan.reader_key, "aws_secret_access_key": "wrong"} if plan.reader_key else {}

    def run(watching: Watching) -> None:
        reader = NotingReader(
            interval=plan.reader_interval,
            bucket=plan.url.removeprefix("s3://").partition("/")[0],
            client=boto3.client("s3", **credentials),
        )
        reader.watching, reader.run_log = watching, plan.run_log
        client = dagster.PipesSubprocessClient(message_reader=reader)

        for number in range(plan.sessions):
            os.environ[SESSION_VAR] = str(number)
            _materialize(_asset(client, command), watching)

    return run


def _asset(client: dagster.PipesSubprocessClient, command: Sequence[str]) -> dagster.AssetsDefinition:
    def a(context):  # type: ignore[no-untyped-def]  # Dagster refuses annotations that are text
        return client.run(context=context, command=command).get_materialize_result()

    return dagster.asset(a)


def _materialize(asset: Any, watching: Watching) -> None:
    with dagster.DagsterInstance.ephemeral() as instance:
        result = dagster.materialize([asset], instance=instance, run_config=QUIET, raise_on_error=False)
        for failure in result.get_step_failure_events():
            error = failure.step_failure_data.error
            cause = (error.cause or error) if error else None
            watching.error = (
                cause.message.strip().splitlines()[0].rpartition("dagster._core.errors.")[2] if cause else "step failed"
            )
        watching.notes.append("run succeeded" if result.success else "run failed")
        for record in instance.all_logs(result.run_id):
            text = record.user_message or ""
            if isinstance(record.level, int) and record.level >= logging.WARNING and not record.is_dagster_event:
                watching.notes.append(f"warning: {_first_sentence(text)}")
            elif "framework exception" in text:
                watching.notes.append(f"event: {_first_sentence(text)}")


def _first_sentence(text: str) -> str:
    return (
        text.strip()
        .splitlines()[0]
        .split(". ")[0]
        .removeprefix("[pipes] ")
        .replace("NotingReader", "PipesS3MessageReader")
    )


class NotingReader(PipesS3MessageReader):
    """The official reader, which notes what reaches the handler; the handler then does what it always does."""

    watching: Watching
    run_log = True  # False leaves out what Dagster's run log costs: more than the pipe

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[Any]:
        handle, arrived, run_log = handler.handle_message, self.watching.arrived, self.run_log

        def noting(message: Any) -> None:
            if message["method"] == "log":
                arrived.append(number_of(message["params"]["message"]))
            if run_log or message["method"] != "log":
                handle(message)

        handler.handle_message = noting
        with super().read_messages(handler) as params:
            yield params
