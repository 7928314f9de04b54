"""The reading half of the chunk log, without I/O: what to ask the store for next, and what its answers mean.

Chunks are delivered in the order of their numbers; each message once, told apart by (stream, sequence
number). The end is proved, not guessed: either the log's seal is read, or, when the process is gone and
the next number is absent, the reader writes the seal itself, and whoever was faster is read first. A
damaged chunk or a hole is waited for, then named and passed over; it never stops what follows. Time and
chance are arguments; waiting and the store belong to `reader.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from blobpipes.chunklog.header import (
    AnyChunk,
    ChunkHeader,
    CorruptChunk,
    Flag,
    LegacyChunk,
    NegotiatedChunk,
    merge_marks,
    parse_chunk,
    reader_seal,
)
from blobpipes.chunklog.pacing import ReaderPacing, backoff, heartbeat_pause
from blobpipes.chunklog.reader_streams import HeldClose, StreamMarks
from blobpipes.chunklog.reader_types import (
    Deliver,
    Finish,
    Get,
    ListChunks,
    Listed,
    LogEnd,
    Problem,
    ProblemKind,
    ReaderAction,
    ReaderSettings,
    Report,
    Seal,
    Verdict,
)

WINDOWS: Final = (1, 2, 4, 8, 16)  # chunks asked for at once after so many consecutive hits
SILENT_HEARTBEATS: Final = 5  # missed heartbeats after which a writer is suspect
LISTED_HEARTBEATS: Final = 3  # missed heartbeats after which one LIST looks for a hole
LOOK_AGAIN: Final = 1.0  # seconds between two looks at a damaged or missing chunk
AFTER_GONE: Final = 5.0  # seconds that such a chunk is waited for once the process is gone
REFUSED_AFTER_GONE: Final = 60.0  # seconds of refusals that end a session whose process is gone
REFUSALS: Final = 3  # refused seals or listings in a row before the reader does without
STORE_REMINDER: Final = 60.0  # seconds between two reports of a store that keeps failing


class State(Enum):
    """Where the reader stands."""

    WAIT_FIRST = "wait_first"
    TAIL = "tail"
    HOLD = "hold"  # closed with an exception, and a restart was announced
    DRAIN = "drain"  # the process is gone: read to the end
    SEAL = "seal"  # nothing is there after the end: put the seal
    DONE = "done"


class ReaderCore:
    """Decides for one log. Not thread-safe: its shell steps it from one thread at a time."""

    def __init__(self, settings: ReaderSettings, now: float) -> None:
        self.state = State.WAIT_FIRST
        self.chunks = 0  # chunks read
        self.messages = 0  # messages delivered
        self.missing = 0  # messages known to be lost
        self._settings = settings
        self._pacing = ReaderPacing(settings.options.interval, settings.options.idle)
        self._marks = StreamMarks()
        self._closed = HeldClose()
        self._next = 1  # the number to deliver next
        self._due = now
        self._wave: set[int] = set()  # numbers asked for and not answered
        self._arrived: dict[int, bytes] = {}
        self._streak = 0  # consecutive waves that brought a chunk
        self._hits = 0  # chunks consumed in this wave
        self._failed = False  # a request of this wave failed
        self._last: NegotiatedChunk | LegacyChunk | None = None  # the newest chunk consumed
        self._last_at = now
        self._seal_in_flight = False
        self._list_wanted = self._list_in_flight = False
        self._listed_at_end = False
        self._absent_at_end = 0
        self._known_higher: int | None = None  # a chunk above `_next` that exists
        self._waiting_since: float | None = None  # for a damaged or missing chunk
        self._told_silent = self._listed_silent = False
        self._gone = self._stale_wave = False
        self._negotiated = False  # a chunk of one of our writers was seen
        self._job_failed = False
        self._restarts_left = settings.restarts
        self._incomplete = False  # something is lost that cannot be counted
        self._may_seal = settings.may_seal
        self._store_since: float | None = None
        self._store_told = float("-inf")
        self._store_tries = 0
        self._refusals = 0  # of a seal or a listing, in a row
        self._sizes: dict[int, int] = {}  # of official chunks read: a changed size betrays an overwrite

    # --- what the shell calls ----------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        return self.state is State.DONE

    @property
    def is_gone(self) -> bool:
        """The process was reported gone."""
        return self._gone

    @property
    def next_number(self) -> int:
        return self._next

    @property
    def last_seq(self) -> dict[str, int]:
        """Last sequence number delivered, per stream."""
        return dict(self._marks.last)

    def due(self) -> float | None:
        """When `poll` has something to ask; None while answers are outstanding or all is done."""
        busy = self._wave or self._seal_in_flight or self._list_in_flight
        return None if busy or self.is_done else self._due

    def poll(self, now: float) -> list[ReaderAction]:
        """What to ask the store now."""
        due = self.due()
        if due is None or now < due:
            return []
        if self._list_wanted:
            self._list_wanted, self._list_in_flight = False, True
            return [ListChunks()]
        if self.state is State.SEAL:
            self._seal_in_flight = True
            return [Seal(self._next, self._seal_data())]
        width = WINDOWS[min(self._streak, len(WINDOWS) - 1)]
        self._wave = {n for n in range(self._next, self._next + width) if n not in self._arrived}
        self._hits, self._failed = 0, False
        return [Get(number) for number in sorted(self._wave)]

    def process_gone(self, now: float) -> None:
        """The platform says that the process has ended, and no other will come: read to the end."""
        self._stale_wave = bool(self._wave)
        self._gone = True
        if self.state in (State.WAIT_FIRST, State.TAIL, State.HOLD):
            self.state = State.DRAIN
        self._due = min(self._due, now)

    def on_object(self, number: int, data: bytes | None, now: float) -> list[ReaderAction]:
        """The answer to a GET: the object, or None where there is none."""
        self._wave.discard(number)
        self._store_since, self._store_tries = None, 0
        if data is not None and number >= self._next:
            self._arrived[number] = data
        actions = self._consume(now)
        if not self._wave and not self.is_done:
            actions += self._after_wave(now)
        return actions

    def on_listed(self, chunks: Sequence[Listed], now: float) -> list[ReaderAction]:
        """The answer to a LIST."""
        self._list_in_flight = False
        self._refusals = 0
        self._listed_at_end = self._gone
        higher = [chunk.number for chunk in chunks if chunk.number > self._next]
        self._known_higher = min(higher, default=None)
        if any(chunk.number == self._next for chunk in chunks):
            self._due = now
            return []
        overwritten = self._find_overwritten(chunks, now)
        if overwritten or not self._gone:
            self._due = now if overwritten else now + self._settings.options.interval
            return overwritten
        return self._wait_for_hole(now) if self._known_higher is not None else self._end_listed(now)

    def on_sealed(self, stored: bool, now: float) -> list[ReaderAction]:
        """The answer to a SEAL: it stands, or a late chunk was faster and is read first."""
        self._seal_in_flight = False
        self._store_since, self._store_tries, self._refusals = None, 0, 0
        if stored:
            return self._finish(self._verdict(), self._end_text())
        self.state = State.DRAIN if self._gone else State.TAIL
        self._due = now
        return []

    def on_failed(
        self, action: ReaderAction, now: float, *, refused: bool, chance: float, text: str
    ) -> list[ReaderAction]:
        """A request had no answer, or was refused."""
        if isinstance(action, Get):
            if refused and self._settings.denied_is_absent:
                return self.on_object(action.number, None, now)
            self._wave.discard(action.number)
            self._failed = True
        elif isinstance(action, Seal):
            self._seal_in_flight = False
        elif isinstance(action, ListChunks):
            self._list_in_flight, self._list_wanted = False, True
        if refused and not isinstance(action, Get):
            self._refusals += 1
            if self._refusals >= REFUSALS:
                return self._do_without(action, now, text)
        return self._store_failed(now, refused=refused, chance=chance, text=text)

    # --- consuming chunks --------------------------------------------------------------------------

    def _consume(self, now: float) -> list[ReaderAction]:
        """Deliver what has arrived, up to the first number that has not."""
        actions: list[ReaderAction] = []
        while not self.is_done and (data := self._arrived.get(self._next)) is not None:
            chunk = _checked(self._next, parse_chunk(data))
            if isinstance(chunk, CorruptChunk):
                if not self._give_up_waiting(now, self._settings.corrupt_patience):
                    del self._arrived[self._next]
                    break
                actions += self._pass_over(chunk)
            else:
                actions += self._take(chunk, len(data), now)
            self._arrived.pop(self._next, None)
            self._next += 1
            self._hits += 1
            self._waiting_since = self._known_higher = None
        return actions

    def _take(self, chunk: NegotiatedChunk | LegacyChunk, size: int, now: float) -> list[ReaderAction]:
        if isinstance(chunk, NegotiatedChunk) and (chunk.header.has(Flag.READER_SEAL) or chunk.header.has(Flag.TOMB)):
            self.chunks += 1
            return self._obey_flags(chunk, now)  # no process wrote it: it only ends the log
        before = self._writer()
        fresh = self._marks.take(self._next, chunk)
        self._last, self._last_at = chunk, now
        self._negotiated = self._negotiated or isinstance(chunk, NegotiatedChunk)
        self._told_silent = self._listed_silent = self._listed_at_end = False
        self._absent_at_end = 0
        self.chunks += 1
        actions: list[ReaderAction] = []
        if fresh.lost is not None:
            actions += self._lost(fresh.lost)
        if before is not None and self._writer() != before:
            actions += self._restarted()
        messages = list(fresh.messages)
        if isinstance(chunk, LegacyChunk):
            self._sizes[self._next] = size
            messages = self._closed.sift(messages) if chunk.marks is None else self._closed.see(messages)
        if messages:
            self.messages += len(messages)
            actions.append(Deliver(messages))
        return actions + (self._obey_flags(chunk, now) if isinstance(chunk, NegotiatedChunk) else [])

    def _obey_flags(self, chunk: NegotiatedChunk, now: float) -> list[ReaderAction]:
        header = chunk.header
        if header.has(Flag.TOMB):
            return self._finish("truncated", "The session was cleaned up before this reader came.")
        if header.seals:
            closed = header.has(Flag.END)
            self._job_failed = self._job_failed and not closed
            self._count_missing(header)
            return self._finish(self._verdict(closed), self._end_text(closed))
        if header.has(Flag.OPEN):
            self._job_failed = False
        self.state = State.DRAIN if self._gone else State.TAIL
        if header.has(Flag.FAIL):
            self._job_failed = True
            self._after_failure(now)
        return []

    def _count_missing(self, seal: ChunkHeader) -> None:
        """The seal says how far every stream goes: what was not delivered is missing."""
        for stream, last in seal.high_water.items():
            self.missing += max(0, last - self._marks.last.get(stream, 0))

    def _after_failure(self, now: float) -> None:
        """The process closed with an exception: wait for its successor, or see to it that none comes."""
        self._due = now
        if self._restarts_left > 0 and not self._gone:
            self._restarts_left -= 1
            self.state = State.HOLD
        else:
            self.state = State.SEAL if self._may_seal else State.DRAIN

    def _restarted(self) -> list[ReaderAction]:
        _, epoch = self._writer() or ("", 0)
        return [_problem("restarted", f"another process (epoch {epoch}) continues the log", self._next)]

    def _lost(self, lost: tuple[int, int]) -> list[ReaderAction]:
        self.missing += lost[1] - lost[0] + 1
        return [_problem("gap", f"messages {lost[0]} to {lost[1]} of stream {self._stream()} are missing", self._next)]

    def _pass_over(self, chunk: CorruptChunk) -> list[ReaderAction]:
        if chunk.header is None:
            self._incomplete = True  # with a header, the next chunk's numbers tell what is lost
        elif chunk.header.first == self._marks.last.get(chunk.header.stream, 0) + 1:
            self.missing += chunk.header.count
            self._marks.last[chunk.header.stream] = chunk.header.last
        return [_problem("corrupt", f"chunk {self._next} is damaged: {chunk.reason}", self._next)]

    # --- after a wave of gets ----------------------------------------------------------------------

    def _after_wave(self, now: float) -> list[ReaderAction]:
        if self._failed:
            return []
        if self._hits:
            self._streak += 1
            self._due = self._after_hit(now)
            if self._due > now:
                self._streak = 0
            return []
        self._streak = 0
        return self._after_absent(now)

    def _after_hit(self, now: float) -> float:
        if isinstance(self._last, NegotiatedChunk):
            header = self._last.header
            due = self._pacing.after_chunk(
                now, header.stream, header.elapsed, header.next_within, empty=header.count == 0
            )
        else:
            due = self._pacing.after_unpaced_chunk(now)
        return now if self._gone or self.state is State.SEAL else due

    def _after_absent(self, now: float) -> list[ReaderAction]:
        if self._arrived:
            self._known_higher = min(self._arrived)
        if self._known_higher is not None:
            return self._wait_for_hole(now)
        if self._waiting_since is not None:  # a damaged chunk: look again soon
            self._due = now + LOOK_AGAIN
            return []
        held = self._closed.release()
        self.messages += len(held)
        actions: list[ReaderAction] = [Deliver(held)] if held else []
        if self._gone or (self._job_failed and self.state is not State.HOLD):
            return actions + self._prove_end(now)
        self._due = self._pacing.after_absent(now)
        return actions + self._check_silence(now)

    def _wait_for_hole(self, now: float) -> list[ReaderAction]:
        """The next number is absent while a higher one exists: somebody deleted it, or never wrote it."""
        assert self._known_higher is not None
        if not self._give_up_waiting(now, self._settings.gap_patience):
            return []
        hole = f"chunk {self._next}" + (f" to {self._known_higher - 1}" if self._known_higher - 1 > self._next else "")
        problem = _problem("gap", f"{hole} is missing, though chunk {self._known_higher} exists", self._next)
        self._incomplete = True
        self._next = self._known_higher
        self._waiting_since = self._known_higher = None
        self._due = now
        return [problem, *self._consume(now)]

    def _give_up_waiting(self, now: float, patience: float) -> bool:
        """Has a damaged or missing chunk been waited for long enough? If not, look again soon."""
        if self._waiting_since is None:
            self._waiting_since = now
        self._due = now + LOOK_AGAIN
        return now - self._waiting_since >= (min(patience, AFTER_GONE) if self._gone else patience)

    def _prove_end(self, now: float) -> list[ReaderAction]:
        """The process is gone and the next number is absent."""
        if self._can_seal:
            if self._listed_at_end or self._job_failed:
                self.state = State.SEAL
            else:
                self._list_wanted = True  # a hole must not be taken for the end
            self._due = now
            return []
        if self._stale_wave:  # this answer may be older than the end
            self._stale_wave, self._due = False, now
            return []
        self._absent_at_end += 1
        self._list_wanted, self._due = not self._listed_at_end, now
        return [] if self._list_wanted else self._end_unsealed(now)

    @property
    def _can_seal(self) -> bool:
        """Our own writers heed a seal; an official one would write over it."""
        return self._may_seal and (self._negotiated or self._last is None)

    def _end_listed(self, now: float) -> list[ReaderAction]:
        """A listing shows nothing above the next number, which is absent."""
        if self._can_seal:
            self.state, self._due = State.SEAL, now
            return []
        return self._end_unsealed(now)

    def _end_unsealed(self, now: float) -> list[ReaderAction]:
        """Without a seal: a listing shows nothing more, and a second look finds nothing either."""
        closing = self._closed.closing
        if closing is None and self._absent_at_end < 2:
            self._due = now + self._settings.end_grace
            return []
        return self._finish(self._verdict(closing == "clean"), self._end_text(closing is not None))

    def _check_silence(self, now: float) -> list[ReaderAction]:
        pause = heartbeat_pause(self._settings.options)
        if self._settings.options.heartbeat <= 0 or not isinstance(self._last, NegotiatedChunk):
            return []
        silence = now - self._last_at
        if silence > LISTED_HEARTBEATS * pause and not self._listed_silent:
            self._listed_silent = self._list_wanted = True
            self._due = now
        if silence <= SILENT_HEARTBEATS * pause or self._told_silent:
            return []
        self._told_silent = True
        return [_problem("silent", f"no chunk for {silence:.0f} s, though a heartbeat was due every {pause:.0f} s")]

    # --- a store that does not answer --------------------------------------------------------------

    def _store_failed(self, now: float, *, refused: bool, chance: float, text: str) -> list[ReaderAction]:
        if self._store_since is None:
            self._store_since = now
        self._store_tries += 1
        self._due = now + backoff(self._store_tries, refused=refused, chance=chance)
        patience = self._settings.store_patience
        if now - self._store_since >= (min(patience, REFUSED_AFTER_GONE) if refused and self._gone else patience):
            return self._finish("refused" if refused else "unreachable", text)
        if now - self._store_told < STORE_REMINDER:
            return []
        self._store_told = now
        return [_problem("store", text)]

    def _do_without(self, action: ReaderAction, now: float, text: str) -> list[ReaderAction]:
        """We may read but not write, or not list: end the log as well as that allows."""
        self._due, self._refusals = now, 0
        if isinstance(action, Seal):
            self._may_seal = False
            self.state = State.DRAIN
            self._gone = True
            return [_problem("store", f"the log's end cannot be sealed: {text}")]
        self._list_wanted, self._listed_at_end = False, self._gone
        return [_problem("store", f"the log cannot be listed: {text}")]

    def _find_overwritten(self, chunks: Sequence[Listed], now: float) -> list[ReaderAction]:
        """An official writer that was restarted begins at 1 again, over its own chunks."""
        changed = [c.number for c in chunks if self._sizes.get(c.number, c.info.size) != c.info.size]
        if not changed:
            return []
        self._marks.begin_again()
        self._closed = HeldClose()
        self._sizes.clear()
        self._arrived.clear()
        self._next, self._due, self._incomplete = 1, now, True
        text = f"chunk {min(changed)} was overwritten: the writer started again; its log is read again from chunk 1"
        return [_problem("overwritten", text, min(changed))]

    # --- the end -----------------------------------------------------------------------------------

    def _verdict(self, closed: bool = False) -> Verdict:
        if self.missing or self._incomplete:
            return "truncated"
        if self._job_failed or self._closed.closing == "failed":
            return "failed"
        return "complete" if closed else "truncated"

    def _end_text(self, closed: bool = False) -> str:
        if self.missing:
            return f"{self.missing} messages are missing."
        if self._incomplete:
            return "A part of the log is missing; the problems say which."
        if self._job_failed or self._closed.closing == "failed":
            return "The job ended with an exception; every message arrived."
        if closed:
            return "Every message arrived."
        if self.chunks == 0:
            return "The process ended, and not one message of it came."
        stream = self._stream() or ""
        last = self._marks.last.get(stream, 0)
        return f"The process ended without closing; the last message of stream {stream} is number {last}."

    def _finish(self, verdict: Verdict, detail: str) -> list[ReaderAction]:
        self.state = State.DONE
        held = self._closed.release()
        self.messages += len(held)
        end = LogEnd(verdict, detail, self.chunks, self.messages, self.missing, self.last_seq)
        return [*([Deliver(held)] if held else []), Finish(end)]

    def _seal_data(self) -> bytes:
        header = self._last.header if isinstance(self._last, NegotiatedChunk) else None
        marks = merge_marks(self._marks.last, header.high_water if header else {})
        return reader_seal(self._next, self._settings.owner, marks, (header.epoch if header else 0) + 1)

    def _writer(self) -> tuple[str | None, int] | None:
        """Which process wrote the newest chunk: one that replays a spool continues its predecessor's stream."""
        if self._last is None:
            return None
        header = self._last.header if isinstance(self._last, NegotiatedChunk) else self._last.marks
        return self._stream(), header.epoch if header else 0

    def _stream(self) -> str | None:
        if isinstance(self._last, NegotiatedChunk):
            return self._last.header.stream
        if isinstance(self._last, LegacyChunk):
            return self._last.marks.stream if self._last.marks else self._marks.unnamed_stream
        return None


def _checked(number: int, chunk: AnyChunk) -> AnyChunk:
    if isinstance(chunk, NegotiatedChunk) and chunk.header.number != number:
        return CorruptChunk(f"it is a copy of chunk {chunk.header.number}")
    return chunk


def _problem(kind: ProblemKind, text: str, chunk: int | None = None) -> Report:
    return Report(Problem(kind, text, chunk))
