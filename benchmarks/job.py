"""The job of both pairs: numbered log messages, a bad value or a signal where the plan says so.

Started as `python -m benchmarks.job`; with more than one process in the plan it is the platform that starts them
one after the other with the same parameters.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.plan import NOTES_VAR, SESSION_VAR, Notes, Plan, peak_memory

PROCESS_VAR = "BENCHMARK_PROCESS"


def main() -> int:
    plan = Plan.from_environment()
    if plan.processes > 1 and PROCESS_VAR not in os.environ:
        return [_start(number) for number in range(plan.processes)][-1]
    notes = Notes(os.environ[NOTES_VAR])
    try:
        with _opened(plan) as pipes:
            _report(pipes, plan, notes, int(os.environ.get(PROCESS_VAR, "0")))
    except Exception as error:
        notes.add("error", f"{type(error).__name__}: {str(error).splitlines()[0]}")
        raise
    finally:
        notes.add("end", {"cpu": time.process_time(), "memory": peak_memory(), "at": time.time()})
    return 0


def _start(number: int) -> int:
    env = {**os.environ, PROCESS_VAR: str(number)}
    return subprocess.run([sys.executable, "-m", "benchmarks.job"], env=env, check=False).returncode


def _opened(plan: Plan) -> AbstractContextManager[Any]:
    if plan.laid:
        return _laid()
    if plan.side == "blobpipes":
        from blobpipes import PipesBlobStoreMessageWriter, open_dagster_pipes

        return open_dagster_pipes(message_writer=PipesBlobStoreMessageWriter(interval=plan.writer_interval))
    import boto3
    import dagster_pipes

    writer = dagster_pipes.PipesS3MessageWriter(boto3.client("s3"), interval=plan.writer_interval)
    official: AbstractContextManager[Any] = dagster_pipes.open_dagster_pipes(message_writer=writer)
    return official


def _report(pipes: Any, plan: Plan, notes: Notes, process: int) -> None:
    session = int(os.environ.get(SESSION_VAR, "0"))
    first = (session * plan.processes + process) * plan.messages
    pause = plan.seconds / plan.messages
    for number in range(first, first + plan.messages):
        if number == plan.bad_at:
            _report_bad(pipes, notes)
        pipes.log.info("message %d", number)
        if plan.noted:
            notes.add("sent", number)
        if number == plan.signal_at:
            time.sleep(plan.settle)
            os.kill(os.getpid(), plan.signal)
        if pause:
            time.sleep(pause)


def _report_bad(pipes: Any, notes: Notes) -> None:
    """A value that no JSON can hold; a careful job goes on after the error, if it gets one."""
    try:
        pipes.report_custom_message({"model": object()})
    except Exception as error:  # noqa: BLE001 - which one is what the table shows
        notes.add("error", f"{type(error).__name__} at the call")


@contextmanager
def _laid() -> Iterator[Any]:
    """A context whose every message is a chunk at once, in the official bytes: the backlog that a reader finds."""
    import json
    import logging
    from io import StringIO

    import boto3
    import dagster_pipes

    params = dagster_pipes.PipesEnvVarParamsLoader().load_messages_params()
    channel = dagster_pipes.PipesS3MessageWriterChannel(
        boto3.client("s3"), params["bucket"], params["key_prefix"], interval=1
    )
    count = 0

    def put(method: str, values: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        message = {"__dagster_pipes_version": "0.1", "method": method, "params": values}
        channel.upload_messages_chunk(StringIO(json.dumps(message)), count)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            put("log", {"message": record.getMessage(), "level": record.levelname})

    class Context:
        log = logging.getLogger("benchmark.laid")

    Context.log.setLevel(logging.INFO)
    Context.log.addHandler(Handler())
    put("opened", {"extras": {}})
    yield Context
    put("closed", {})


if __name__ == "__main__":
    sys.exit(main())
