"""When to look at a job again, and when to tell it more firmly to end. Pure: time is an argument."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blobpipes.clients.place import Urgency

GROWTH: Final = 1.5  # each pause between two looks is so much longer than the last


@dataclass(slots=True)
class Pace:
    """Looks often after a change, and ever less while nothing changes."""

    first: float  # seconds
    longest: float  # seconds; infinity where looking costs nothing, and waiting tells of the end by itself
    due: float = -math.inf  # when the next look is due; infinity if never, unless somebody asks
    _pause: float = 0.0

    def is_due(self, now: float) -> bool:
        """Whether to look, if somebody asks now."""
        return now >= self.due or math.isinf(self.longest)

    def looked(self, now: float, *, changed: bool) -> None:
        """A look was made."""
        self._pause = min(self.longest, self.first if changed or not self._pause else self._pause * GROWTH)
        self.due = math.inf if math.isinf(self.longest) else now + self._pause

    def hurry(self) -> None:
        """Something has happened: look at once, and then often."""
        self.due, self._pause = -math.inf, 0.0


def firmness(timeout: float, kill_timeout: float) -> Iterator[tuple[Urgency, float]]:
    """How to tell a job to end, and how many seconds to wait each time for that."""
    yield Urgency.INTERRUPT, timeout / 2
    yield Urgency.TERMINATE, timeout / 2
    yield Urgency.KILL, kill_timeout
