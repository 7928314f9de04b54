"""The writing half of the chunk log, without I/O: what to ask the store for next, and what its answer means.

One request is outstanding at a time, so a hole in the log cannot exist. The first chunk of a process is
its fence: it carries an epoch above every one seen. "Already exists" is never taken for an answer; the
slot is read back and compared. Nothing is forgotten before the store has confirmed it. Time and chance
are arguments; the thread, the waiting and the store belong to `writer.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from blobpipes.chunklog.closing import is_clean_close
from blobpipes.chunklog.header import (
    AnyChunk,
    ChunkHeader,
    CorruptChunk,
    Flag,
    LegacyChunk,
    encode_chunk,
    encode_compatible,
    flags,
    merge_marks,
    parse_chunk,
)
from blobpipes.chunklog.options import MIB, LogOptions
from blobpipes.chunklog.pacing import WriterPacing, backoff
from blobpipes.chunklog.writer_buffer import Backlog, Batch, Record, WriterBuffer
from blobpipes.errors import MessageTooLargeError

MAX_CHUNK: Final = 4 * MIB
READ_TRIES: Final = 3  # refused reads in a row before the writer believes that it may not read
MAX_MESSAGE: Final = 32 * MIB  # below every store's limit for one request (gcsfs 50 MiB, Azure 64 MiB, s3fs 100 MiB)


class State(Enum):
    """Where the writer stands. The last five are final."""

    CLAIM = "claim"  # the first chunk is not stored yet
    OPEN = "open"
    DRAIN = "drain"  # `closed` was accepted
    VERIFY = "verify"  # everything is stored; is the log still there?
    CLOSED = "closed"
    SEALED = "sealed"  # the log had ended before this process began
    FENCED = "fenced"  # somebody else owns the log now
    ABANDONED = "abandoned"  # gave up with messages not stored


FINAL: Final = frozenset({State.CLOSED, State.SEALED, State.FENCED, State.ABANDONED})


class Verb(Enum):
    """What the shell is asked to do. It answers by the `on_` method named beside each."""

    PUT = "put"  # put-if-absent chunk `number`: on_stored, on_exists
    READ = "read"  # get chunk `number`: on_read
    LIST = "list"  # the highest chunk number there is, 0 for none: on_listed
    # each of them may be answered by on_failed


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask the store."""

    verb: Verb
    number: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class _Frozen:
    header: ChunkHeader
    batch: Batch
    data: bytes


class WriterCore:
    """Decides for one process' stream. Not thread-safe: its shell holds a lock."""

    def __init__(
        self,
        *,
        stream: str,
        options: LogOptions,
        negotiated: bool,
        now: float,
        backlog: Backlog | None = None,
        resume: tuple[int, int] | None = None,
    ) -> None:
        """`resume`: first and last number of what an earlier process of this stream left in `backlog`."""
        first, last = resume or (1, 0)
        self.state = State.CLAIM
        self.stored = first - 1  # sequence number up to which the store has confirmed
        self.chunks = 0  # chunks stored
        self.obstacle = ""  # why the writer is in a final state other than CLOSED, for people
        self._stream = stream
        self._options = options
        self._negotiated = negotiated
        self._opened_at = now
        self._pacing = WriterPacing(options, official_reader=not negotiated, opened_at=now)
        self._buffer = WriterBuffer(accepted=last, backlog=backlog)
        self._frozen: _Frozen | None = None
        self._number = 1
        self._epoch = 1
        self._marks: dict[str, int] = {}  # what earlier processes left in the log
        self._replayed_to = last  # messages up to this number are an earlier process'
        self._next = Verb.PUT
        self._read_number = 0
        self._reads_tail = False
        self._asked = False
        self._failures = 0
        self._not_before = now
        self._refused_reads = 0
        self._ambiguous = False  # a put of the frozen chunk failed: it may stand in the store all the same
        self._terminating = False
        self._closing = False
        self._closing_flag = Flag.END
        self._flush_to = 0

    # --- the caller's side -------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        return self._buffer.accepted

    @property
    def undelivered(self) -> int:
        """Accepted messages that the store has not confirmed."""
        return self._buffer.accepted - self.stored

    def has_room(self, size: int) -> bool:
        """Whether a message of `size` bytes can be taken without exceeding the limits of memory and disk."""
        frozen = len(self._frozen.data) if self._frozen else 0
        return self._buffer.has_room(size, max(0, self._options.max_buffer - frozen))

    def undelivered_in_memory(self) -> list[Record]:
        """What would be lost with this process' memory."""
        batch = self._frozen.batch if self._frozen else Batch(1, [])
        frozen = [Record(seq, line) for seq, line in enumerate(batch.lines, batch.first)]
        return frozen + self._buffer.in_memory()

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    @property
    def number(self) -> int:
        """The chunk number that is written next."""
        return self._number

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def failures(self) -> int:
        """Failed requests in a row."""
        return self._failures

    def accept(self, line: bytes, now: float, *, urgent: bool = False) -> bool:
        """Take one message (JSON, without newline). From here on it is delivered or accounted for.

        True if a chunk may now be due earlier than before, so that the uploader should look.

        Raises:
            MessageTooLargeError: nothing was taken.
        """
        if len(line) > MAX_MESSAGE:
            raise MessageTooLargeError(f"a message of {len(line)} bytes is above the limit of {MAX_MESSAGE}")
        changed = self._buffer.add(line, now, urgent=urgent, limit=self._options.max_buffer)
        return changed or self._buffer.is_full(self._options)

    def close(self, line: bytes, now: float, *, failed: bool) -> None:
        """Take the last message. After a clean one nothing may follow in this log, from anybody."""
        self.accept(line, now)
        self.accepted_close(now, failed=failed)

    def accepted_close(self, now: float, *, failed: bool) -> None:
        """The newest message that was accepted is the last one: an earlier process may have left it to this one."""
        self._closing_flag = Flag.FAIL if failed else Flag.END
        self._flush_to = self.accepted
        self._closing = True
        if self.state is State.OPEN:
            is_done = not self._negotiated and self.stored >= self.accepted
            self.state = State.CLOSED if is_done else State.DRAIN
        self._not_before = min(self._not_before, now)

    def flush(self, now: float) -> None:
        """What was accepted so far is due at once, and what failed is tried again at once."""
        self._flush_to = self.accepted
        self._not_before = min(self._not_before, now)

    def terminate(self, now: float) -> None:
        """The platform ends this process: as `flush`, and the chunks say so."""
        self._terminating = True
        self.flush(now)

    def abandon(self, reason: str) -> None:
        """Give up. `undelivered` says how much is lost."""
        if not self.is_over:
            self._end(State.ABANDONED, reason)

    # --- the uploader's side -----------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """When `poll` will have a request; None: not before something happens."""
        if self.is_over or self._asked:
            return None
        if self._frozen is not None or self._next is not Verb.PUT or self.state is State.VERIFY:
            return self._not_before
        moment = self._chunk_due(now)
        return None if moment is None else max(moment, self._not_before)

    def poll(self, now: float) -> Request | None:
        """The request to send now, or None. One at a time: the next only after an `on_` call."""
        moment = self.due(now)
        if moment is None or moment > now:
            return None
        request = self._request(now)
        self._asked = True
        return request

    def on_stored(self, now: float) -> None:
        """The store holds the chunk that was put."""
        frozen = self._answered()
        self._confirm(frozen.batch.last)
        self._marks = merge_marks(self._marks, frozen.header.high_water)
        self.chunks += 1
        self._number += 1
        self._frozen, self._ambiguous, self._refused_reads = None, False, 0
        self._after_stored(frozen)

    def on_exists(self, now: float) -> None:
        """The slot is taken: by an earlier try of ours, or by somebody else. Ask."""
        self._answered()
        self._ask_next(Verb.READ, self._number)

    def on_read(self, data: bytes | None, now: float) -> None:
        """The answer to a READ."""
        self._asked, self._failures, self._refused_reads = False, 0, 0
        if self.state is State.VERIFY:
            self._verified(data)
        elif self._reads_tail:
            self._follow_tail(data, now)
        else:
            self._resolve(data, now)

    def on_listed(self, highest: int, now: float) -> None:
        """The answer to a LIST: where the log ends at the moment."""
        self._asked, self._failures, self._refused_reads = False, 0, 0
        self._ask_next(Verb.READ, max(highest, self._number), tail=True)

    def on_failed(self, now: float, *, refused: bool, chance: float) -> None:
        """No answer, or a refusal. The same request is repeated later: identical bytes, same number."""
        self._asked = False
        self._failures += 1
        if self._next is Verb.PUT and self.state is not State.VERIFY:
            self._ambiguous = self._ambiguous or not refused
            self._refused_reads = 0
        elif refused and self._cannot_read(now):
            return
        wait = backoff(self._failures, refused=refused and self.state is not State.VERIFY, chance=chance)
        self._not_before = now + (min(wait, 10.0) if self._flush_to > self.stored else wait)

    # --- decisions ---------------------------------------------------------------------------------

    def _request(self, now: float) -> Request:
        if self.state is State.VERIFY:
            return Request(Verb.READ, 1)
        if self._next is Verb.READ:
            return Request(Verb.READ, self._read_number)
        if self._next is Verb.LIST:
            return Request(Verb.LIST)
        self._frozen = self._frozen or self._freeze(now)
        return Request(Verb.PUT, self._number, self._frozen.data)

    def _chunk_due(self, now: float) -> float | None:
        waiting = self._buffer.waiting
        if waiting is None and self.state is State.DRAIN:
            return now
        if waiting is not None and (self._flush_to > self.stored or self.chunks == 0):
            return now
        return self._pacing.due(now, waiting)

    def _freeze(self, now: float) -> _Frozen:
        """Cut the next chunk. Its bytes never change again."""
        self._pacing.frozen(now, self._buffer.waiting)
        return self._frame(self._take(now), now, self._pacing.next_within(now))

    def _take(self, now: float) -> Batch:
        if self._negotiated:
            return self._buffer.take(MAX_CHUNK, self._options.max_messages, now)
        return self._buffer.take(MAX_MESSAGE, 1 << 62, now)  # an official reader counts chunks, not bytes

    def _frame(self, batch: Batch, now: float, next_within: float) -> _Frozen:
        marks = merge_marks(self._marks, {self._stream: batch.last} if batch.last else {})
        header = ChunkHeader(
            stream=self._stream, epoch=self._epoch, number=self._number, first=batch.first, count=len(batch.lines),
            elapsed=now - self._opened_at, next_within=next_within, high_water=marks, flags=self._flags(batch),
        )  # fmt: skip
        if self._negotiated:
            return _Frozen(header, batch, encode_chunk(header, batch.lines))
        return _Frozen(header, batch, encode_compatible(header, batch.lines, strict=self._options.strict_bytes))

    def _flags(self, batch: Batch) -> frozenset[str]:
        found = [Flag.OPEN] if self.chunks == 0 else []
        found += [Flag.TERM] if self._terminating else []
        if self._closing and batch.last == self.accepted:
            found.append(self._closing_flag)
        elif not batch.lines:
            found.append(Flag.HEARTBEAT)
        return flags(*found)

    def _after_stored(self, frozen: _Frozen) -> None:
        if self.state is State.CLAIM:
            self.state = State.DRAIN if self._closing else State.OPEN
        if self.state is not State.DRAIN or self.stored < self.accepted:
            return
        if self._negotiated and not frozen.header.has(self._closing_flag):
            return  # it was frozen before the end was known: one more says so
        # A reader cleans up by putting a tombstone in slot 1. If our last chunk is slot 1, or the other
        # side is official, there is nothing to look at.
        only_chunk = frozen.header.number == 1
        self.state = State.VERIFY if self._negotiated and not only_chunk else State.CLOSED

    def _resolve(self, data: bytes | None, now: float) -> None:
        """What stands in the slot that we wanted?"""
        assert self._frozen is not None
        self._next = Verb.PUT
        if data is None:
            return  # S3 says "exists" (409) of a put that then lost: send the same bytes again
        if data == self._frozen.data and self._can_be_mine_only(self._frozen.batch):
            self.on_stored(now)
            return
        foreign = parse_chunk(data)
        if self.state is not State.CLAIM:
            self._end(State.FENCED, _who_took_over(foreign))
        elif _has_ended(foreign):
            self._found_ended(foreign)
        elif self._number == 1:
            self._ask_next(Verb.LIST)
        else:
            self._claim_after(foreign, self._number, now)

    def _can_be_mine_only(self, batch: Batch) -> bool:
        """Whether equal bytes prove that this process put them: those of a replay alone may be its predecessor's.

        Such a chunk would be no fence, so that another one is put behind it.
        """
        return self.state is not State.CLAIM or batch.last > self._replayed_to

    def _follow_tail(self, data: bytes | None, now: float) -> None:
        """What stands at the end of the log that we want to continue?"""
        self._next = Verb.PUT
        if data is None:  # a listing may show what a get does not yet: ask again
            self._ask_next(Verb.LIST)
            self._not_before = now + 1.0
            return
        foreign = parse_chunk(data)
        if _has_ended(foreign):
            self._found_ended(foreign)
        else:
            self._claim_after(foreign, self._read_number, now)

    def _found_ended(self, foreign: AnyChunk) -> None:
        """The log has ended, and this process has no chunk of which it knows.

        All of its messages may be in it nevertheless: those of a replay, and those of a chunk whose answer was
        lost and which the reader has read and cleaned up since.
        """
        header = _header_of(foreign)
        self._confirm(max(self.stored, header.high_water.get(self._stream, 0) if header is not None else 0))
        if self._closing and self.stored >= self.accepted:
            self._end(State.CLOSED, "")
        else:
            self._end(State.SEALED, "the log had already ended when this process began")

    def _claim_after(self, foreign: AnyChunk, number: int, now: float) -> None:
        """Continue the log after somebody else's chunk `number`, with a newer epoch."""
        assert self._frozen is not None
        header = _header_of(foreign)
        if header is not None:
            self._epoch = max(self._epoch, header.epoch + 1)
            self._marks = merge_marks(self._marks, header.high_water)
        else:
            self._epoch += 1
        self._number = number + 1
        delivered = self._marks.get(self._stream, 0)
        self._buffer.put_back(self._frozen.batch, delivered=delivered)
        self._confirm(max(self.stored, delivered))
        self._frozen, self._ambiguous = None, False
        if self._closing and self.stored >= self.accepted:
            self._end(State.CLOSED, "")  # a replay, all of which was in the log

    def _cannot_read(self, now: float) -> bool:
        """Credentials that may write but not read or list: go on by what is known without. True if that is decided.

        Expired ones may do neither, so the put is repeated before each new read: only if the store
        answers the one and refuses the other, again and again, is a decision made without looking.
        """
        if self._reads_tail:
            return False
        self._refused_reads += 1
        if self._next is Verb.READ:
            self._next = Verb.PUT
        if self._refused_reads < READ_TRIES:
            return False
        if self.state is State.VERIFY:
            self.state = State.CLOSED
            return True
        if self._next is Verb.LIST:  # walk along the chunks instead
            self._ask_next(Verb.READ, self._number, tail=True)
            return True
        if self._ambiguous:  # the slot is taken, and an earlier try of ours got no answer: it is ours
            self.on_stored(now)
        else:
            self._end(State.FENCED, "the next chunk exists already, and these credentials may not read whose it is")
        return True

    def _verified(self, data: bytes | None) -> None:
        """Everything is stored. Did the reader end and clean up the log before it could see it?"""
        if data is None:
            self._end(State.FENCED, "the log was deleted while this process was still writing")
            return
        delivered = _tomb_mark(parse_chunk(data), self._stream)
        if delivered is not None and delivered < self.accepted:
            self._end(State.FENCED, "the reader had ended the session and cleaned up")
        else:
            self.state = State.CLOSED

    def _ask_next(self, verb: Verb, number: int = 0, *, tail: bool = False) -> None:
        self._next, self._read_number, self._reads_tail = verb, number, tail

    def _confirm(self, upto: int) -> None:
        """The log holds our messages up to this number."""
        self.stored = upto
        self._buffer.forget(upto)

    def _answered(self) -> _Frozen:
        assert self._frozen is not None
        self._asked, self._failures = False, 0
        return self._frozen

    def _end(self, state: State, reason: str) -> None:
        self.state, self.obstacle = state, reason
        self._asked = False


def _header_of(chunk: AnyChunk) -> ChunkHeader | None:
    return chunk.marks if isinstance(chunk, LegacyChunk) else chunk.header


def _tomb_mark(chunk: AnyChunk, stream: str) -> int | None:
    """Up to which number a tombstone says that `stream` was delivered; None if the chunk is none."""
    header = _header_of(chunk)
    return header.high_water.get(stream, 0) if header is not None and header.has(Flag.TOMB) else None


def _has_ended(chunk: AnyChunk) -> bool:
    """Nothing may follow this chunk."""
    if isinstance(chunk, LegacyChunk):
        return is_clean_close(chunk.lines[-1])
    return chunk.header is not None and chunk.header.seals and not isinstance(chunk, CorruptChunk)


def _who_took_over(chunk: AnyChunk) -> str:
    header = _header_of(chunk)
    if header is None:
        return "another program wrote into this log"
    if header.has(Flag.READER_SEAL):
        return "the reader was told that this process is gone, and ended the log"
    if header.has(Flag.TOMB):
        return "the session has been cleaned up"
    return f"another process (epoch {header.epoch}) has taken over the log"
