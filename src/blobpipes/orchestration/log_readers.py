"""Readers of a job's own logs (its stdout and stderr, kept somewhere by the platform), beside its messages."""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from threading import Event
from typing import IO, Final

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.orchestration.poller import shared_poller
from blobpipes.wire.params import PipesParams

READABLE_PAUSE: Final = 1.0  # seconds between two looks whether a log is there yet
LATE_LOG: Final = 60.0  # seconds that a log may take to appear after the end of the job; platforms are slow


class PipesLogReader(ABC):
    """Copies one log. A message reader makes a copy of this object for each session and starts that one."""

    @abstractmethod
    def start(self, params: PipesParams, is_session_closed: Event) -> None:
        """Begin to copy, without blocking. Called once the target is readable."""

    @abstractmethod
    def stop(self) -> None:
        """The session has ended: block until the rest is copied."""

    @abstractmethod
    def is_running(self) -> bool:
        """Started, and not yet at the end."""

    @abstractmethod
    def target_is_readable(self, params: PipesParams) -> bool:
        """Whether the log is there."""

    @property
    def name(self) -> str:
        """What problems call this reader."""
        return type(self).__name__

    @property
    def debug_info(self) -> str | None:
        """What helps to find out why it fails."""
        return None

    def with_debug_info(self, message: str) -> str:
        """The message with the debug info, if there is some."""
        return f"{message}\nDebug info: {self.debug_info}" if self.debug_info else message


class PipesChunkedLogReader(PipesLogReader):
    """Base for logs that are fetched piece by piece: write `download_log_chunk` and `target_is_readable`.

    Args:
        interval: seconds between two fetches.
        target_stream: where the text goes, typically sys.stdout or sys.stderr.
        debug_info: what helps to find out why it fails.
        grace: seconds after the end of the job for which nothing new must have come.
    """

    def __init__(
        self, *, interval: float = 10.0, target_stream: IO[str], debug_info: str | None = None, grace: float = 10.0
    ) -> None:
        self.interval = interval
        self.target_stream = target_stream
        self.grace = grace
        self._debug_info = debug_info
        self._pump: _Pump | None = None

    @abstractmethod
    def download_log_chunk(self, params: PipesParams) -> str | None:
        """The text that came since the last call; None or nothing if none did."""

    @property
    def debug_info(self) -> str | None:
        """As given."""
        return self._debug_info

    def start(self, params: PipesParams, is_session_closed: Event) -> None:
        """Let the poller fetch."""
        self._pump = _Pump(self, params, is_session_closed)
        shared_poller().wake(self._pump)

    def stop(self) -> None:
        """Fetch what is left, and wait for it."""
        if self._pump is not None:
            shared_poller().wake(self._pump)
            self._pump.ended.wait()

    def is_running(self) -> bool:
        """Started, and not yet at the end."""
        return self._pump is not None and not self._pump.ended.is_set()


class _Pump:
    """Fetches and writes, step by step, until nothing has come for the grace after the end."""

    def __init__(
        self, reader: PipesChunkedLogReader, params: PipesParams, is_session_closed: Event, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.ended = threading.Event()
        self.failure: Exception | None = None  # the last one
        self._reader = reader
        self._params = params
        self._closed = is_session_closed
        self._clock = clock
        self._quiet_since: float | None = None

    def step(self) -> float | None:
        if self.ended.is_set():
            return None
        closed = self._closed.is_set()
        text = self._fetch()
        now = self._clock.monotonic()
        if text:
            self._quiet_since = None
            return now
        if not closed:
            return now + self._reader.interval
        self._quiet_since = now if self._quiet_since is None else self._quiet_since
        left = self._quiet_since + self._reader.grace - now
        if left <= 0:
            self.ended.set()
            return None
        return now + min(left, self._reader.interval, READABLE_PAUSE)

    def _fetch(self) -> str | None:
        try:
            text = self._reader.download_log_chunk(self._params)
            if text:
                self._reader.target_stream.write(text)
        except Exception as error:  # noqa: BLE001 - kept for the session's report; the next look may succeed
            self.failure = error
            return None
        return text


class LogReading:
    """The log readers of one session: starts each once its log is there, and ends them all.

    A task of the poller. `add` may be called at any time from any thread.
    """

    def __init__(
        self,
        readers: Sequence[PipesLogReader],
        params: Callable[[], PipesParams],
        report: Callable[[str, str], None],
        *,
        late: float = LATE_LOG,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._params = params
        self._report = report
        self._late = late
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[PipesLogReader] = []
        self._started: list[PipesLogReader] = []
        self._closed = Event()
        self._closed_at: float | None = None
        self._all_started = Event()
        for reader in readers:
            self.add(reader)

    def add(self, reader: PipesLogReader) -> None:
        """One more log for this session."""
        with self._lock:
            self._waiting.append(copy.copy(reader))
        shared_poller().wake(self)

    def finish(self) -> None:
        """The job has ended: copy what is left of every log."""
        self._closed_at = self._clock.monotonic()
        self._closed.set()
        with self._lock:
            if not self._waiting and not self._started:
                return
        shared_poller().wake(self)
        for reader in self._started:  # all begin to finish before any is waited for
            if isinstance(reader, PipesChunkedLogReader) and reader._pump is not None:
                shared_poller().wake(reader._pump)
        self._all_started.wait()
        for reader in self._started:
            if reader.is_running():
                reader.stop()
            self._report_failure(reader)

    def _report_failure(self, reader: PipesLogReader) -> None:
        failure = reader._pump.failure if isinstance(reader, PipesChunkedLogReader) and reader._pump else None
        if failure is not None:
            self._report("log", reader.with_debug_info(f"{reader.name}: {type(failure).__name__}: {failure}"))

    def step(self) -> float | None:
        """Start what can be started. For the poller."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        left = [reader for reader in waiting if not self._is_started(reader)]
        with self._lock:
            self._waiting += left
            none_left = not self._waiting
        now = self._clock.monotonic()
        if none_left:
            if self._closed.is_set():
                self._all_started.set()
            return None
        if self._closed_at is not None and now >= self._closed_at + self._late:
            for reader in left:
                text = f"{reader.name}: the log was still not there {self._late:g} s after the end"
                self._report("log", reader.with_debug_info(text))
            self._all_started.set()
            return None
        return now + READABLE_PAUSE

    def _is_started(self, reader: PipesLogReader) -> bool:
        try:
            if not reader.target_is_readable(self._params()):
                return False
            reader.start(self._params(), self._closed)
        except Exception as error:  # noqa: BLE001 - the caller's code; the next look may succeed
            self._report("log", reader.with_debug_info(f"{reader.name}: {type(error).__name__}: {error}"))
            return False
        self._started.append(reader)
        return True
