"""A place that does what a script says, on a clock that moves when somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blobpipes.clients.place import RUNNING, Cause, JobEnd, JobSpec, JobState, Place, Urgency
from blobpipes.testing import ManualClock

DONE = JobState.ended(JobEnd(Cause.EXITED, "job exited with code 0", 0))


class ScriptedPlace(Place[str]):
    """`launches` and `polls` are answers, or errors to raise, one after another; the last one is repeated."""

    name = "the script"

    def __init__(
        self,
        clock: ManualClock,
        *,
        launches: Iterable[Any] = ("job-1",),
        polls: Iterable[Any] = (DONE,),
        found: Any = None,
        dies_of: Urgency | None = Urgency.INTERRUPT,
    ) -> None:
        self.clock = clock
        self.launched: list[JobSpec] = []
        self.told: list[tuple[Urgency, float]] = []  # and when
        self.polled: list[float] = []  # when
        self.released = 0
        self.told_error: BaseException | None = None  # raised by every `terminate`
        self._launches, self._polls = answers(launches), answers(polls)
        self._found = found
        self._dies_of = dies_of
        self._is_dead = False

    def launch(self, spec: JobSpec) -> str:
        self.launched.append(spec)
        return str(given(next(self._launches)))

    def poll(self, handle: str) -> JobState:
        self.polled.append(self.clock.monotonic())
        if self._is_dead:
            return JobState.ended(JobEnd(Cause.KILLED, "job was killed", -9))
        state = given(next(self._polls))
        assert isinstance(state, JobState)
        return state

    def terminate(self, handle: str, urgency: Urgency) -> None:
        self.told.append((urgency, self.clock.monotonic()))
        if self.told_error is not None:
            raise self.told_error
        self._is_dead = urgency is self._dies_of

    def describe(self, handle: str) -> Mapping[str, Any]:
        return {"job": handle}

    def find(self, token: str) -> str | None:
        return None if self._found is None else str(given(self._found))

    def wait(self, handle: str, timeout: float | None, nudged: threading.Event) -> None:
        if not nudged.is_set():
            self.clock.advance(timeout or 0.0)

    def release(self, handle: str) -> None:
        self.released += 1


def answers(script: Iterable[Any]) -> Iterator[Any]:
    """Each, and the last one for ever."""
    last = RUNNING
    for last in script:
        yield last
    while True:
        yield last


def given(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return answer
