"""The base for message readers of places that are neither a file nor a store of chunks: a log service, a table.

A subclass says how to fetch what came since a cursor; when to fetch, and when that was all, is decided
here. In spite of the name, which is Dagster's, no session has a thread of its own: the one poller of the
process calls the hooks.
"""

from __future__ import annotations

import sys
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from blobpipes.chunklog.reader import Scheduler
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.log_readers import LogReading, PipesLogReader
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.poller import shared_poller
from blobpipes.orchestration.reading import Watched, followed
from blobpipes.wire.params import PipesParams

AFTER_END_PAUSE: Final = 1.0  # seconds between two looks once the process is gone, and until there is something to read
GRACE: Final = 10.0  # seconds without `closed` after the end; a log service may show the last lines late


class LogReaderHolder(PipesMessageReader):
    """A message reader that has log readers beside it."""

    def __init__(self, log_readers: Sequence[PipesLogReader] | None) -> None:
        self.log_readers: dict[str, PipesLogReader] = {}
        self._log_readings: set[LogReading] = set()
        for reader in log_readers or ():
            self.add_log_reader(reader)

    def add_log_reader(self, log_reader: PipesLogReader) -> None:
        """One more log, for every session that is open or will be opened."""
        self.log_readers[str(len(self.log_readers))] = log_reader
        for reading in tuple(self._log_readings):
            reading.add(log_reader)

    @contextmanager
    def reading_logs(self, params: PipesParams, handler: PipesMessageHandler) -> Iterator[None]:
        """Copy the logs while the block lasts, and what is left of them at its end."""

        def current() -> PipesParams:
            return {**params, **handler.inbox.launched, **(handler.opened_payload or {})}

        reading = LogReading(tuple(self.log_readers.values()), current, handler.report_problem)
        self._log_readings.add(reading)
        try:
            yield
        finally:
            self._log_readings.discard(reading)
            reading.finish()


class PipesThreadedMessageReader(LogReaderHolder):
    """Base class: write `get_params` and `download_messages`, and `messages_are_readable` if it can be false.

    Args:
        interval: seconds between two fetches.
        log_readers: logs to copy beside the messages.
    """

    def __init__(self, interval: float = 10.0, log_readers: Sequence[PipesLogReader] | None = None) -> None:
        super().__init__(log_readers)
        self.interval = interval
        self.opened_payload: Mapping[str, Any] | None = None  # of the newest session, for hooks that look here
        self.launched_payload: Mapping[str, Any] | None = None

    @abstractmethod
    def get_params(self) -> AbstractContextManager[PipesParams]:
        """A context manager: the params by which the external process finds where to write."""

    @abstractmethod
    def download_messages(self, cursor: Any, params: PipesParams) -> tuple[Any, str] | None:
        """What came since `cursor` (None at first), as lines, and the new cursor; None if nothing did."""

    def messages_are_readable(self, params: PipesParams) -> bool:
        """Whether there is something to fetch from. Asked until it is true; never after that."""
        return True

    def on_opened(self, opened_payload: Mapping[str, Any]) -> None:
        """Keep what an external process told."""
        self.opened_payload = opened_payload

    def on_launched(self, launched_payload: Mapping[str, Any]) -> None:
        """Keep what the launcher told."""
        self.launched_payload = launched_payload

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Fetch until the block ends, and then until `closed` has come or nothing more does."""
        with self.get_params() as params, self.reading_logs(params, handler):
            watched = Watched(shared_poller(), is_ended=lambda: reading.is_ended, on_end=handler.inbox.reading_ended)
            reading = HookReading(self, params, handler, watched)
            with followed(reading, handler.inbox):
                yield params


class HookReading:
    """One session of a reader with hooks. A task of the poller."""

    def __init__(
        self,
        reader: PipesThreadedMessageReader,
        params: PipesParams,
        handler: PipesMessageHandler,
        scheduler: Scheduler,
        *,
        grace: float = GRACE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._reader = reader
        self._params = params
        self._handler = handler
        self._scheduler = scheduler
        self._grace = grace
        self._clock = clock
        self._cursor: Any = None
        self._readable = False
        self._gone_at: float | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to fetch."""
        self._scheduler.wake(self)

    def process_gone(self) -> None:
        """Fetch what is left, and end."""
        if self._gone_at is None:
            self._gone_at = self._clock.monotonic()
        self._scheduler.wake(self)

    def stop(self) -> None:
        """Fetch no more."""
        self._ended.set()

    def wait(self) -> None:
        """Block until the end."""
        self._ended.wait()

    @property
    def is_ended(self) -> bool:
        """No step will do anything more."""
        return self._ended.is_set()

    def step(self) -> float | None:
        """Fetch once. For the poller."""
        if self._ended.is_set():
            return None
        came = self._fetch()
        now = self._clock.monotonic()
        if came:
            return now
        if self._is_over(now):
            self._ended.set()
            return None
        quick = self._gone_at is not None or not self._readable
        return now + (min(self._reader.interval, AFTER_END_PAUSE) if quick else self._reader.interval)

    def _fetch(self) -> bool:
        """Hand in what came; whether anything did."""
        try:
            params = {**self._params, **self._handler.inbox.launched}
            self._readable = self._readable or self._reader.messages_are_readable(params)
            found = self._reader.download_messages(self._cursor, params) if self._readable else None
            if found is None:
                return False
            self._cursor, text = found
            for line in text.split("\n"):
                self._handler.handle_line(line, among_output=True)
            return bool(text)
        except Exception:  # noqa: BLE001 - the caller's code; the next look may succeed
            self._handler.report_pipes_framework_exception(type(self._reader).__name__, sys.exc_info())
            return False

    def _is_over(self, now: float) -> bool:
        """Nothing came: was that all? After `closed` yes, else once the grace is over."""
        if self._handler.received_closed_message:
            return True
        return self._gone_at is not None and now - self._gone_at >= self._grace
