"""What has come in a session so far, and waiting for more of it.

Message readers fill it from their threads, the caller's thread takes from it. One lock guards all; no
caller's code ever runs under it. It knows nothing of stores, files or the protocol's bytes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from blobpipes.chunklog.reader_types import LogEnd
from blobpipes.orchestration.problems import ProblemLog, SessionProblem
from blobpipes.orchestration.results import MaterializeResult, PipesExecutionResult
from blobpipes.storage.metered import Meter
from blobpipes.storage.usage import Usage
from blobpipes.wire.exceptions import PipesException


class Added(Enum):
    """What became of a result."""

    NEW = "new"
    REPLACED = "replaced"  # a restarted job said it again, and nobody had taken the first one
    DROPPED = "dropped"  # a restarted job said it again, too late


@dataclass(slots=True)
class WriterState:
    """One of the external processes that write to the session, or one after another in its place."""

    opened: int = 0  # processes that opened; more than 1 after a restart
    closed: bool = False  # the newest of them has closed
    exception: PipesException | None = None  # what it closed with

    def is_final(self, may_restart: bool) -> bool:
        """Closed, and nothing more is to be expected."""
        return self.closed and not (may_restart and self.exception is not None)


@dataclass(slots=True)
class _Entry:
    result: PipesExecutionResult
    opened: int  # which process of its writer said it, from 1


class Inbox:
    """Results, custom messages and problems in order of arrival. All methods may be called from any thread."""

    def __init__(self, expected_writers: int = 1) -> None:
        self.expected_writers = expected_writers
        self.writers: dict[int, WriterState] = {}
        self.counts: Counter[str] = Counter()  # messages by method
        self.problems = ProblemLog()
        self.failed_results = 0  # results that came but could not be handled
        self.message_bytes = 0  # of the lines that came, newlines not counted
        self.ends: dict[int, LogEnd] = {}  # by writer, where a chunk log was read
        self.price_key: str | None = None  # under which a table of prices knows the store; None: no store is asked
        self._meters: list[Meter] = []
        self.may_restart = False  # a process that closed with an exception may be followed by another
        self.launched: dict[str, Any] = {}  # what the launcher told of the process
        self._entries: list[_Entry] = []
        self._newest: dict[tuple[int, str, str | None], int] = {}  # writer and subject to position
        self._handed_out = 0  # so many results somebody has taken
        self._custom: list[Any] = []
        self._readings = 0  # logs or files being read
        self._readings_seen = 0
        self._gone = False
        self._on_gone: list[Callable[[], None]] = []
        self._clean_ups: list[Callable[[], None]] = []
        self._ended = False
        self._changed = threading.Condition()

    # --- filled by the handler ------------------------------------------------------------------------

    def expect(self, writers: int) -> None:
        """So many processes are known to write."""
        with self._changed:
            self.expected_writers = max(self.expected_writers, writers)

    def count(self, method: str) -> None:
        """One more message of this method has come."""
        with self._changed:
            self.counts[method] += 1

    def count_bytes(self, number: int) -> None:
        """One more line of so many bytes has come."""
        with self._changed:
            self.message_bytes += number

    def opened(self, writer: int) -> int:
        """A process of `writer` has opened: the how manyth, from 1."""
        with self._changed:
            state = self._writer(writer)
            state.opened, state.closed, state.exception = state.opened + 1, False, None
            return state.opened

    def closed(self, writer: int, exception: PipesException | None) -> None:
        """The process of `writer` has closed, with the exception that ended it if there was one."""
        with self._changed:
            state = self._writer(writer)
            state.closed, state.exception = True, exception
            self._changed.notify_all()

    def add_result(self, result: PipesExecutionResult, writer: int) -> Added:
        """Keep a result; one that a restarted job repeats takes the first one's place, if that is still free."""
        with self._changed:
            entry = _Entry(result, self._writer(writer).opened)
            subject = (writer, *_subject(result))
            position = self._newest.get(subject)
            if position is None or self._entries[position].opened == entry.opened:
                self._newest[subject] = len(self._entries)
                self._entries.append(entry)
                self._changed.notify_all()
                return Added.NEW
            if position < self._handed_out:
                return Added.DROPPED
            self._entries[position] = entry
            return Added.REPLACED

    def add_custom(self, payload: Any) -> None:
        """Keep the payload of a custom message."""
        with self._changed:
            self._custom.append(payload)

    def add_problem(self, problem: SessionProblem) -> bool:
        """Count a problem; True if it is among the first, which are kept."""
        with self._changed:
            return self.problems.add(problem)

    def result_failed(self) -> None:
        """A result came and could not be handled."""
        with self._changed:
            self.failed_results += 1

    # --- the life of the session ----------------------------------------------------------------------

    def reading_started(self, process_gone: Callable[[], None]) -> None:
        """A reader begins to read; `process_gone` asks it to read to the end and finish."""
        with self._changed:
            self._readings += 1
            self._readings_seen += 1
            self._on_gone.append(process_gone)
            gone = self._gone
        if gone:
            process_gone()

    def log_ended(self, writer: int, end: LogEnd) -> None:
        """How a chunk log ended."""
        with self._changed:
            self.ends[writer] = end

    def metered_by(self, meter: Meter) -> None:
        """A meter counts what this side asks of a store."""
        with self._changed:
            self._meters.append(meter)

    @property
    def usage(self) -> Usage:
        """What this side has asked of its stores so far."""
        with self._changed:
            return sum((meter.snapshot() for meter in self._meters), Usage())

    def reading_ended(self) -> None:
        """A reader has read to the end, or given up."""
        with self._changed:
            self._readings -= 1
            self._changed.notify_all()

    def process_gone(self) -> None:
        """The external process has ended: whoever reads shall read to the end. Idempotent."""
        with self._changed:
            callbacks = [] if self._gone else list(self._on_gone)
            self._gone = True
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    def after_success(self, clean_up: Callable[[], None]) -> None:
        """Call this once the session has ended well, and not if it has not."""
        with self._changed:
            self._clean_ups.append(clean_up)

    def clean_up(self) -> None:
        """The session has ended well. Raises what a clean-up raises. Idempotent."""
        with self._changed:
            clean_ups, self._clean_ups = self._clean_ups, []
        for clean_up in clean_ups:
            clean_up()

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # --- read by the session --------------------------------------------------------------------------

    @property
    def any_opened(self) -> bool:
        """At least one process has opened."""
        with self._changed:
            return any(state.opened for state in self.writers.values())

    @property
    def all_closed(self) -> bool:
        """As many writers as expected have closed."""
        with self._changed:
            return self._all_closed()

    def is_closed(self, writer: int) -> bool:
        """This writer's newest process has closed."""
        with self._changed:
            return writer in self.writers and self.writers[writer].closed

    def results_after(self, position: int) -> tuple[PipesExecutionResult, ...]:
        """The results from `position` (from 0) on. All of them count as taken from now on."""
        with self._changed:
            self._handed_out = len(self._entries)
            return tuple(entry.result for entry in self._entries[position:])

    def custom_messages(self) -> Sequence[Any]:
        """All custom payloads so far."""
        with self._changed:
            return tuple(self._custom)

    def has_more(self, position: int) -> bool:
        """There are more than `position` results."""
        with self._changed:
            return len(self._entries) > position

    def is_finished(self) -> bool:
        """Nothing more is to be expected: all closed, all logs at their end, or the session ended."""
        with self._changed:
            all_read = self._readings == 0 and (self._readings_seen >= self.expected_writers or self._gone)
            final = sum(state.is_final(self.may_restart) for state in self.writers.values())
            return self._ended or final >= self.expected_writers or all_read

    def wait(self, until: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `until()` holds or `timeout` seconds have passed; whether it holds."""
        with self._changed:
            return self._changed.wait_for(until, timeout)

    def notify(self) -> None:
        """Wake who waits: something that this inbox does not hold has changed."""
        with self._changed:
            self._changed.notify_all()

    # --- under the lock -------------------------------------------------------------------------------

    def _writer(self, writer: int) -> WriterState:
        return self.writers.setdefault(writer, WriterState())

    def _all_closed(self) -> bool:
        return sum(state.closed for state in self.writers.values()) >= self.expected_writers


def _subject(result: PipesExecutionResult) -> tuple[str, str | None]:
    """What a result is about: an asset, or one check of an asset."""
    return result.asset_key, None if isinstance(result, MaterializeResult) else result.check_name
