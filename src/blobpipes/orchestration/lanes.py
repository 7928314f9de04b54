"""Several processes in one session: one log each, read side by side.

The number of lanes is announced, or they are found by listing. Each lane has an end of its own, proved like that
of a single log; the session has ended when all of them have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final, Literal, TypeAlias

from blobpipes.chunklog.layout import LANES, chunk_key, lane_names
from blobpipes.chunklog.reader import Scheduler
from blobpipes.clock import Clock
from blobpipes.errors import InvalidOptionError, StoreError
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.storage.store import Store

Lanes: TypeAlias = "int | Literal['auto'] | None"
ReadLane: TypeAlias = "Callable[[str, int], AbstractContextManager[None]]"  # the lane's name, and its writer number

MOST_LANES: Final = 10_000


def checked_lanes(lanes: int | str | None) -> Lanes:
    """`lanes` as the user gave it.

    Raises:
        InvalidOptionError: neither a sensible number nor "auto".
    """
    if lanes is None or lanes == "auto":
        return "auto" if lanes == "auto" else None
    number = int(lanes) if isinstance(lanes, int) or lanes.isdigit() else 0
    if isinstance(lanes, bool) or not 1 <= number <= MOST_LANES:
        raise InvalidOptionError(f"lanes={lanes!r}", remedy=f"Give a number from 1 to {MOST_LANES}, or 'auto'.")
    return number


@contextmanager
def reading_fixed(count: int, handler: PipesMessageHandler, read_lane: ReadLane) -> Iterator[None]:
    """Read lanes 0 to `count - 1`. All are told of the end before any is waited for."""
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(read_lane(str(number), number))
        try:
            yield
        finally:
            handler.inbox.process_gone()


@contextmanager
def reading_found(
    store: Store, handler: PipesMessageHandler, read_lane: ReadLane, *, scheduler: Scheduler, clock: Clock, pause: float
) -> Iterator[None]:
    """Read whatever lanes turn up; look for new ones every `pause` seconds, and once more at the end."""
    with ExitStack() as stack:

        def begin(name: str, number: int) -> None:
            stack.enter_context(read_lane(name, number))

        search = _Search(store, handler, begin, clock, pause)
        scheduler.wake(search)
        try:
            yield
        finally:
            handler.inbox.process_gone()
            search.finish()


class _Search:
    """Looks for lanes that have begun. A task of the poller."""

    def __init__(
        self,
        store: Store,
        handler: PipesMessageHandler,
        begin: Callable[[str, int], None],
        clock: Clock,
        pause: float,
    ) -> None:
        self._store = store
        self._handler = handler
        self._begin = begin
        self._clock = clock
        self._pause = pause
        self._known: list[str] = []
        self._lock = threading.Lock()
        self._finished = False

    def step(self) -> float | None:
        with self._lock:
            if self._finished:
                return None
            try:
                self._look()
            except StoreError as error:  # the next look may succeed; the last one, in `finish`, must
                self._handler.report_problem("store", f"lanes cannot be listed: {error.message}")
            return self._clock.monotonic() + self._pause

    def finish(self) -> None:
        """The last look: no process is left that could begin another lane.

        Raises:
            StoreError: the store cannot be listed, so lanes may exist that were never read.
        """
        with self._lock:
            self._finished = True
            self._look()
            if not self._known:
                self._add("0")  # nobody came: its end is proved where a single process would have written

    def _look(self) -> None:
        keys = [info.key for info in self._store.list(LANES)]
        if "0" not in self._known and self._store.get(chunk_key(1)) is not None:
            keys.append(chunk_key(1))
        for name in sorted(lane_names(keys) - set(self._known), key=lambda name: (len(name), name)):
            self._add(name)

    def _add(self, name: str) -> None:
        number = len(self._known)
        self._known.append(name)
        self._handler.inbox.expect(number + 1)
        self._begin(name, number)
