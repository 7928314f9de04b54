"""One poller for all sessions of a process: a thread that keeps the time, and a few that do the work.

Tasks are stepped when their time comes or when somebody wakes them, never twice at once. The number of
threads does not grow with the number of sessions.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from blobpipes.chunklog.reader import Stepped
from blobpipes.clock import SYSTEM_CLOCK, Clock

WORKERS: Final = 8  # steps are short; a slow handler keeps one of them busy


class Poller:
    """Steps tasks. Threads start with the first task and are daemons: they never keep a program alive."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, workers: int = WORKERS) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._timers: list[tuple[float, int, Stepped]] = []
        self._order = itertools.count()
        self._planned: dict[Stepped, float] = {}  # the one moment at which each waiting task is stepped next
        self._running: set[Stepped] = set()
        self._woken: set[Stepped] = set()
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="blobpipes-reader")
        self._thread: threading.Thread | None = None

    def wake(self, task: Stepped) -> None:
        """Step `task` soon; after the step that is under way, if there is one."""
        self._at(self._clock.monotonic(), task)

    def _at(self, moment: float, task: Stepped) -> None:
        with self._changed:
            if self._planned.get(task, math.inf) <= moment:
                return  # it is stepped before that, and plans anew then
            self._planned[task] = moment
            heapq.heappush(self._timers, (moment, next(self._order), task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_time, name="blobpipes-poller", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _keep_time(self) -> None:
        while True:
            task = self._next_task()
            try:
                self._workers.submit(self._step, task)
            except RuntimeError:  # the main thread has ended, and executors with it; sessions of other threads go on
                self._step(task)

    def _next_task(self) -> Stepped:
        """Wait until a task is due that is not being stepped."""
        with self._changed:
            while True:
                now = self._clock.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    moment, _, task = heapq.heappop(self._timers)
                    if self._planned.get(task) != moment:
                        continue  # an earlier moment has taken its place
                    del self._planned[task]
                    if task not in self._running:
                        self._running.add(task)
                        return task
                    self._woken.add(task)
                self._changed.wait(self._timers[0][0] - now if self._timers else None)

    def _step(self, task: Stepped) -> None:
        again: float | None = None
        try:
            again = task.step()
        finally:
            with self._changed:
                self._running.discard(task)
                woken = task in self._woken
                self._woken.discard(task)
        if woken:
            self.wake(task)
        elif again is not None:
            self._at(again, task)


_shared: Poller | None = None
_shared_pid = 0
_shared_lock = threading.Lock()


def shared_poller() -> Poller:
    """The poller of this process, made on first use. A forked child gets one of its own."""
    global _shared, _shared_pid
    with _shared_lock:
        if _shared is None or _shared_pid != os.getpid():
            _shared, _shared_pid = Poller(), os.getpid()
        return _shared
