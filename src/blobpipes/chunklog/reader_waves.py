"""Which chunks does a reader ask for at once? One while it is close behind, up to sixteen while it catches up.

Answers come in any order; chunks are handed out in the order of their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

WINDOWS: Final = (1, 2, 4, 8, 16)  # chunks asked for at once after so many consecutive hits


@dataclass(slots=True)
class Waves:
    """Numbers asked for together, and what has come of them."""

    next: int = 1  # the number to deliver next
    has_failed: bool = False  # a request of this wave failed
    _asked: set[int] = field(default_factory=set)  # and not answered
    _arrived: dict[int, bytes] = field(default_factory=dict)
    _streak: int = 0  # consecutive waves that brought a chunk
    _hits: int = 0  # chunks handed out in this wave

    @property
    def is_under_way(self) -> bool:
        return bool(self._asked)

    @property
    def has_hits(self) -> bool:
        """This wave brought at least one chunk that was next."""
        return self._hits > 0

    @property
    def current(self) -> bytes | None:
        """The chunk that is next, if it has come."""
        return self._arrived.get(self.next)

    @property
    def lowest_arrived(self) -> int | None:
        """Of the chunks that have come and wait for an earlier one."""
        return min(self._arrived, default=None)

    def begin(self) -> list[int]:
        """The numbers to ask for now."""
        width = WINDOWS[min(self._streak, len(WINDOWS) - 1)]
        self._asked = {number for number in range(self.next, self.next + width) if number not in self._arrived}
        self._hits, self.has_failed = 0, False
        return sorted(self._asked)

    def on_answer(self, number: int, data: bytes | None) -> None:
        self._asked.discard(number)
        if data is not None and number >= self.next:
            self._arrived[number] = data

    def on_failure(self, number: int) -> None:
        self._asked.discard(number)
        self.has_failed = True

    def advance(self) -> None:
        """The chunk that was next is done with."""
        self._arrived.pop(self.next, None)
        self.next += 1
        self._hits += 1

    def put_away(self) -> None:
        """The chunk that is next is to be asked for again."""
        del self._arrived[self.next]

    def begin_again(self) -> None:
        """From chunk 1."""
        self.next = 1
        self._arrived.clear()

    def settle(self, *, caught_up: bool) -> None:
        """The wave is over."""
        self._streak = 0 if caught_up else self._streak + 1
