"""Whole sessions on real servers while requests and replies get lost, and processes are killed, stopped and repeated.

The job is a process of its own whose requests pass a proxy that spoils some of them, by a seed. Whatever happens
there, the handler gets every message once and in order, or the verdict names what is missing.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import IncompleteError
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.messages import CustomMessage
from integration_tests.servers.clouds import Cloud, CloudServer
from integration_tests.servers.proxy import REPLY_LOST, REQUEST_LOST, Canned, Fault, Proxy
from integration_tests.waiting import WAIT

AZURE_BUSY = b"<?xml version='1.0'?><Error><Code>ServerBusy</Code></Error>"
SLOW_DOWN = {
    "s3": Canned(503, b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"),
    "gs": Canned(429, b'{"error": {"code": 429, "message": "rate"}}', "application/json"),
    "az": Canned(503, AZURE_BUSY, headers=(("x-ms-error-code", "ServerBusy"),)),
}

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

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(cloud: Cloud, tmp_path: Path) -> Iterator[Start]:
    """Starts a job of a session; it waits for a line after every twentieth message."""
    with ExitStack() as jobs:

        def start_job(session: PipesSession, count: int, environment: dict[str, str]) -> subprocess.Popen[str]:
            job = jobs.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", JOB, str(count)],
                    env={
                        **os.environ,
                        **environment,
                        **session.get_bootstrap_env_vars(),
                        "BLOBPIPES_SPOOL_DIR": str(tmp_path / "spool"),
                        "BLOBPIPES_TERM_GRACE": f"{WAIT:g}",
                    },
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            jobs.callback(job.kill)
            return job

        yield start_job


def pace(job: subprocess.Popen[str]) -> int:
    """Let the job go on to its end, slowly enough that it needs many chunks; its exit code."""
    assert job.stdin is not None
    assert job.stdout is not None
    for _ in job.stdout:
        threading.Event().wait(0.15)
        job.stdin.write("\n")
        job.stdin.flush()
    return job.wait(WAIT)


def let_run(job: subprocess.Popen[str]) -> int:
    """Let the job go on to its end; its exit code."""
    assert job.stdin is not None
    job.stdin.close()
    assert job.stdout is not None
    job.stdout.read()
    return job.wait(WAIT)


def wait_for_line(job: subprocess.Popen[str], times: int = 1) -> None:
    assert job.stdin is not None
    assert job.stdout is not None
    for _ in range(times):
        assert job.stdout.readline().startswith("said")
        job.stdin.write("\n")
        job.stdin.flush()
    assert job.stdout.readline().startswith("said")


def script(cloud: Cloud, seed: int, length: int = 60) -> Sequence[Fault]:
    chances = random.Random(seed)
    kinds: Sequence[Fault] = (None, None, REQUEST_LOST, REPLY_LOST, SLOW_DOWN[cloud.scheme])
    return [chances.choice(kinds) for _ in range(length)]


def session_at(cloud: Cloud, **options: Any) -> Any:
    return open_pipes_session(RunContext(), url=cloud.url, **{"interval": "100ms", **options})


@pytest.mark.parametrize("seed", range(2))
def test_a_job_behind_a_bad_line_delivers_everything_once(
    cloud_server: CloudServer, cloud: Cloud, start: Start, seed: int
) -> None:
    with Proxy(cloud_server.process.port) as proxy:
        # loading the context is retried too, but for less long; then two that are hit however few requests there are
        proxy.spoil([None, None, REPLY_LOST, SLOW_DOWN[cloud.scheme], *script(cloud, seed)])
        with session_at(cloud) as session:
            job = start(session, 200, dict(cloud_server.through(proxy, cloud).env))
            assert pace(job) == 0
    assert session.get_custom_messages() == tuple(range(200))
    assert session.report.verdict == "complete"
    assert sum(asked.status in (0, 429, 503) for asked in proxy.asked) >= 2  # or the test has tested nothing


@pytest.mark.parametrize("seed", range(2))
def test_a_reader_behind_a_bad_line_gets_everything_once(
    cloud_server: CloudServer, cloud: Cloud, proxy: Proxy, start: Start, seed: int
) -> None:
    direct = dict(cloud.env)
    with session_at(cloud) as session:
        proxy.spoil(script(cloud, seed, 40))
        job = start(session, 200, direct)
        assert pace(job) == 0
    assert session.get_custom_messages() == tuple(range(200))
    assert session.report.verdict == "complete"


def test_a_killed_job_is_truncated_by_name_and_what_the_store_has_arrives(cloud: Cloud, start: Start) -> None:
    with pytest.raises(IncompleteError, match="without closing") as caught:
        kill_in_the_middle(cloud, start)
    report: Any = caught.value.report
    assert report.verdict == "truncated"
    assert 0 < report.counts["report_custom_message"] <= 41


def kill_in_the_middle(cloud: Cloud, start: Start) -> None:
    with session_at(cloud) as session:
        job = start(session, 200, dict(cloud.env))
        wait_for_line(job, 2)
        wait_for_a_custom_message(session)
        job.kill()
        job.wait(WAIT)


def wait_for_a_custom_message(session: PipesSession) -> None:
    arrived = threading.Event()

    def observe(event: PipesEvent) -> None:
        if isinstance(event.payload, CustomMessage):
            arrived.set()

    with session.message_handler.observed_by(observe):
        assert session.get_custom_messages() or arrived.wait(WAIT)


def test_with_a_wal_a_killed_and_restarted_job_loses_and_repeats_nothing(cloud: Cloud, start: Start) -> None:
    with session_at(cloud, spool="wal", interval="5s", restarts=1) as session:
        job = start(session, 200, dict(cloud.env))
        wait_for_line(job, 2)
        job.kill()
        job.wait(WAIT)
        assert let_run(start(session, 50, dict(cloud.env))) == 0
    said = session.get_custom_messages()
    assert said == (*range(41), *range(50))  # each process' own messages, once and in order
    assert session.report.verdict == "complete"
    # a restart is announced only if the first process got as far as its first chunk
    assert {problem.kind for problem in session.report.problems} <= {"restarted"}


def test_a_paused_job_whose_place_was_taken_is_told_when_it_wakes(cloud: Cloud, start: Start) -> None:
    with session_at(cloud, restarts=1) as session:
        zombie = start(session, 60, dict(cloud.env))
        wait_for_line(zombie)
        zombie.send_signal(signal.SIGSTOP)
        assert let_run(start(session, 60, dict(cloud.env))) == 0
        zombie.send_signal(signal.SIGCONT)
        assert let_run(zombie) != 0
    assert session.report.verdict == "complete"
    assert session.get_custom_messages()[-60:] == tuple(range(60))


def test_sigterm_delivers_everything_said_before_it(cloud: Cloud, start: Start) -> None:
    with session_at(cloud, interval="1m") as session:
        job = start(session, 200, dict(cloud.env))
        wait_for_line(job, 2)
        job.terminate()
        assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert session.get_custom_messages() == tuple(range(41))
    assert session.report.verdict == "failed"
    assert session.report.exception["name"] == "SystemExit"
