"""What belongs to one session of one message reader: a task of the poller that reads until the end.

The poller steps it; this is how the session's thread begins it, tells it that the process is gone, and
waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from blobpipes.chunklog.reader import Scheduler, Stepped
from blobpipes.orchestration.inbox import Inbox


class Reading(Stepped, Protocol):
    """Reads until it has ended, one step at a time."""

    def start(self) -> None:
        """Begin to read."""

    def process_gone(self) -> None:
        """Nobody will write any more: read to the end, and end."""

    def stop(self) -> None:
        """End now. Idempotent, and nothing at all after the end."""

    def wait(self) -> object:
        """Block until the end. Raises what ended it too early."""

    @property
    def is_ended(self) -> bool:
        """No step will do anything more."""


@contextmanager
def followed(reading: Reading, inbox: Inbox) -> Iterator[None]:
    """Read while the block lasts, and then to the end."""
    inbox.reading_started(reading.process_gone)
    reading.start()
    try:
        yield
    finally:
        try:
            if not sys.is_finalizing():  # a block that nobody left, closed by the ending interpreter: no thread reads
                reading.process_gone()
                reading.wait()
        finally:
            reading.stop()  # only after an interrupt there is something left to stop


class Watched:
    """A scheduler for one task: steps it by another scheduler, and calls `on_end` once when it has ended."""

    def __init__(self, scheduler: Scheduler, *, is_ended: Callable[[], bool], on_end: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._is_ended = is_ended
        self._on_end: Callable[[], None] | None = on_end
        self._task: Stepped | None = None

    def wake(self, task: Stepped) -> None:
        """Step the task soon."""
        self._task = task
        self._scheduler.wake(self)

    def step(self) -> float | None:
        """Step the task. For the poller."""
        assert self._task is not None  # somebody has woken it, or it would not be stepped
        again = self._task.step()
        if self._is_ended() and self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end()
        return again
