"""What the writer has accepted and the store does not hold yet, and how it is cut into chunks.

Messages get their sequence number when they are accepted and leave when a chunk that holds them is
acknowledged. A frozen chunk never changes: a failed put is repeated with the same bytes. What does not fit
in memory waits behind a `Backlog`, the disk's side of the buffer, which is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.pacing import Waiting, full_size


class Record(NamedTuple):
    """One accepted message."""

    seq: int  # from 1 within the stream
    line: bytes
    urgent: bool = False


class Backlog(Protocol):
    """What waits beyond memory. Always newer than what memory holds."""

    @property
    def waiting(self) -> int:
        """Messages that memory does not hold."""

    @property
    def waiting_size(self) -> int:
        """Their bytes, newlines included."""

    def has_room(self, size: int) -> bool:
        """Whether a message of `size` bytes may wait here."""

    def admit(self, record: Record, *, memory_is_full: bool) -> bool:
        """A message is accepted. True: it waits here. False: memory is to hold it."""

    def take(self, max_bytes: int) -> list[Record]:
        """Move the oldest waiting messages to memory: up to `max_bytes`, and at least one if there is any."""

    def skip(self, upto: int) -> None:
        """The waiting messages up to this number are in the log already."""

    def forget(self, upto: int) -> None:
        """The store has confirmed the messages up to this number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive messages that one chunk holds."""

    first: int  # sequence number of the first, from 1
    lines: Sequence[bytes]

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass(slots=True)
class WriterBuffer:
    """Accepted messages in order, up to the newest; chunks take the oldest."""

    accepted: int = 0  # sequence number of the newest message
    backlog: Backlog | None = None
    _memory: deque[Record] = field(default_factory=deque)
    _memory_size: int = 0
    _since: float = 0.0  # when the oldest waiting message came, as far as the pacing needs it
    _urgent: tuple[int, float] | None = None  # number and time of the oldest urgent message

    def add(self, line: bytes, now: float, *, urgent: bool, limit: int) -> bool:
        """Take one message; `limit` is how many bytes memory may hold. True if it is the first that waits,
        or the first urgent one."""
        first = self._count == 0
        self.accepted += 1
        record = Record(self.accepted, line, urgent)
        full = self._memory_size + len(line) >= limit
        if self.backlog is None or not self.backlog.admit(record, memory_is_full=full):
            self._memory.append(record)
            self._memory_size += len(line) + 1
        if first:
            self._since = now
        if urgent and self._urgent is None:
            self._urgent = (self.accepted, now)
            return True
        return first

    def has_room(self, size: int, limit: int) -> bool:
        """Whether a message of `size` bytes can be taken without exceeding memory and disk."""
        if self.backlog is not None and self.backlog.waiting:
            return self.backlog.has_room(size)
        fits = self._memory_size < limit
        return fits or (self.backlog is not None and self.backlog.has_room(size))

    def is_full(self, options: LogOptions) -> bool:
        """Enough waits for a chunk of its own, whatever the interval says."""
        return self.size >= full_size(options) or self._count >= options.max_messages

    @property
    def size(self) -> int:
        """Bytes that wait, newlines included."""
        return self._memory_size + (self.backlog.waiting_size if self.backlog is not None else 0)

    @property
    def waiting(self) -> Waiting | None:
        """What waits, for the pacing; None when nothing does."""
        count = self._count
        if not count:
            return None
        return Waiting(count, self.size, self._since, self._urgent[1] if self._urgent else None)

    def in_memory(self) -> list[Record]:
        """The waiting messages that only memory holds."""
        return list(self._memory)

    def take(self, max_bytes: int, max_messages: int, now: float) -> Batch:
        """Remove the oldest messages: as many as fit, and at least one if there is any."""
        self._refill(max_bytes)
        first = self.accepted - self._count + 1
        lines: list[bytes] = []
        size = 0
        while self._memory and len(lines) < max_messages:
            size += len(self._memory[0].line) + 1
            if lines and size > max_bytes:
                break
            lines.append(self._memory.popleft().line)
        self._memory_size -= sum(map(len, lines)) + len(lines)
        self._since = now  # at the latest: what stays behind came before, and its turn is the next chunk
        if self._urgent is not None and self._urgent[0] < first + len(lines):
            self._urgent = self._next_urgent(now)
        return Batch(first, lines)

    def put_back(self, batch: Batch, *, delivered: int) -> None:
        """Undo `take`, leaving out what the log turned out to hold already (up to `delivered`)."""
        records = [Record(seq, line) for seq, line in enumerate(batch.lines, batch.first)]
        self._memory.extendleft(reversed(records))
        self._memory_size += sum(map(len, batch.lines)) + len(batch.lines)
        while self._memory and self._memory[0].seq <= delivered:
            self._memory_size -= len(self._memory.popleft().line) + 1
        if self.backlog is not None:
            self.backlog.skip(delivered)

    def forget(self, upto: int) -> None:
        """The store has confirmed the messages up to this number."""
        if self.backlog is not None:
            self.backlog.forget(upto)

    @property
    def _count(self) -> int:
        return len(self._memory) + (self.backlog.waiting if self.backlog is not None else 0)

    def _refill(self, max_bytes: int) -> None:
        if self.backlog is not None and self._memory_size < max_bytes and self.backlog.waiting:
            for record in self.backlog.take(max_bytes - self._memory_size):
                self._memory.append(record)
                self._memory_size += len(record.line) + 1

    def _next_urgent(self, now: float) -> tuple[int, float] | None:
        found = next((record.seq for record in self._memory if record.urgent), None)
        return None if found is None else (found, now)
