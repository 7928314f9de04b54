"""Trying again: what, how often, how long, and what is said in the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import StoreDeniedError, StoreUnavailableError
from blobpipes.retry import RetryPolicy
from blobpipes.testing import ManualClock


def failing(times: int, *, then: str = "done", clock: ManualClock | None = None, each: float = 0) -> Callable[[], str]:
    """Work that fails so often, and takes so many seconds each time."""
    left = [times]

    def work() -> str:
        if clock is not None:
            clock.advance(each)
        left[0] -= 1
        if left[0] >= 0:
            raise StoreUnavailableError("cannot get k", reason="SlowDown", remedy="Wait.")
        return then

    return work


def test_what_works_is_not_repeated() -> None:
    clock = ManualClock()
    assert RetryPolicy().call(failing(0), clock=clock, sleep=clock.sleep) == "done"
    assert clock.slept == []


def test_what_may_pass_is_tried_again_until_it_works() -> None:
    clock = ManualClock()
    assert RetryPolicy(attempts=4).call(failing(3), clock=clock, sleep=clock.sleep) == "done"
    assert len(clock.slept) == 3


def test_after_the_last_try_the_last_error_is_raised_with_the_count() -> None:
    clock = ManualClock()
    policy = RetryPolicy(attempts=3, first_delay=0, max_delay=0)
    with pytest.raises(StoreUnavailableError) as caught:
        policy.call(failing(9, clock=clock, each=1.5), clock=clock, sleep=clock.sleep)
    assert caught.value.message == "cannot get k; gave up after 3 tries in 4.5 s"
    assert (caught.value.reason, caught.value.remedy) == ("SlowDown", "Wait.")
    assert isinstance(caught.value.__cause__, StoreUnavailableError)


@pytest.mark.parametrize("error", [StoreDeniedError("no"), ValueError("bug"), KeyboardInterrupt()])
def test_everything_else_is_raised_at_once_as_it_is(error: BaseException) -> None:
    calls = []

    def work() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        RetryPolicy().call(work)
    assert caught.value is error
    assert calls == [1]


def test_no_try_starts_after_the_deadline() -> None:
    clock = ManualClock()
    starts: list[float] = []
    begin = clock.monotonic()

    def work() -> None:
        starts.append(clock.monotonic() - begin)
        clock.advance(3)
        raise StoreUnavailableError("no")

    with pytest.raises(StoreUnavailableError, match="gave up after"):
        RetryPolicy(attempts=1000, deadline=20).call(work, clock=clock, sleep=clock.sleep)
    assert len(starts) > 2
    assert max(starts) <= 20


@given(st.integers(2, 12), st.floats(0.01, 2), st.floats(0.01, 30))
def test_pauses_are_jittered_below_a_doubling_ceiling(attempts: int, first: float, longest: float) -> None:
    clock = ManualClock()
    policy = RetryPolicy(attempts=attempts, deadline=10_000, first_delay=first, max_delay=longest)
    with pytest.raises(StoreUnavailableError):
        policy.call(failing(99), clock=clock, sleep=clock.sleep)
    assert len(clock.slept) == attempts - 1
    for number, pause in enumerate(clock.slept):
        assert 0 <= pause <= min(longest, first * 2**number) + 1e-9


def test_pauses_differ_from_process_to_process() -> None:
    pauses = set()
    for _ in range(5):
        clock = ManualClock()
        assert RetryPolicy().call(failing(3), clock=clock, sleep=clock.sleep) == "done"
        pauses.add(tuple(clock.slept))
    assert len(pauses) == 5


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"deadline": -1}, {"first_delay": -0.1}, {"max_delay": -1}])
def test_a_policy_that_makes_no_sense_is_refused_at_construction(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]
