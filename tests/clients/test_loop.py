"""The run loop, against a place that does what a script says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blobpipes.clients.job import Job, RunPolicy
from blobpipes.clients.loop import running
from blobpipes.clients.place import RUNNING, WAITING, Cause, JobEnd, JobSpec, JobState, Urgency, token_of
from blobpipes.errors import (
    JobFailedError,
    JobStillRunningError,
    LaunchError,
    PlaceDeniedError,
    PlaceUnavailableError,
)
from blobpipes.retry import RetryPolicy
from blobpipes.testing import ManualClock
from tests.clients.scripted_place import DONE, ScriptedPlace

AWAY = PlaceUnavailableError("no route", reason="timeout")
POLICY = RunPolicy(
    termination_timeout=20.0, kill_timeout=60.0, patience=600.0, launch_retry=RetryPolicy(3, 100.0, 0.0, 0.0)
)
SPEC = JobSpec(("job", "--secret"), token="bp-1", env={"A": "1"})


class Session:
    """What the loop needs of one, and nothing else."""

    def __init__(self) -> None:
        self.launched: list[Any] = []

    def get_bootstrap_env_vars(self) -> dict[str, str]:
        return {"BOOT": "params"}

    def report_launched(self, launched_payload: Any) -> None:
        self.launched.append(launched_payload)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic=0.0)


@pytest.fixture
def warnings() -> list[str]:
    return []


@contextmanager
def run(place: ScriptedPlace, warnings: list[str] | None = None, **options: Any) -> Iterator[Job[str]]:
    warn = (warnings if warnings is not None else []).append
    policy = options.pop("policy", POLICY)
    with running(place, SPEC, Session(), policy=policy, warn=warn, clock=place.clock, **options) as job:
        yield job


def test_a_job_gets_the_sessions_variables_and_the_session_hears_what_the_place_tells(clock: ManualClock) -> None:
    place, session = ScriptedPlace(clock, polls=[WAITING, RUNNING, DONE]), Session()
    with running(place, SPEC, session, policy=POLICY, clock=clock) as job:
        job.wait()
    assert place.launched[0].env == {"A": "1", "BOOT": "params"}
    assert session.launched == [{"extras": {"job": "job-1"}}]
    assert job.metadata == {"job": "job-1"}
    assert (job.state, place.told, place.released) == (DONE, [], 1)


def test_a_block_that_does_not_wait_is_waited_for(clock: ManualClock) -> None:
    with run(ScriptedPlace(clock, polls=[RUNNING, RUNNING, DONE])) as job:
        pass
    assert job.state == DONE


@pytest.mark.parametrize(
    ("end", "error", "said"),
    [
        (JobEnd(Cause.EXITED, "job exited with code 3", 3), JobFailedError, "exited with code 3"),
        (JobEnd(Cause.OUT_OF_MEMORY, "job ran out of memory", None, "Ask for more."), JobFailedError, "Ask for more"),
        (JobEnd(Cause.NOT_STARTED, "no such program: 'job'", 127, "Install it."), LaunchError, "Install it"),
    ],
)
def test_a_bad_end_is_an_error_with_its_cause(
    clock: ManualClock, end: JobEnd, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught, run(ScriptedPlace(clock, polls=[JobState.ended(end)])):
        pass
    if isinstance(caught.value, JobFailedError):
        assert (caught.value.cause, caught.value.exit_code) == (end.cause.value, end.exit_code)


def test_of_a_job_that_the_place_has_forgotten_only_the_session_can_tell(clock: ManualClock) -> None:
    with run(ScriptedPlace(clock, polls=[JobState.ended(JobEnd(Cause.UNKNOWN, "gone"))])) as job:
        assert job.wait()


# --- when it looks --------------------------------------------------------------------------------------


def test_it_looks_often_at_first_and_then_ever_less(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[WAITING] * 20 + [DONE])
    with run(place):
        pass
    pauses = [later - earlier for earlier, later in zip(place.polled, place.polled[1:], strict=False)]
    assert pauses[:3] == [0.5, 0.75, 1.125]
    assert pauses[-1] == 5.0
    assert pauses == sorted(pauses)


def test_a_change_makes_it_look_often_again(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[*[WAITING] * 20, RUNNING, RUNNING, DONE])
    with run(place):
        pass
    assert [round(b - a, 3) for a, b in zip(place.polled[20:], place.polled[21:], strict=False)] == [0.5, 0.75]


def test_asking_whether_it_runs_does_not_ask_the_place_each_time(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING, DONE])
    with run(place) as job:
        assert all(job.is_running() for _ in range(100))
        assert len(place.polled) == 1
        clock.advance(0.5)
        assert not job.is_running()


def test_a_word_from_the_job_makes_it_look_at_once(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[*[RUNNING] * 20, DONE])
    with run(place) as job:
        while len(place.polled) < 20:
            job.wait(1.0)
        before = clock.monotonic()
        job.nudge()
        assert job.wait()
        assert clock.monotonic() == before


def test_waiting_can_be_bounded(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING] * 6 + [DONE])
    with run(place) as job:
        assert not job.wait(2.0)
        assert clock.monotonic() == 2.0


# --- ending it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_block_ends_the_job(clock: ManualClock, error: type[BaseException]) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING])
    with pytest.raises(error), run(place) as job:
        raise error
    assert [urgency for urgency, _ in place.told] == [Urgency.INTERRUPT]
    assert job.state.phase == "ended"
    assert place.released == 1


def test_a_job_that_does_not_listen_is_told_more_firmly(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING], dies_of=Urgency.KILL)
    with pytest.raises(KeyboardInterrupt), run(place):
        raise KeyboardInterrupt
    assert place.told == [(Urgency.INTERRUPT, 0.0), (Urgency.TERMINATE, 10.0), (Urgency.KILL, 20.0)]


def test_a_second_interruption_kills_at_once(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[KeyboardInterrupt("first"), KeyboardInterrupt("second")], dies_of=Urgency.KILL)
    with pytest.raises(KeyboardInterrupt), run(place):
        pass
    assert place.told == [(Urgency.INTERRUPT, 0.0), (Urgency.KILL, 0.0)]


def test_without_forwarding_the_job_is_left_to_run(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING])
    with pytest.raises(KeyboardInterrupt), run(place, policy=RunPolicy(forward_termination=False)):
        raise KeyboardInterrupt
    assert place.told == []
    assert place.released == 1


def test_a_job_that_cannot_be_ended_is_named_with_what_is_known_of_it(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING], dies_of=None)
    with pytest.raises(JobStillRunningError) as caught, run(place):
        raise ValueError("of the block")
    assert caught.value.message == "the job may still run in the script (job job-1), though it was killed"


def test_a_ctrl_c_stays_one_and_the_job_that_may_still_run_is_told(clock: ManualClock, warnings: list[str]) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING], dies_of=None)
    with pytest.raises(KeyboardInterrupt), run(place, warnings):
        raise KeyboardInterrupt
    assert "may still run" in warnings[0]


def test_ending_is_tried_again_while_the_place_is_out_of_reach(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING])
    place.told_error = AWAY
    with pytest.raises(JobStillRunningError, match="no route"), run(place):
        raise ValueError
    assert clock.monotonic() >= 80.0
    assert len(place.told) > 100


def test_ending_that_is_refused_is_not_tried_for_long(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING])
    place.told_error = PlaceDeniedError("not your job", remedy="Ask its owner.")
    with pytest.raises(JobStillRunningError, match="Ask its owner"), run(place):
        raise ValueError
    assert clock.monotonic() == 0.0


# --- a place that is out of reach -----------------------------------------------------------------------


def test_an_outage_of_the_place_says_nothing_about_the_job(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING, *[AWAY] * 50, RUNNING, *[AWAY] * 50, DONE])
    with run(place) as job:
        assert job.wait()
    assert clock.monotonic() > 400.0


def test_an_outage_that_does_not_pass_ends_the_run_in_the_end(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, polls=[RUNNING, AWAY], dies_of=None)
    place.told_error = AWAY
    with pytest.raises(JobStillRunningError, match="no route") as caught, run(place):
        pass
    assert "out of reach for 60" in str(caught.value.__cause__)


def test_a_launch_is_repeated_while_the_place_is_out_of_reach(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, launches=[AWAY, AWAY, "job-1"])
    with run(place):
        pass
    assert len(place.launched) == 3
    assert len({spec.token for spec in place.launched}) == 1


def test_a_refused_launch_is_not_repeated(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, launches=[PlaceDeniedError("no")], found="job-1")
    with pytest.raises(PlaceDeniedError), run(place):
        pass
    assert (len(place.launched), place.told) == (1, [])


@pytest.mark.parametrize("error", [AWAY, KeyboardInterrupt()])
def test_what_an_unanswered_or_interrupted_launch_has_begun_is_ended(clock: ManualClock, error: BaseException) -> None:
    place = ScriptedPlace(clock, launches=[error], found="job-1", polls=[RUNNING])
    with pytest.raises(type(error)), run(place):
        pass
    assert [urgency for urgency, _ in place.told] == [Urgency.INTERRUPT]
    assert place.released == 1


def test_if_nobody_knows_whether_a_launch_has_begun_something_that_is_said(
    clock: ManualClock, warnings: list[str]
) -> None:
    place = ScriptedPlace(clock, launches=[AWAY], found=AWAY)
    with pytest.raises(PlaceUnavailableError, match="gave up after 3 tries"), run(place, warnings):
        pass
    assert warnings == ["a job called bp-1 may run in the script: no route"]


# --- re-attaching ---------------------------------------------------------------------------------------


def test_attaching_launches_nothing(clock: ManualClock) -> None:
    place = ScriptedPlace(clock, found="job-7", polls=[RUNNING, DONE])
    with run(place, attach=True) as job:
        assert job.wait()
    assert (place.launched, job.metadata) == ([], {"job": "job-7"})


def test_attaching_to_what_the_place_has_forgotten_leaves_the_word_to_the_session(clock: ManualClock) -> None:
    with run(ScriptedPlace(clock), attach=True) as job:
        assert not job.is_running()
    assert job.state.end is not None
    assert job.state.end.cause is Cause.UNKNOWN


# --- tokens ---------------------------------------------------------------------------------------------


def test_a_token_is_a_name_that_every_place_takes() -> None:
    for name in ("nightly/1", "a", "X" * 300, "20261122-170036-123-9f3a0c11d2", "ä+ö", "-._"):
        token = token_of(name, f"s3://bucket/{name}")
        assert len(token) <= 63
        assert token.startswith("bp-")
        assert not set(token) - set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_sessions_of_one_name_under_two_urls_have_two_tokens() -> None:
    assert token_of("n", "s3://a/n") != token_of("n", "s3://b/n")
    assert token_of("n", "s3://a/n") == token_of("n", "s3://a/n")
