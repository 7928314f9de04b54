"""What tests of whole sessions share: a job that waits for the test, and ways to lead it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.messages import CustomMessage
from integration_tests.servers.clouds import Cloud
from integration_tests.waiting import WAIT
from tests.external.launching import SOURCE

Job = subprocess.Popen[str]

JOB = """
import sys
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    for number in range(int(sys.argv[1])):
        pipes.report_custom_message(number)
        if number % 20 == 0:
            print("said", number, flush=True)
            sys.stdin.readline()  # the test says when to go on
"""


ENDLESS = """
import itertools, time
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    print("ready", flush=True)
    for number in itertools.count():
        pipes.report_custom_message(number)
        time.sleep(0.001)
"""


class Start(Protocol):
    def __call__(self, session: PipesSession, count: int, environment: dict[str, str], source: str = JOB) -> Job: ...


@contextmanager
def starting(spool: Path) -> Iterator[Start]:
    """Starts jobs of a session; each waits for a line after every twentieth message."""
    with ExitStack() as jobs:

        def start(session: PipesSession, count: int, environment: dict[str, str], source: str = JOB) -> Job:
            job = subprocess.Popen(
                [sys.executable, "-c", source, str(count)],
                env={
                    **os.environ,
                    "PYTHONPATH": str(SOURCE),
                    "BLOBPIPES_SPOOL_DIR": str(spool),
                    "BLOBPIPES_TERM_GRACE": f"{WAIT:g}",
                    **session.get_bootstrap_env_vars(),
                    **environment,
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            jobs.enter_context(job)
            jobs.callback(job.kill)
            return job

        yield start


def session_at(place: Cloud, url: str | None = None, **options: Any) -> Any:
    return open_pipes_session(RunContext(), url=url or place.url, **{"interval": "100ms", **options})


def pace(job: Job) -> int:
    """Let the job go on to its end, slowly enough that it needs many chunks; its exit code."""
    assert job.stdin is not None
    assert job.stdout is not None
    for _ in job.stdout:
        threading.Event().wait(0.15)
        job.stdin.write("\n")
        job.stdin.flush()
    return job.wait(WAIT)


def let_run(job: Job) -> int:
    """Let the job go on to its end; its exit code."""
    assert job.stdin is not None
    job.stdin.close()
    assert job.stdout is not None
    job.stdout.read()
    return job.wait(WAIT)


def wait_for_line(job: Job, times: int = 1) -> None:
    """Until the job has said the numbers up to `times` * 20."""
    assert job.stdin is not None
    assert job.stdout is not None
    for _ in range(times):
        assert job.stdout.readline().startswith("said")
        job.stdin.write("\n")
        job.stdin.flush()
    assert job.stdout.readline().startswith("said")


def wait_for_a_custom_message(session: PipesSession) -> None:
    arrived = threading.Event()

    def observe(event: PipesEvent) -> None:
        if isinstance(event.payload, CustomMessage):
            arrived.set()

    with session.message_handler.observed_by(observe):
        assert session.get_custom_messages() or arrived.wait(WAIT)
