"""The reading half of the chunk log, without I/O: what to ask the store for next, and what its answers mean.

Chunks are delivered in the order of their numbers; each message once, told apart by (stream, sequence
number). The end is proved, not guessed (`reader_end.py`). A damaged chunk or a hole is waited for, then named
and passed over; it never stops what follows (`reader_account.py` counts what it cost). Time and chance are
arguments; waiting and the store belong to `reader.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from blobpipes.chunklog.header import AnyChunk, CorruptChunk, Flag, LegacyChunk, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.pacing import ReaderPacing, heartbeat_pause
from blobpipes.chunklog.reader_account import Account, ReadableChunk, problem
from blobpipes.chunklog.reader_end import EndProof, Step
from blobpipes.chunklog.reader_trouble import Delay, Silence, StoreTrouble
from blobpipes.chunklog.reader_types import (
    Finish,
    Get,
    ListChunks,
    Listed,
    ReaderAction,
    ReaderSettings,
    Seal,
    State,
    Verdict,
)
from blobpipes.chunklog.reader_waves import Waves

__all__ = ["ReaderCore", "State"]

LOOK_AGAIN: Final = 1.0  # seconds between two looks at a damaged or missing chunk


class ReaderCore:
    """Decides for one log. Not thread-safe: its shell steps it from one thread at a time."""

    def __init__(self, settings: ReaderSettings, now: float) -> None:
        self.state = State.WAIT_FIRST
        self._settings = settings
        self._pacing = ReaderPacing(settings.options.interval, settings.options.idle)
        self._account = Account()
        self._proof = EndProof()
        self._trouble = StoreTrouble()
        self._waves = Waves()
        self._silence = Silence(now)
        self._delay = Delay()  # of a damaged or missing chunk
        self._due = now
        self._seal_in_flight = False
        self._list_wanted = self._list_in_flight = False
        self._known_higher: int | None = None  # a chunk above the next one that exists
        self._gone = False
        self._restarts_left = settings.restarts
        self._may_seal = settings.may_seal

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
        return self._waves.next

    @property
    def messages(self) -> int:
        """Messages delivered."""
        return self._account.messages

    @property
    def last_seq(self) -> Mapping[str, int]:
        """Last sequence number delivered, per stream."""
        return self._account.last_seq

    def due(self) -> float | None:
        """When `poll` has something to ask; None while answers are outstanding or all is done."""
        busy = self._waves.is_under_way or self._seal_in_flight or self._list_in_flight
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
            return [Seal(self._waves.next, self._account.seal(self._waves.next, self._settings.owner))]
        return [Get(number) for number in self._waves.begin()]

    def process_gone(self, now: float) -> None:
        """The platform says that the process has ended, and no other will come: read to the end."""
        self._proof.is_stale = self._waves.is_under_way
        self._gone = True
        if self.state in (State.WAIT_FIRST, State.TAIL, State.HOLD):
            self.state = State.DRAIN
        self._due = min(self._due, now)

    def on_object(self, number: int, data: bytes | None, now: float) -> list[ReaderAction]:
        """The answer to a GET: the object, or None where there is none."""
        self._trouble.answered()
        self._waves.on_answer(number, data)
        actions = self._consume(now)
        if not self._waves.is_under_way and not self.is_done:
            actions += self._after_wave(now)
        return actions

    def on_listed(self, chunks: Sequence[Listed], now: float) -> list[ReaderAction]:
        """The answer to a LIST."""
        self._list_in_flight = False
        self._trouble.answered()
        self._trouble.allowed()
        self._proof.is_listed = self._gone
        self._known_higher = min((c.number for c in chunks if c.number > self._waves.next), default=None)
        self._due = now
        if any(chunk.number == self._waves.next for chunk in chunks):
            return []
        overwritten = self._account.find_overwritten(chunks)
        if overwritten is not None:
            self._waves.begin_again()
            return [overwritten]
        if not self._gone:
            self._due = now + self._settings.options.interval
            return []
        if self._known_higher is not None:
            return self._wait_for_hole(now)
        return self._prove_end(self._proof.on_listed(can_seal=self._can_seal, has_closed=self._has_closed), now)

    def on_sealed(self, stored: bool, now: float) -> list[ReaderAction]:
        """The answer to a SEAL: it stands, or a late chunk was faster and is read first."""
        self._seal_in_flight = False
        self._trouble.answered()
        self._trouble.allowed()
        if stored:
            return self._finish_read(closed=False)
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
            self._waves.on_failure(action.number)
        elif isinstance(action, Seal):
            self._seal_in_flight = False
        elif isinstance(action, ListChunks):
            self._list_in_flight, self._list_wanted = False, True
        if refused and not isinstance(action, Get) and self._trouble.must_do_without():
            return self._do_without(action, now, text)
        return self._store_failed(now, refused=refused, chance=chance, text=text)

    # --- consuming chunks --------------------------------------------------------------------------

    def _consume(self, now: float) -> list[ReaderAction]:
        """Deliver what has arrived, up to the first number that has not."""
        actions: list[ReaderAction] = []
        while not self.is_done and (data := self._waves.current) is not None:
            chunk = _checked(self._waves.next, parse_chunk(data))
            may_grow = isinstance(chunk, CorruptChunk) or (isinstance(chunk, LegacyChunk) and chunk.is_cut)
            if may_grow and not self._give_up_waiting(now, self._settings.corrupt_patience):
                self._waves.put_away()
                break
            if isinstance(chunk, CorruptChunk):
                actions.append(self._account.pass_over(self._waves.next, chunk))
            else:
                actions += self._take(chunk, len(data), now)
            self._waves.advance()
            self._delay.since = self._known_higher = None
        return actions

    def _take(self, chunk: ReadableChunk, size: int, now: float) -> list[ReaderAction]:
        if isinstance(chunk, NegotiatedChunk) and (chunk.header.has(Flag.READER_SEAL) or chunk.header.has(Flag.TOMB)):
            self._account.chunks += 1
            return self._obey_flags(chunk, now)  # no process wrote it: it only ends the log
        self._silence.broken(now)
        self._proof.on_chunk()
        actions = self._account.take(self._waves.next, chunk, size)
        return actions + (self._obey_flags(chunk, now) if isinstance(chunk, NegotiatedChunk) else [])

    def _obey_flags(self, chunk: NegotiatedChunk, now: float) -> list[ReaderAction]:
        header, account = chunk.header, self._account
        if header.has(Flag.TOMB):
            return self._finish("truncated", "The session was cleaned up before this reader came.")
        if header.seals:
            closed = header.has(Flag.END)
            account.job_failed = account.job_failed and not closed
            account.count_missing(header)
            return self._finish_read(closed)
        if header.has(Flag.OPEN):
            account.job_failed = False
        self.state = State.DRAIN if self._gone else State.TAIL
        if header.has(Flag.FAIL):
            account.job_failed = True
            self._after_failure(now)
        return []

    def _after_failure(self, now: float) -> None:
        """The process closed with an exception: wait for its successor, or see to it that none comes."""
        self._due = now
        if self._restarts_left > 0 and not self._gone:
            self._restarts_left -= 1
            self.state = State.HOLD
        else:
            self.state = State.SEAL if self._may_seal else State.DRAIN

    # --- after a wave of gets ----------------------------------------------------------------------

    def _after_wave(self, now: float) -> list[ReaderAction]:
        if self._waves.has_failed:
            return []
        if self._waves.has_hits:
            self._due = self._after_hit(now)
            self._waves.settle(caught_up=self._due > now)
            return []
        self._waves.settle(caught_up=True)
        return self._after_absent(now)

    def _after_hit(self, now: float) -> float:
        header = self._account.last_header
        if header is not None:
            due = self._pacing.after_chunk(
                now, header.stream, header.elapsed, header.next_within, empty=header.count == 0
            )
        else:
            due = self._pacing.after_unpaced_chunk(now)
        return now if self._gone or self.state is State.SEAL else due

    def _after_absent(self, now: float) -> list[ReaderAction]:
        self._known_higher = self._waves.lowest_arrived or self._known_higher
        if self._known_higher is not None:
            return self._wait_for_hole(now)
        if self._delay.since is not None:  # a damaged chunk: look again soon
            self._due = now + LOOK_AGAIN
            return []
        actions = self._account.release()
        has_failed = self._account.job_failed
        if self._gone or (has_failed and self.state is not State.HOLD):
            step = self._proof.on_absent(can_seal=self._can_seal, has_closed=self._has_closed, has_failed=has_failed)
            return actions + self._prove_end(step, now)
        self._due = self._pacing.after_absent(now)
        return actions + self._check_silence(now)

    def _wait_for_hole(self, now: float) -> list[ReaderAction]:
        """The next number is absent while a higher one exists: somebody deleted it, or never wrote it."""
        assert self._known_higher is not None
        if not self._give_up_waiting(now, self._settings.gap_patience):
            return []
        hole = self._account.pass_over_hole(self._waves.next, self._known_higher)
        self._waves.next = self._known_higher
        self._delay.since = self._known_higher = None
        self._due = now
        return [hole, *self._consume(now)]

    def _give_up_waiting(self, now: float, patience: float) -> bool:
        """Has a damaged or missing chunk been waited for long enough? If not, look again soon."""
        self._due = now + LOOK_AGAIN
        return self._delay.is_over(now, patience=patience, gone=self._gone)

    def _check_silence(self, now: float) -> list[ReaderAction]:
        if self._settings.options.heartbeat <= 0 or self._account.last_header is None:
            return []
        pause = heartbeat_pause(self._settings.options)
        if self._silence.wants_listing(now, pause):
            self._list_wanted, self._due = True, now
        return [problem("silent", self._silence.text(now, pause))] if self._silence.is_news(now, pause) else []

    # --- a store that does not answer --------------------------------------------------------------

    def _store_failed(self, now: float, *, refused: bool, chance: float, text: str) -> list[ReaderAction]:
        self._due = now + self._trouble.wait(now, refused=refused, chance=chance)
        patience = self._settings.store_patience
        if self._trouble.is_hopeless(now, refused=refused, gone=self._gone, patience=patience):
            return self._finish("refused" if refused else "unreachable", text)
        return [problem("store", text)] if self._trouble.is_news(now) else []

    def _do_without(self, action: ReaderAction, now: float, text: str) -> list[ReaderAction]:
        """We may read but not write, or not list: end the log as well as that allows."""
        self._due = now
        if isinstance(action, Seal):
            self._may_seal = False
            self.state = State.DRAIN
            self._gone = True
            return [problem("store", f"the log's end cannot be sealed: {text}")]
        self._list_wanted, self._proof.is_listed = False, self._gone
        return [problem("store", f"the log cannot be listed: {text}")]

    # --- the end -----------------------------------------------------------------------------------

    def _prove_end(self, step: Step, now: float) -> list[ReaderAction]:
        """The process is gone and the next number is absent."""
        self._due = now
        match step:
            case Step.LIST:
                self._list_wanted = True  # a hole must not be taken for the end
            case Step.SEAL:
                self.state = State.SEAL
            case Step.LOOK:
                pass
            case Step.LOOK_LATER:
                self._due = now + self._settings.end_grace
            case Step.END:
                return self._finish_read(closed=self._account.closing == "clean")
        return []

    @property
    def _can_seal(self) -> bool:
        """Our own writers heed a seal; an official one would write over it."""
        return self._may_seal and (self._account.is_negotiated or self._account.last is None)

    @property
    def _has_closed(self) -> bool:
        return self._account.closing is not None

    def _finish_read(self, closed: bool) -> list[ReaderAction]:
        """All that there is was read; `closed`: the process said that it had ended."""
        return self._finish(self._account.verdict(closed), self._account.detail(closed))

    def _finish(self, verdict: Verdict, detail: str) -> list[ReaderAction]:
        self.state = State.DONE
        held = self._account.release()
        return [*held, Finish(self._account.end(verdict, detail))]


def _checked(number: int, chunk: AnyChunk) -> AnyChunk:
    if isinstance(chunk, NegotiatedChunk) and chunk.header.number != number:
        return CorruptChunk(f"it is a copy of chunk {chunk.header.number}")
    return chunk
