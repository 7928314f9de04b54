"""The shell around the reader core: performs its actions on a store and waits for nothing.

A `LogReader` owns no thread. Its scheduler (one per process) steps it when a look is due or an answer has
come, from one thread at a time. Gets go out by `start_get`, so reading a thousand sessions costs no thread
each; sealing and listing are rare and are done in the step.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Protocol

from blobpipes.chunklog.layout import chunk_key, chunk_number
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import (
    Deliver,
    Delivered,
    Finish,
    Get,
    Listed,
    LogEnd,
    Problem,
    ReaderAction,
    ReaderSettings,
    Report,
    Seal,
)
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import StoreDeniedError, StoreError, StorePlaceMissingError
from blobpipes.storage.store import Store

_log = logging.getLogger(__name__)


class Stepped(Protocol):
    """What a scheduler drives."""

    def step(self) -> float | None:
        """Do what is due; when to step again (monotonic), or None: not before `wake`."""


class Scheduler(Protocol):
    """Steps each task when its time comes, never twice at once."""

    def wake(self, task: Stepped) -> None:
        """Step `task` soon. Never blocks; callable from any thread."""


class LogReader:
    """Reads one log to its end. Every callback comes from one thread at a time, in log order."""

    def __init__(
        self,
        store: Store,
        *,
        scheduler: Scheduler,
        deliver: Callable[[Sequence[Delivered]], None],
        report: Callable[[Problem], None],
        settings: ReaderSettings | None = None,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._deliver = deliver
        self._report = report
        self._clock = clock
        self._chance = chance
        self._core = ReaderCore(settings or ReaderSettings(), clock.monotonic())
        self._inbox: SimpleQueue[Callable[[float], list[ReaderAction]]] = SimpleQueue()
        self._ended = threading.Event()
        self._end: LogEnd | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Begin to read."""
        self._scheduler.wake(self)

    def process_gone(self) -> None:
        """The process has ended and no other will come: read to the end and prove it."""

        def gone(now: float) -> list[ReaderAction]:
            self._core.process_gone(now)
            return []

        self._tell(gone)

    def stop(self) -> None:
        """Read no further. Nothing is sealed; the log stays as it is."""
        self._ended.set()

    def wait(self, timeout: float | None = None) -> LogEnd | None:
        """Block until the log has ended: how. None if that takes longer than `timeout` seconds.

        Raises:
            BaseException: what a callback raised, which ended the reading.
        """
        self._ended.wait(timeout)
        if self._failure is not None:
            raise self._failure
        return self._end

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    def step(self) -> float | None:
        if self._ended.is_set():
            return None
        try:
            while True:
                self._perform(self._take_answers())
                if self._ended.is_set() or self._inbox.empty():
                    return None if self._ended.is_set() else self._core.due()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._failure = error
            self._ended.set()
            return None

    def _take_answers(self) -> list[ReaderAction]:
        """Feed the core what has come; its actions, those that ask the store first.

        So the next chunks travel while the handler works on these.
        """
        now = self._clock.monotonic()
        actions: list[ReaderAction] = []
        try:
            while True:
                actions += self._inbox.get_nowait()(now)
        except Empty:
            pass
        return self._core.poll(now) + actions

    def _perform(self, actions: Sequence[ReaderAction]) -> None:
        for action in actions:
            match action:
                case Get():
                    self._store.start_get(chunk_key(action.number)).add_done_callback(self._answer(action))
                case Deliver():
                    self._deliver(action.messages)
                case Report():
                    self._report(action.problem)
                case Finish():
                    self._end = action.end
                    self._ended.set()
                case _:
                    self._ask(action)

    def _ask(self, action: ReaderAction) -> None:
        """A seal or a listing: rare, so it is done here and now."""
        try:
            if isinstance(action, Seal):
                stored = self._store.put_if_absent(chunk_key(action.number), action.data)
                self._inbox.put(lambda now: self._core.on_sealed(stored, now))
            else:
                found = self._list()
                self._inbox.put(lambda now: self._core.on_listed(found, now))
        except StoreError as error:
            self._inbox.put(self._failed(action, error))

    def _list(self) -> list[Listed]:
        infos = self._store.list("")
        return [Listed(number, info) for info in infos if (number := chunk_number(info.key)) is not None]

    def _answer(self, action: Get) -> Callable[[Future[bytes | None]], None]:
        def answered(future: Future[bytes | None]) -> None:
            error = future.exception()
            if error is None:
                data = future.result()
                self._tell(lambda now: self._core.on_object(action.number, data, now))
            elif isinstance(error, StoreError):
                self._tell(self._failed(action, error))
            else:
                self._tell(_raising(error))

        return answered

    def _failed(self, action: ReaderAction, error: StoreError) -> Callable[[float], list[ReaderAction]]:
        refused = isinstance(error, (StoreDeniedError, StorePlaceMissingError))
        return lambda now: self._core.on_failed(action, now, refused=refused, chance=self._chance(), text=error.message)

    def _tell(self, event: Callable[[float], list[ReaderAction]]) -> None:
        self._inbox.put(event)
        self._scheduler.wake(self)


def _raising(error: BaseException) -> Callable[[float], list[ReaderAction]]:
    def fail(now: float) -> list[ReaderAction]:
        raise error

    return fail
