"""Whole sessions on real servers while requests and replies get lost, and processes are killed, stopped and repeated.

The job is a process of its own whose requests pass a proxy that spoils some of them, by a seed. Whatever happens
there, the handler gets every message once and in order, or the verdict names what is missing.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from blobpipes.errors import IncompleteError
from integration_tests.servers.clouds import Cloud, CloudServer
from integration_tests.servers.proxy import REPLY_LOST, REQUEST_LOST, Canned, Fault, Proxy
from integration_tests.sessions.jobs import (
    Start,
    let_run,
    pace,
    session_at,
    wait_for_a_custom_message,
    wait_for_line,
)
from integration_tests.waiting import WAIT

AZURE_BUSY = b"<?xml version='1.0'?><Error><Code>ServerBusy</Code></Error>"
SLOW_DOWN = {
    "s3": Canned(503, b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"),
    "gs": Canned(429, b'{"error": {"code": 429, "message": "rate"}}', "application/json"),
    "az": Canned(503, AZURE_BUSY, headers=(("x-ms-error-code", "ServerBusy"),)),
}


def script(cloud: Cloud, seed: int, length: int = 60) -> Sequence[Fault]:
    chances = random.Random(seed)
    kinds: Sequence[Fault] = (None, None, REQUEST_LOST, REPLY_LOST, SLOW_DOWN[cloud.scheme])
    return [chances.choice(kinds) for _ in range(length)]


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


def test_a_killed_job_is_truncated_by_name_and_what_the_store_has_arrives(place: Cloud, start: Start) -> None:
    with pytest.raises(IncompleteError, match="without closing") as caught:
        kill_in_the_middle(place, start)
    report: Any = caught.value.report
    assert report.verdict == "truncated"
    assert 0 < report.counts["report_custom_message"] <= 41


def kill_in_the_middle(place: Cloud, start: Start) -> None:
    with session_at(place) as session:
        job = start(session, 200, dict(place.env))
        wait_for_line(job, 2)
        wait_for_a_custom_message(session)
        job.kill()
        job.wait(WAIT)


def test_with_a_wal_a_killed_and_restarted_job_loses_and_repeats_nothing(place: Cloud, start: Start) -> None:
    with session_at(place, spool="wal", interval="5s", restarts=1) as session:
        job = start(session, 200, dict(place.env))
        wait_for_line(job, 2)
        job.kill()
        job.wait(WAIT)
        assert let_run(start(session, 50, dict(place.env))) == 0
    said = session.get_custom_messages()
    assert said == (*range(41), *range(50))  # each process' own messages, once and in order
    assert session.report.verdict == "complete"
    # a restart is announced only if the first process got as far as its first chunk
    assert {problem.kind for problem in session.report.problems} <= {"restarted"}


def test_a_paused_job_whose_place_was_taken_is_told_when_it_wakes(place: Cloud, start: Start) -> None:
    with session_at(place, restarts=1) as session:
        zombie = start(session, 60, dict(place.env))
        wait_for_line(zombie)
        zombie.send_signal(signal.SIGSTOP)
        assert let_run(start(session, 60, dict(place.env))) == 0
        zombie.send_signal(signal.SIGCONT)
        assert let_run(zombie) != 0
    assert session.report.verdict == "complete"
    assert session.get_custom_messages()[-60:] == tuple(range(60))


def test_sigterm_delivers_everything_said_before_it(place: Cloud, start: Start) -> None:
    with session_at(place, interval="1m") as session:
        job = start(session, 200, dict(place.env))
        wait_for_line(job, 2)
        job.terminate()
        assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert session.get_custom_messages() == tuple(range(41))
    assert session.report.verdict == "failed"
    assert session.report.exception["name"] == "SystemExit"
