"""A clock for threads that know nothing of it: when all of them sleep, it jumps to the first that wakes."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any


class VirtualTime:
    """Stands in for the `time` and `datetime` modules: threads that sleep are woken in order, at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()
        self._awake = 1  # threads that do not sleep
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()

    def sleep(self, seconds: float) -> None:
        woken = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
            self._leave()
        woken.wait()

    def enter(self) -> None:
        with self._lock:
            self._awake += 1

    def end(self) -> None:
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._sleepers:
            self.now, _, woken = heapq.heappop(self._sleepers)
            self._awake += 1
            woken.set()

    def modules(self) -> dict[str, Any]:
        """What to put into an official module in place of its own names."""
        moment = SimpleNamespace(now=lambda: datetime(2026, 1, 1) + timedelta(seconds=self.now))  # noqa: DTZ001
        clock = self

        class Thread(threading.Thread):
            """A thread that takes part in the clock."""

            def start(self) -> None:
                clock.enter()
                super().start()

            def run(self) -> None:
                try:
                    super().run()
                finally:
                    self.is_over = True
                    clock.end()

            def join(self, timeout: float | None = None) -> None:
                deadline = clock.now + (math.inf if timeout is None else timeout)
                while not getattr(self, "is_over", False) and clock.now < deadline:
                    clock.sleep(0.5)

            def is_alive(self) -> bool:
                return not getattr(self, "is_over", False)

        return {
            "time": SimpleNamespace(sleep=self.sleep, time=lambda: self.now),
            "datetime": SimpleNamespace(datetime=moment),
            "Thread": Thread,
        }
