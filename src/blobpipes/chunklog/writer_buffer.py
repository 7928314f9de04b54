"""What the writer has accepted and the store does not hold yet, and how it is cut into chunks.

Messages get their sequence number when they are accepted and leave when a chunk that holds them is
acknowledged. A frozen chunk never changes: a failed put is repeated with the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.pacing import Waiting, full_size


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive messages that one chunk holds."""

    first: int  # sequence number of the first, from 1
    lines: Sequence[bytes]

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


class _Accepted(NamedTuple):
    line: bytes
    at: float
    urgent: bool


@dataclass(slots=True)
class WriterBuffer:
    """Accepted messages in order. `taken` are in a frozen chunk, the rest waits."""

    accepted: int = 0  # sequence number of the newest message
    _waiting: deque[_Accepted] = field(default_factory=deque)
    _waiting_size: int = 0
    _urgent_since: float | None = None

    def add(self, line: bytes, now: float, *, urgent: bool) -> bool:
        """Take one message. True if it is the first that waits, or the first urgent one."""
        first = not self._waiting
        self.accepted += 1
        self._waiting.append(_Accepted(line, now, urgent))
        self._waiting_size += len(line) + 1
        if urgent and self._urgent_since is None:
            self._urgent_since = now
            return True
        return first

    def is_full(self, options: LogOptions) -> bool:
        """Enough waits for a chunk of its own, whatever the interval says."""
        return self._waiting_size >= full_size(options) or len(self._waiting) >= options.max_messages

    @property
    def size(self) -> int:
        """Bytes that wait, newlines included."""
        return self._waiting_size

    @property
    def waiting(self) -> Waiting | None:
        """What waits, for the pacing; None when nothing does."""
        if not self._waiting:
            return None
        return Waiting(len(self._waiting), self._waiting_size, self._waiting[0].at, self._urgent_since)

    def take(self, max_bytes: int, max_messages: int) -> Batch:
        """Remove the oldest messages: as many as fit, and at least one."""
        first = self.accepted - len(self._waiting) + 1
        lines: list[bytes] = []
        size = 0
        while self._waiting and len(lines) < max_messages:
            size += len(self._waiting[0].line) + 1
            if lines and size > max_bytes:
                break
            lines.append(self._waiting.popleft().line)
        self._waiting_size -= sum(map(len, lines)) + len(lines)
        if self._urgent_since is not None:
            self._urgent_since = next((each.at for each in self._waiting if each.urgent), None)
        return Batch(first, lines)

    def put_back(self, batch: Batch, now: float, *, delivered: int) -> None:
        """Undo `take`, leaving out what the log turned out to hold already (up to `delivered`)."""
        kept = [line for seq, line in enumerate(batch.lines, batch.first) if seq > delivered]
        self._waiting.extendleft(_Accepted(line, now, False) for line in reversed(kept))
        self._waiting_size += sum(map(len, kept)) + len(kept)
