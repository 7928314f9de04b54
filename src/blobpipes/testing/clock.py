"""A clock that moves when a test says so."""

from __future__ import annotations

import threading


class ManualClock:
    """A `Clock` under a test's control. Safe for threads; nobody who waits is woken by it."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._wall = wall
        self.slept: list[float] = []  # seconds of each `sleep`, in order

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        if seconds < 0:
            raise ValueError("monotonic time never goes back; use set_wall")
        with self._lock:
            self._monotonic += seconds
            self._wall += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock alone, backwards too, as machines do when they are corrected."""
        self._wall = seconds

    def sleep(self, seconds: float) -> None:
        """Take the place of a real sleep: returns at once, with the time passed and noted in `slept`."""
        self.slept.append(seconds)
        self.advance(seconds)
