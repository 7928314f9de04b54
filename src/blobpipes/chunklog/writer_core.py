"""The writing half of the chunk log, without I/O: what to ask the store for next, and what its answer means.

One request is outstanding at a time, so a hole in the log cannot exist. The first chunk of a process is
its fence: it carries an epoch above every one seen. Whose a slot is that is taken already, `writer_slot.py`
finds out. Nothing is forgotten before the store has confirmed it. Time and chance are arguments; the thread,
the waiting and the store belong to `writer.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from blobpipes.chunklog.header import AnyChunk, Flag, flags
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.pacing import WriterPacing, backoff
from blobpipes.chunklog.writer_buffer import Backlog, Batch, Record, WriterBuffer
from blobpipes.chunklog.writer_chunks import MAX_MESSAGE, Framing, Frozen
from blobpipes.chunklog.writer_slot import (
    AskOn,
    Finding,
    Foreign,
    Inquiry,
    Mine,
    Place,
    Unreadable,
    has_ended,
    header_of,
    who_took_over,
    why_not_delivered,
)
from blobpipes.chunklog.writer_types import FINAL, Request, State, Verb
from blobpipes.errors import MessageTooLargeError
from blobpipes.storage.usage import Usage

__all__ = ["MAX_MESSAGE", "Request", "State", "Verb", "WriterCore"]


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
        usage: Callable[[], Usage] | None = None,
    ) -> None:
        """`resume`: first and last number of what an earlier process of this stream left in `backlog`.

        `usage`: what this process has asked of its stores, for the headers.
        """
        first, last = resume or (1, 0)
        self.state = State.CLAIM
        self.stored = first - 1  # sequence number up to which the store has confirmed
        self.chunks = 0  # chunks stored
        self.obstacle = ""  # why the writer is in a final state other than CLOSED, for people
        self._stream = stream
        self._options = options
        self._negotiated = negotiated
        self._framing = Framing(stream, options, negotiated, opened_at=now, usage=usage)
        self._pacing = WriterPacing(options, official_reader=not negotiated, opened_at=now)
        self._buffer = WriterBuffer(accepted=last, backlog=backlog)
        self._frozen: Frozen | None = None
        self._place = Place()
        self._replayed_to = last  # messages up to this number are an earlier process'
        self._inquiry = Inquiry()
        self._asked = False
        self._failures = 0
        self._not_before = now
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
        frozen = self._frozen.size if self._frozen else 0
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
        return self._place.number

    @property
    def epoch(self) -> int:
        return self._place.epoch

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
        if self._frozen is not None or self._inquiry.verb is not Verb.PUT or self.state is State.VERIFY:
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
        self._place.advance(frozen.header)
        self.chunks += 1
        self._frozen = None
        self._inquiry.stored()
        self._after_stored(frozen)

    def on_exists(self, now: float) -> None:
        """The slot is taken: by an earlier try of ours, or by somebody else. Ask."""
        self._answered()
        self._inquiry.on_exists(self._place.number)

    def on_read(self, data: bytes | None, now: float) -> None:
        """The answer to a READ."""
        self._asked, self._failures = False, 0
        if self.state is State.VERIFY:
            reason = why_not_delivered(data, stream=self._stream, upto=self.accepted)
            self._end(State.CLOSED if reason is None else State.FENCED, reason or "")
            return
        assert self._frozen is not None
        mine = self._frozen.data if self._can_be_mine_only(self._frozen.batch) else None
        self._act_on(self._inquiry.on_read(data, mine=mine, claiming=self.state is State.CLAIM), now)

    def on_listed(self, highest: int, now: float) -> None:
        """The answer to a LIST: where the log ends at the moment."""
        self._asked, self._failures = False, 0
        self._inquiry.on_listed(highest)

    def on_failed(self, now: float, *, refused: bool, chance: float) -> None:
        """No answer, or a refusal. The same request is repeated later: identical bytes, same number."""
        self._asked = False
        self._failures += 1
        if self._inquiry.verb is Verb.PUT and self.state is not State.VERIFY:
            self._inquiry.on_put_failed(refused=refused)
        elif refused and (finding := self._inquiry.on_refused()) is not None:
            self._act_on(finding, now)
            return
        wait = backoff(self._failures, refused=refused and self.state is not State.VERIFY, chance=chance)
        self._not_before = now + (min(wait, 10.0) if self._flush_to > self.stored else wait)

    # --- decisions ---------------------------------------------------------------------------------

    def _request(self, now: float) -> Request:
        if self.state is State.VERIFY:
            return Request(Verb.READ, 1)
        if self._inquiry.verb is not Verb.PUT:
            return self._inquiry.request
        self._frozen = self._frozen or self._freeze(now)
        return Request(Verb.PUT, self._place.number, self._frozen.data)

    def _chunk_due(self, now: float) -> float | None:
        waiting = self._buffer.waiting
        if waiting is None and self.state is State.DRAIN:
            return now
        if waiting is not None and (self._flush_to > self.stored or self.chunks == 0):
            return now
        return self._pacing.due(now, waiting)

    def _freeze(self, now: float) -> Frozen:
        """Cut the next chunk. Its bytes never change again."""
        self._pacing.frozen(now, self._buffer.waiting)
        batch, next_within = self._framing.take(self._buffer, now), self._pacing.next_within(now)
        return self._framing.freeze(batch, self._place, now=now, next_within=next_within, flags=self._flags(batch))

    def _flags(self, batch: Batch) -> frozenset[str]:
        found = [Flag.OPEN] if self.chunks == 0 else []
        found += [Flag.TERM] if self._terminating else []
        if self._closing and batch.last == self.accepted:
            found.append(self._closing_flag)
        elif not batch.lines:
            found.append(Flag.HEARTBEAT)
        return flags(*found)

    def _after_stored(self, frozen: Frozen) -> None:
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

    def _act_on(self, finding: Finding, now: float) -> None:
        """What follows from what stands in the slot."""
        match finding:
            case AskOn() if finding.after > 0:
                self._not_before = now + finding.after
            case Mine():
                self.on_stored(now)
            case Unreadable() if self.state is State.VERIFY:
                self._end(State.CLOSED, "")
            case Unreadable():
                self._end(State.FENCED, "the next chunk exists already, and these credentials may not read whose it is")
            case Foreign(chunk) if self.state is not State.CLAIM:
                self._end(State.FENCED, who_took_over(chunk))
            case Foreign(chunk) if has_ended(chunk):
                self._found_ended(chunk)
            case Foreign(chunk, number):
                self._claim_behind(chunk, number)

    def _can_be_mine_only(self, batch: Batch) -> bool:
        """Whether equal bytes prove that this process put them: those of a replay alone may be its predecessor's.

        Such a chunk would be no fence, so that another one is put behind it.
        """
        return self.state is not State.CLAIM or batch.last > self._replayed_to

    def _found_ended(self, foreign: AnyChunk) -> None:
        """The log has ended, and this process has no chunk of which it knows.

        All of its messages may be in it nevertheless: those of a replay, and those of a chunk whose answer was
        lost and which the reader has read and cleaned up since.
        """
        header = header_of(foreign)
        self._confirm(max(self.stored, header.high_water.get(self._stream, 0) if header is not None else 0))
        if self._closing and self.stored >= self.accepted:
            self._end(State.CLOSED, "")
        else:
            self._end(State.SEALED, "the log had already ended when this process began")

    def _claim_behind(self, foreign: AnyChunk, number: int) -> None:
        """Continue the log after somebody else's chunk `number`, with a newer epoch."""
        assert self._frozen is not None
        self._place.move_behind(foreign, number)
        delivered = self._place.marks.get(self._stream, 0)
        self._buffer.put_back(self._frozen.batch, delivered=delivered)
        self._confirm(max(self.stored, delivered))
        self._frozen = None
        self._inquiry.next_chunk()
        if self._closing and self.stored >= self.accepted:
            self._end(State.CLOSED, "")  # a replay, all of which was in the log

    def _confirm(self, upto: int) -> None:
        """The log holds our messages up to this number."""
        self.stored = upto
        self._buffer.forget(upto)

    def _answered(self) -> Frozen:
        assert self._frozen is not None
        self._asked, self._failures = False, 0
        return self._frozen

    def _end(self, state: State, reason: str) -> None:
        self.state, self.obstacle = state, reason
        self._asked = False
