"""Whose is the slot that a writer wants? Its questions to the store, and what the answers mean.

"Already exists" is never taken for an answer: the slot is read back and compared. A process that finds
another's chunk in slot 1 looks for the end of the log, to continue behind it. What follows from a finding is
decided in `writer_core.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from blobpipes.chunklog.closing import is_clean_close
from blobpipes.chunklog.header import (
    AnyChunk,
    ChunkHeader,
    CorruptChunk,
    Flag,
    LegacyChunk,
    merge_marks,
    parse_chunk,
)
from blobpipes.chunklog.writer_types import Request, Verb

READ_TRIES: Final = 3  # refused reads in a row before the writer believes that it may not read
STALE_LISTING: Final = 1.0  # seconds before another listing, when a get does not show what the last one did


@dataclass(frozen=True, slots=True)
class Mine:
    """This process' own chunk stands there."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Somebody else's chunk stands there."""

    chunk: AnyChunk
    number: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something stands there, and these credentials may not read what."""


@dataclass(frozen=True, slots=True)
class AskOn:
    """Nothing is known yet; the next question, or the same put once more."""

    after: float = 0.0  # seconds


Finding = Mine | Foreign | Unreadable | AskOn


@dataclass(slots=True)
class Inquiry:
    """What to ask about the slot next. While there is nothing to find out, `verb` is PUT."""

    verb: Verb = Verb.PUT
    _number: int = 0
    _of_tail: bool = False  # not the slot that we wanted is asked about, but the end of the log
    _refused: int = 0  # reads and listings in a row
    _is_ambiguous: bool = False  # a put of the chunk failed: it may stand in the store all the same

    @property
    def request(self) -> Request:
        return Request(Verb.LIST) if self.verb is Verb.LIST else Request(Verb.READ, self._number)

    def on_exists(self, number: int) -> None:
        self._ask(Verb.READ, number)

    def on_listed(self, highest: int) -> None:
        self._refused = 0
        self._ask(Verb.READ, max(highest, 1), of_tail=True)

    def on_read(self, data: bytes | None, *, mine: bytes | None, claiming: bool) -> Finding:
        """What was read. `mine` are the bytes which only this process can have put; `claiming`: it has no chunk yet."""
        self._refused = 0
        of_tail = self._of_tail
        self.verb, self._of_tail = Verb.PUT, False
        if data is None and of_tail:  # a listing may show what a get does not yet
            self._ask(Verb.LIST)
            return AskOn(STALE_LISTING)
        if data is None:  # S3 says "exists" (409) of a put that then lost: send the same bytes again
            return AskOn()
        if data == mine and not of_tail:
            return Mine()
        chunk = parse_chunk(data)
        if claiming and not of_tail and self._number == 1 and not has_ended(chunk):
            self._ask(Verb.LIST)
            return AskOn()
        return Foreign(chunk, self._number)

    def on_put_failed(self, *, refused: bool) -> None:
        self._is_ambiguous = self._is_ambiguous or not refused
        self._refused = 0

    def on_refused(self) -> Finding | None:
        """Credentials that may write but not read or list: go on by what is known without. None: not decided yet.

        Expired ones may do neither, so the put is repeated before each new read: only if the store
        answers the one and refuses the other, again and again, is a decision made without looking.
        """
        if self._of_tail:
            return None
        self._refused += 1
        if self.verb is Verb.READ:
            self.verb = Verb.PUT
        if self._refused < READ_TRIES:
            return None
        if self.verb is Verb.LIST:  # walk along the chunks instead
            self._ask(Verb.READ, 1, of_tail=True)
            return AskOn()
        # The slot is taken. If an earlier try of ours got no answer, it is ours.
        return Mine() if self._is_ambiguous else Unreadable()

    def next_chunk(self) -> None:
        """The slot is settled; another chunk is put next."""
        self._is_ambiguous = False

    def stored(self) -> None:
        self.next_chunk()
        self._refused = 0

    def _ask(self, verb: Verb, number: int = 0, *, of_tail: bool = False) -> None:
        self.verb, self._number, self._of_tail = verb, number, of_tail


@dataclass(slots=True)
class Place:
    """Where in the log the next chunk goes, and what it carries on from those before."""

    number: int = 1
    epoch: int = 1
    marks: dict[str, int] = field(default_factory=dict)  # last sequence number in the log, per stream

    def advance(self, header: ChunkHeader) -> None:
        """Our chunk is stored."""
        self.number += 1
        self.marks = merge_marks(self.marks, header.high_water)

    def move_behind(self, chunk: AnyChunk, number: int) -> None:
        """Behind somebody else's chunk, with a newer epoch."""
        header = header_of(chunk)
        self.number = number + 1
        self.epoch = self.epoch + 1 if header is None else max(self.epoch, header.epoch + 1)
        self.marks = self.marks if header is None else merge_marks(self.marks, header.high_water)


# --- what a foreign chunk says -----------------------------------------------------------------------


def header_of(chunk: AnyChunk) -> ChunkHeader | None:
    return chunk.marks if isinstance(chunk, LegacyChunk) else chunk.header


def has_ended(chunk: AnyChunk) -> bool:
    """Nothing may follow this chunk."""
    if isinstance(chunk, LegacyChunk):
        return is_clean_close(chunk.lines[-1])
    return chunk.header is not None and chunk.header.seals and not isinstance(chunk, CorruptChunk)


def who_took_over(chunk: AnyChunk) -> str:
    header = header_of(chunk)
    if header is None:
        return "another program wrote into this log"
    if header.has(Flag.READER_SEAL):
        return "the reader was told that this process is gone, and ended the log"
    if header.has(Flag.TOMB):
        return "the session has been cleaned up"
    return f"another process (epoch {header.epoch}) has taken over the log"


def why_not_delivered(slot_1: bytes | None, *, stream: str, upto: int) -> str | None:
    """Everything is stored. Did the reader end and clean up the log before it could see `upto`? None: no."""
    if slot_1 is None:
        return "the log was deleted while this process was still writing"
    header = header_of(parse_chunk(slot_1))
    if header is not None and header.has(Flag.TOMB) and header.high_water.get(stream, 0) < upto:
        return "the reader had ended the session and cleaned up"
    return None
