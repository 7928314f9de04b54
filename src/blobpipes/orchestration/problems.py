"""Faults that were isolated: kept up to a bound, counted without one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

MAX_KEPT: Final = 100  # a report stays readable and a flood of bad lines stays out of memory


@dataclass(frozen=True, slots=True)
class SessionProblem:
    """One thing that went wrong and was stepped over.

    The kinds of the chunk log's reader, and of the session itself: `malformed` (a message that breaks the
    protocol), `unwanted` (a message that came at the wrong time), `repeated` (a result that a restarted job
    reported again), `handler` (our side failed on a good message), `reader` (a message reader failed).
    """

    kind: str
    text: str  # one line, without secrets
    writer: int = 0  # which of several writers, from 0
    chunk: int | None = None

    def __str__(self) -> str:
        where = f" (chunk {self.chunk})" if self.chunk is not None else ""
        return f"{self.kind}{where}: {self.text}"


@dataclass(slots=True)
class ProblemLog:
    """The first problems and the number of all."""

    kept: list[SessionProblem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # by kind

    def add(self, problem: SessionProblem) -> bool:
        """Count it. True if it was kept, which is also the time to tell people of it."""
        self.counts[problem.kind] += 1
        if len(self.kept) >= MAX_KEPT:
            return False
        self.kept.append(problem)
        return True

    @property
    def total(self) -> int:
        """All of them, kept or not."""
        return sum(self.counts.values())
