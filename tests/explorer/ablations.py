"""X1 to X16: one mechanism taken away, and the rule that must break. A check that cannot fail proves nothing.

Each is a part that differs from the shipped one in a few lines, never a switch in the shipped code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blobpipes.chunklog.header import (
    AnyChunk,
    ChunkHeader,
    LegacyChunk,
    NegotiatedChunk,
    encode_chunk,
    parse_chunk,
)
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import ReaderAction
from blobpipes.chunklog.writer_core import State, WriterCore
from blobpipes.chunklog.writer_slot import Finding, Foreign
from tests.explorer.state import Faults, Parts, Scenario


@dataclass(frozen=True)
class Ablation:
    """What is missing, where that shows, and which rules may be the first to break."""

    name: str
    title: str
    scenario: Scenario
    parts: Parts
    breaks: tuple[str, ...]


# --- writers ------------------------------------------------------------------------------------------


class TakesExistsForSuccess(WriterCore):
    def on_exists(self, now: float) -> None:
        self.on_stored(now)


class TakesExistsForFenced(WriterCore):
    def on_exists(self, now: float) -> None:
        self._end(State.FENCED, "the number is taken")


class WaitsForTheOther(WriterCore):
    """Told "exists", and finding nothing there, it looks again instead of sending again."""

    def on_read(self, data: bytes | None, now: float) -> None:
        if data is None:
            self._asked = False
        else:
            super().on_read(data, now)


class HasNoEpoch(WriterCore):
    """Cannot tell a newer process from an older one, so it goes on behind whatever it finds."""

    def _act_on(self, finding: Finding, now: float) -> None:
        self.state = State.CLAIM if isinstance(finding, Foreign) else self.state
        super()._act_on(finding, now)

    def _claim_behind(self, foreign: AnyChunk, number: int) -> None:
        super()._claim_behind(foreign, number)
        self._place.epoch = 1


class ClaimsAgain(WriterCore):
    """Fenced, it takes the log back with a newer epoch."""

    def _act_on(self, finding: Finding, now: float) -> None:
        if isinstance(finding, Foreign) and self.state in (State.OPEN, State.DRAIN):
            self.state, self.chunks = State.CLAIM, 0
        super()._act_on(finding, now)


class IgnoresSeals(WriterCore):
    def on_read(self, data: bytes | None, now: float) -> None:
        chunk = None if data is None or (self._frozen and data == self._frozen.data) else parse_chunk(data)
        if isinstance(chunk, NegotiatedChunk):
            data = encode_chunk(replace(chunk.header, flags=frozenset()), chunk.lines)
        super().on_read(data, now)


class ReplaysAll(WriterCore):
    """Does not look into the tail for what it holds already."""

    def _claim_behind(self, foreign: AnyChunk, number: int) -> None:
        super()._claim_behind(_without_marks(foreign), number)


class NeverLooksBack(WriterCore):
    """Closes when the last chunk is stored, without a look at slot 1."""

    def _after_stored(self, frozen: object) -> None:
        super()._after_stored(frozen)  # type: ignore[arg-type]
        if self.state is State.VERIFY:
            self.state = State.CLOSED


def _without_marks(chunk: AnyChunk) -> AnyChunk:
    if isinstance(chunk, LegacyChunk) and chunk.marks is not None:
        return replace(chunk, marks=_unmarked(chunk.marks))
    return replace(chunk, header=_unmarked(chunk.header)) if isinstance(chunk, NegotiatedChunk) else chunk


def _unmarked(header: ChunkHeader) -> ChunkHeader:
    return replace(header, high_water={})


class TakesEqualForMine(WriterCore):
    """Takes a chunk that it only replays for its own fence."""

    def _can_be_mine_only(self, batch: object) -> bool:
        return True


# --- readers ------------------------------------------------------------------------------------------


class GivesUp(ReaderCore):
    """Ends after three looks in vain."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._looks_left = 3

    def on_object(self, number: int, data: bytes | None, now: float) -> list[ReaderAction]:
        actions = super().on_object(number, data, now)
        self._looks_left = self._looks_left - 1 if data is None else 3
        return actions if self._looks_left or self.is_done else self._finish("truncated", "out of looks")


# --- X1 to X16 ----------------------------------------------------------------------------------------


def _two(title: str, **bounds: object) -> Scenario:
    return Scenario("", title, **{"processes": 2, "says": 1, **bounds})  # type: ignore[arg-type]


_RESTART = _two("SIGKILL, restart", faults=Faults(kills=1), starts="restart")
_ZOMBIE = _two("zombie", starts="zombie")
_ALONE = Scenario("", "one process", Faults(requests=1, replies=1, late=1, exists=1, answers=2))
_KILLED = Scenario("", "one process, SIGKILL, a late put", Faults(late=1, kills=1))
_READER_CRASHES = Scenario("", "the reader crashes", Faults(crashes=1))
_CLEANED = _two("zombie, clean-up", says=0, starts="zombie", cleaning="tombstone")

ABLATIONS: Sequence[Ablation] = (
    Ablation("X1", "the put overwrites", _RESTART, Parts(put_overwrites=True), ("I1",)),
    Ablation("X2", '"exists" is success, after a restart', _RESTART, Parts(writer=TakesExistsForSuccess), ("I5",)),
    Ablation("X3", '"exists" is success, one process', _ALONE, Parts(writer=TakesExistsForSuccess), ("I5",)),
    Ablation("X4", '"exists" is fenced, one process', _ALONE, Parts(writer=TakesExistsForFenced), ("I7",)),
    Ablation("X5", "no epoch", _ZOMBIE, Parts(writer=HasNoEpoch), ("I3",)),
    Ablation("X6", "a fenced writer claims again", _ZOMBIE, Parts(writer=ClaimsAgain), ("I3",)),
    Ablation("X7", "a clean close does not seal", _RESTART, Parts(writer=IgnoresSeals), ("I4",)),
    Ablation("X8", "a spool is replayed without trimming",
             _two("spool, official reader", faults=Faults(kills=1), starts="restart", spool="all", official=True),
             Parts(writer=ReplaysAll), ("I6",)),
    Ablation("X8b", "a replay takes an equal chunk of its predecessor for its own fence",
             _two("spool", faults=Faults(replies=1, kills=1), starts="restart", spool="all", per_chunk=1),
             Parts(writer=TakesEqualForMine), ("I7",)),
    Ablation("X9", "handled chunks are deleted while the log is open",
             replace(_ZOMBIE, cleaning="handled"), Parts(), ("I1", "G1")),
    Ablation("X9b", "everything is deleted at the end, and `close` does not look",
             replace(_CLEANED, cleaning="everything"), Parts(writer=NeverLooksBack), ("G1",)),
    Ablation("X9c", "a tombstone, and `close` does not look", _CLEANED, Parts(writer=NeverLooksBack), ("G1",)),
    Ablation("X10", "two puts in flight", Scenario("", "one process"), Parts(awaits_answers=False), ("I2",)),
    Ablation("X11", "a cursor is stored before handling",
             replace(_READER_CRASHES, sink="cursor before"), Parts(), ("I6",)),
    Ablation("X12", "a cursor is stored after handling, the sink repeats",
             replace(_READER_CRASHES, sink="cursor after"), Parts(), ("I6",)),
    Ablation("X13", "the reader ends after so many looks", _ALONE, Parts(reader=GivesUp), ("G1", "G2", "G6")),
    Ablation("X14", 'the reader ends on "gone" and "absent", without a seal', _KILLED, Parts(may_seal=False), ("G2",)),
    Ablation("X15", "everything is deleted at the end, though `close` looks",
             replace(_CLEANED, cleaning="everything"), Parts(), ("G1",)),
    Ablation("X16", "a false 'exists' is waited out", _ALONE, Parts(writer=WaitsForTheOther), ("G5",)),
)  # fmt: skip
