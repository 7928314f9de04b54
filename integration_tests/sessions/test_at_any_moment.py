"""Signals at random moments, on disk and on three clouds: whatever a process was doing, nothing is lost or repeated."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Sequence

from blobpipes.orchestration.session import PipesSession
from integration_tests.servers.clouds import Cloud
from integration_tests.sessions.jobs import ENDLESS, Job, Start, let_run, session_at
from integration_tests.waiting import WAIT


def in_the_midst(session: PipesSession, place: Cloud, start: Start, chance: random.Random) -> Job:
    """A job that reports without end, at some moment of that."""
    job = start(session, 0, dict(place.env), ENDLESS)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    threading.Event().wait(chance.uniform(0, 0.7))
    return job


def runs_of(said: Sequence[int]) -> list[list[int]]:
    """Each process counts from 0."""
    runs: list[list[int]] = []
    for number in said:
        if number == 0:
            runs.append([])
        runs[-1].append(number)
    return runs


def test_killed_and_started_again_each_process_is_heard_once_and_in_order(place: Cloud, start: Start) -> None:
    chance = random.Random(5)
    with session_at(place, spool="wal", restarts=2) as session:
        for _ in range(2):
            job = in_the_midst(session, place, start, chance)
            job.kill()
            job.wait(WAIT)
        assert let_run(start(session, 50, dict(place.env))) == 0
    runs = runs_of(session.get_custom_messages())
    assert all(run == list(range(len(run))) for run in runs)
    assert runs[-1] == list(range(50))
    assert session.report.verdict == "complete"


def test_paused_resumed_and_terminated_a_process_says_all_that_it_had_to_say(place: Cloud, start: Start) -> None:
    chance = random.Random(6)
    with session_at(place) as session:
        job = in_the_midst(session, place, start, chance)
        job.send_signal(signal.SIGSTOP)
        threading.Event().wait(chance.uniform(0, 0.5))
        job.send_signal(signal.SIGCONT)
        job.terminate()
        assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert [list(range(len(run))) for run in runs_of(session.get_custom_messages())] == runs_of(
        session.get_custom_messages()
    )
    assert session.report.verdict == "failed"
    assert session.report.exception["name"] == "SystemExit"
