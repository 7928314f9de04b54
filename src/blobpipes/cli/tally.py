"""What has come in a session so far: counted, and the results kept for the table at the end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from blobpipes.cli.events import Event

MESSAGES: Final = ("opened", "log", "output", "materialization", "check", "custom", "closed")


class Tally:
    """Counts events. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.materializations: list[Event] = []
        self.checks: list[Event] = []
        self.last_at: float | None = None  # monotonic seconds: when the last message came
        self.last_text = ""  # of the last log message
        self.chunk = 0  # highest number of a chunk that brought a message

    def add(self, event: Event, now: float, *, chunk: int | None = None) -> None:
        """Count one message or problem that came `now`, in monotonic seconds."""
        with self._lock:
            self._counts[event.kind] += 1
            self.chunk = max(self.chunk, chunk or 0)
            if event.kind in MESSAGES:
                self.last_at = now
            if event.kind == "materialization":
                self.materializations.append(event)
            elif event.kind == "check":
                self.checks.append(event)
            elif event.kind == "log":
                self.last_text = event["message"]

    @property
    def messages(self) -> int:
        """Good messages of every kind."""
        with self._lock:
            return sum(self._counts[kind] for kind in MESSAGES)

    @property
    def problems(self) -> int:
        """Faults that were stepped over."""
        return self._counts["problem"]

    @property
    def failed_checks(self) -> int:
        """Checks that did not pass."""
        return sum(not check["passed"] for check in self.checks)

    def quiet(self, now: float) -> float | None:
        """Seconds since the last message; None before the first."""
        return None if self.last_at is None else max(0.0, now - self.last_at)

    def as_fields(self) -> Mapping[str, Any]:
        """What an `end` event says of it."""
        return {
            "messages": self.messages,
            "materializations": len(self.materializations),
            "checks": len(self.checks),
            "failed_checks": self.failed_checks,
            "problems": self.problems,
        }
