from __future__ import annotations

import threading

from blobpipes.orchestration.poller import Poller
from blobpipes.testing import ManualClock


class Sleepy:
    """A task that wants to be stepped again in a hundred seconds, always."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.steps = 0

    def step(self) -> float | None:
        self.steps += 1
        return self._clock.monotonic() + 100


def test_however_often_a_task_was_woken_it_is_stepped_once_when_its_time_comes() -> None:
    clock = ManualClock()
    poller, task, other = Poller(clock=clock), Sleepy(clock), Sleepy(clock)
    poller._thread = threading.current_thread()  # the test keeps the time, so nothing runs by itself
    for _ in range(50):
        poller.wake(task)
        poller._step(poller._next_task())
        clock.advance(1)
    clock.advance(200)
    poller._step(poller._next_task())
    poller.wake(other)
    assert poller._next_task() is other
    assert task.steps == 51
