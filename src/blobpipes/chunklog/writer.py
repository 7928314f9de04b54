"""The shell around the writer core: owns the lock, the thread and the waiting, and decides nothing.

Messages are taken in the caller's thread and put by one uploader thread. A background failure reaches the
caller: the next `write` or `close` raises it. `close` returns when everything is stored, or raises.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blobpipes.chunklog.closing import Closing
from blobpipes.chunklog.layout import chunk_key, chunk_number
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import Spool
from blobpipes.chunklog.writer_core import Request, State, Verb, WriterCore
from blobpipes.chunklog.writer_endings import ending_error
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import (
    DagsterPipesError,
    ForkedError,
    StoreDeniedError,
    StoreError,
    StorePlaceMissingError,
    WriterError,
)
from blobpipes.storage.store import Store
from blobpipes.storage.usage import Usage

WARN_EVERY: Final = 300.0  # seconds between two warnings of the same trouble
WARN_AFTER: Final = 3  # failures in a row before the first warning
REFUSED_CLOSE: Final = 60.0  # seconds that `close` tries against a store that refuses us


@dataclass(frozen=True, slots=True)
class WriterStats:
    """Where a writer stands."""

    accepted: int  # messages
    stored: int  # messages that the store has confirmed
    chunks: int
    stream: str


class ChunkWriter:
    """Writes one process' messages to a log. All methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        *,
        options: LogOptions | None = None,
        negotiated: bool,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
        on_warning: Callable[[str], None] | None = None,
        spool: Spool | None = None,
        usage: Callable[[], Usage] | None = None,
    ) -> None:
        """`spool` keeps on local disk what memory cannot, and what an earlier process left there.

        `usage` tells what this process has asked of its stores so far; the chunks carry it.
        """
        self._store = store
        self._options = options or LogOptions()
        self._clock = clock
        self._chance = chance
        self._on_warning = on_warning or (lambda text: None)
        self._negotiated = negotiated
        self._spool = spool
        left = spool.left if spool is not None else None
        self.stream = left.stream if left is not None else secrets.token_hex(8)
        self._changed = threading.Condition()
        self._core = WriterCore(
            stream=self.stream,
            options=self._options,
            negotiated=negotiated,
            now=clock.monotonic(),
            backlog=spool,
            resume=(left.first, left.last) if left is not None else None,
            usage=usage,
        )
        self._thread = threading.Thread(target=self._run, name="blobpipes-writer", daemon=True)
        self._failure: BaseException | None = None
        self._last_error: StoreError | None = None
        self._warned_at = float("-inf")
        self._closing = False
        self._kept: Path | None = None
        self._deadline = float("inf")  # after SIGTERM: when the platform kills
        self._exiting = False
        self._pid = os.getpid()

    def open(self, line: bytes) -> None:
        """Take the `opened` message and start to put chunks. Does not wait for the store."""
        with self._changed:
            if self._spool is not None:
                self._spool.begin({"stream": self.stream, "url": self._store.url, "negotiated": self._negotiated})
            self._core.accept(line, self._clock.monotonic())
            self._thread.start()

    def resume(self, closing: Closing | None = None) -> None:
        """Start to put what an earlier process left in the spool, as that process: nothing is said of this one.

        `closing` is how the last message of the spool closes the stream, if it does.
        """
        with self._changed:
            if self._spool is not None:
                self._spool.begin({"stream": self.stream, "url": self._store.url, "negotiated": self._negotiated})
            if closing is not None:  # before the first chunk is cut, which may be the last
                self._core.accepted_close(self._clock.monotonic(), failed=closing == "failed")
            self._core.flush(self._clock.monotonic())
            self._thread.start()

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        """Take one message: JSON in UTF-8, without newline.

        Returns at once; waits only while more than `max_buffer` bytes wait for an unreachable store.

        Raises:
            FencedError: another process or the reader has ended this log for us.
            LogSealedError: the log had ended before this process began.
            UndeliveredError: while the interpreter ends, the store did not take it within `close_timeout`.
            MessageTooLargeError: this message alone; nothing was taken.
        """
        self._check_process()
        with self._changed:
            if not self._core.has_room(len(line)):
                self._changed.wait_for(lambda: self._core.has_room(len(line)) or self._core.is_over)
            if self._core.is_over:
                self._raise_failure()
            if self._closing:
                raise DagsterPipesError("a message came after `closed`", remedy="Report before the context is closed.")
            if self._core.accept(line, self._clock.monotonic(), urgent=urgent):
                self._changed.notify_all()
        if self._exiting:
            self._put_before_exit()

    def flush(self, timeout: float | None = None) -> bool:
        """Put what was accepted so far at once. True when the store has it, False after `timeout` seconds."""
        self._check_process()
        with self._changed:
            wanted = self._core.accepted
            self._core.flush(self._clock.monotonic())
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._core.stored >= wanted or self._core.is_over, timeout)
            self._raise_failure()
            return self._core.stored >= wanted

    def close(self, line: bytes, *, failed: bool = False) -> None:
        """Take the `closed` message, put everything, and return when the store has confirmed it.

        Returning normally means that every accepted message has been or will be delivered.

        Raises:
            UndeliveredError: the store could not be reached within `close_timeout`; says how many are lost.
            FencedError, LogSealedError: as `write`.
        """
        if os.getpid() != self._pid:
            return  # a forked child leaves the parent's `with` block: the log is the parent's to close
        with self._changed:
            if self._closing:
                return
            self._closing = True
            if not self._core.is_over:
                self._core.close(line, self._clock.monotonic(), failed=failed)
                self._changed.notify_all()
                self._wait_for_end()
            if self._spool is not None and self._core.state is State.CLOSED:
                self._spool.remove()
            self._raise_failure()

    def finish(self, closing: Closing | None) -> None:
        """Put everything and end, as `close` does, without a message of this process' own. After `resume`.

        `closing` is how the last message that was accepted closes the stream. Without one the stream stays open
        as its process left it, and whoever reads the log decides about its end.
        """
        with self._changed:
            if self._closing:
                return
            self._closing = True
            now = self._clock.monotonic()
            if closing is not None:
                self._core.accepted_close(now, failed=closing == "failed")
            self._core.flush(now)
            self._changed.notify_all()
            self._wait_for_end(until_stored=closing is None)
            # The log may have ended with all of it inside. Fenced, or out of time for the last look at the log, is
            # another matter: it may have been cleaned up.
            unknown = self._core.state in (State.FENCED, State.ABANDONED)
            is_done = self._core.undelivered == 0 and not unknown
            if closing is None and not self._core.is_over:
                self._core.abandon("all that was left is stored")
                self._changed.notify_all()
            if self._spool is not None and is_done:
                self._spool.remove()
            elif self._spool is not None and self._kept is None:
                self._kept = self._spool.keep(self._core.undelivered_in_memory())
            if not is_done:
                self._raise_failure()

    def terminate(self, grace: float) -> None:
        """The platform ends this process in `grace` seconds: put everything at once. Returns at once.

        A `close` after this gives up when the grace is over.
        """
        with self._changed:
            self._deadline = min(self._deadline, self._clock.monotonic() + grace)
            self._core.terminate(self._clock.monotonic())
            self._changed.notify_all()

    def expect_exit(self) -> None:
        """The interpreter is about to end: put everything, and from here on every message as it comes.

        Raises:
            UndeliveredError: the store did not take it within `close_timeout`.
            FencedError, LogSealedError: as `write`; the program may not have heard of it yet.
        """
        if os.getpid() != self._pid:
            return
        self._exiting = True
        with self._changed:
            if self._closing or self._thread.ident is None:
                return  # all is said, or nothing ever was
        self._put_before_exit()

    @property
    def stats(self) -> WriterStats:
        with self._changed:
            return WriterStats(self._core.accepted, self._core.stored, self._core.chunks, self.stream)

    # --- the uploader's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (request := self._next_request()) is not None:
                answer = self._ask(request)
                with self._changed:
                    if not self._core.is_over:
                        answer(self._clock.monotonic())
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread, as the cause
            with self._changed:
                if not self._core.is_over:
                    self._failure = error
                    self._give_up(f"the uploader failed with {type(error).__name__}: {error}")

    def _next_request(self) -> Request | None:
        """Wait until there is something to ask the store. None when all is done."""
        with self._changed:
            while not self._core.is_over:
                now = self._clock.monotonic()
                request = self._core.poll(now)
                if request is not None:
                    return request
                due = self._core.due(now)
                self._changed.wait(None if due is None else max(0.0, due - now))
            return None

    def _ask(self, request: Request) -> Callable[[float], None]:
        """Do one request, without the lock; how to tell the core."""
        try:
            match request.verb:
                case Verb.PUT:
                    stored = self._store.put_if_absent(chunk_key(request.number), request.data)
                    return self._core.on_stored if stored else self._core.on_exists
                case Verb.READ:
                    data = self._store.get(chunk_key(request.number))
                    return lambda now: self._core.on_read(data, now)
                case Verb.LIST:
                    numbers = (chunk_number(info.key) for info in self._store.list(""))
                    highest = max((number for number in numbers if number is not None), default=0)
                    return lambda now: self._core.on_listed(highest, now)
        except StoreError as error:
            return self._failed(error)

    def _failed(self, error: StoreError) -> Callable[[float], None]:
        refused = isinstance(error, (StoreDeniedError, StorePlaceMissingError))

        def tell(now: float) -> None:
            self._last_error = error
            self._core.on_failed(now, refused=refused, chance=self._chance())
            self._warn(error, now, refused=refused)

        return tell

    def _warn(self, error: StoreError, now: float, *, refused: bool) -> None:
        if now - self._warned_at < WARN_EVERY or (self._core.failures < WARN_AFTER and not refused):
            return
        self._warned_at = now
        self._on_warning(
            f"messages wait ({self._core.undelivered}): {error.message}; trying again. {error.remedy}"
        )  # fmt: skip

    def _put_before_exit(self) -> None:
        if not self.flush(self._options.close_timeout):
            with self._changed:
                self._give_up("the process ended before the store took it")
                self._raise_failure()

    # --- waiting and raising, with the lock held ---------------------------------------------------

    def _wait_for_end(self, *, until_stored: bool = False) -> None:
        """Until the end is reached or all is stored, or the timeout, or the store refuses for too long."""
        begun = self._clock.monotonic()
        deadline = begun + self._options.close_timeout
        while not self._core.is_over and not (until_stored and self._core.stored >= self._core.accepted):
            now = self._clock.monotonic()
            deadline = min(deadline, self._deadline)  # SIGTERM may come while we wait
            limit = min(deadline, begun + REFUSED_CLOSE) if self._is_refused() else deadline
            if now >= limit:
                why = f" ({self._last_error.message})" if self._last_error is not None else ""
                self._give_up(f"the store did not take it within {now - begun:.0f} s{why}")
                return
            self._changed.wait(limit - now)

    def _give_up(self, reason: str) -> None:
        """Leave on disk what could not be delivered; only what the disk does not take is lost."""
        left = self._core.undelivered_in_memory()
        self._core.abandon(reason)
        self._kept = self._spool.keep(left) if self._spool is not None else None
        self._changed.notify_all()

    def _is_refused(self) -> bool:
        return self._core.failures > 0 and isinstance(self._last_error, (StoreDeniedError, StorePlaceMissingError))

    def _check_process(self) -> None:
        """A forked child has a copy of this writer, but neither its thread nor the right to its log."""
        if os.getpid() != self._pid:
            raise ForkedError(f"this process is a fork of process {self._pid}, which owns the log")

    def _raise_failure(self) -> None:
        if isinstance(self._failure, WriterError):
            raise self._failure  # a store that can tell who took the log
        if self._core.is_over and self._core.state is not State.CLOSED:
            error = ending_error(self._core, self._store.url, kept=self._kept, last_error=self._last_error)
            raise error from self._failure or self._last_error
