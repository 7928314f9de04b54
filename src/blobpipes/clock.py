"""Where time comes from. Nothing else in blobpipes reads a clock; a linter rule keeps it so.

Shells take a `Clock`, pure modules take `now: float`. `monotonic` is for waiting and never compared
between machines; `wall` is for showing people when something happened and decides nothing.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: one to wait by, one to show."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""

    def wall(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z, as this machine believes."""


class SystemClock:
    """The operating system's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


SYSTEM_CLOCK = SystemClock()
