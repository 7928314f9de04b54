"""Says how far a session has come that is still being read after its job has ended.

Dagster's event log may take milliseconds for each message: a job that logged three hundred thousand keeps a step
busy for many minutes after its end. Whoever watches the run shall see that it goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from blobpipes.chunklog.reader import Scheduler
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.poller import shared_poller

PAUSE: Final = 15.0  # seconds between two lines; the first comes after one pause, so quick ends stay quiet


class DrainProgress:
    """A task of the poller, from the end of the job to the end of its log."""

    def __init__(
        self,
        handler: PipesMessageHandler,
        *,
        pause: float = PAUSE,
        scheduler: Scheduler | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._handler = handler
        self._pause = pause
        self._scheduler = scheduler or shared_poller()
        self._clock = clock
        self._since: float | None = None
        self._seen = 0  # messages, as of the last line
        self._stopped = threading.Event()

    def start(self) -> None:
        """The job has ended."""
        self._since = self._clock.monotonic()
        self._seen = self._messages()
        self._scheduler.wake(self)

    def stop(self) -> None:
        """Everything was read."""
        self._stopped.set()

    def step(self) -> float | None:
        """Say how far it is, if it is time. For the poller."""
        if self._stopped.is_set() or self._since is None:
            return None
        now = self._clock.monotonic()
        if now - self._since >= self._pause:
            messages = self._messages()
            rate = (messages - self._seen) / (now - self._since)
            self._handler.say(
                logging.INFO,
                f"the external process has ended; reading on: {messages:,} messages so far, {rate:,.0f} per second",
            )
            self._since, self._seen = self._clock.monotonic(), self._messages()
        return self._since + self._pause

    def _messages(self) -> int:
        return sum(self._handler.inbox.counts.values())


@contextmanager
def drain_progress(handler: PipesMessageHandler) -> Iterator[DrainProgress]:
    """Stopped at the end of the block; `start` it when the job has ended."""
    progress = DrainProgress(handler, pause=PAUSE)
    try:
        yield progress
    finally:
        progress.stop()
