"""The modelled store and the tables that all states of one search share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import ReaderSettings
from blobpipes.chunklog.writer_buffer import Record
from blobpipes.chunklog.writer_core import WriterCore
from tests.chunklog.spool_model import SpoolModel
from tests.explorer.automaton import Automaton
from tests.explorer.pieces import (
    NOW,
    OPTIONS,
    AnyTime,
    Chunks,
    OfficialReader,
    apply_to_reader,
    apply_to_writer,
    line,
    name_of,
    new_reader,
)
from tests.explorer.state import Cursor, Parts, Process, Scenario, Slot, State, break_rule


class World:
    """One scenario, played with given parts."""

    def __init__(
        self, scenario: Scenario, parts: Parts | None = None, automaton: type[Automaton[Any]] = Automaton
    ) -> None:
        self.scenario = scenario
        self.parts = parts or Parts()
        self.is_lasting = scenario.cleaning == "keep" and not self.parts.put_overwrites  # a chunk never changes
        self.chunks = Chunks()
        self.writers: Automaton[WriterCore] = automaton(apply_to_writer)
        self.readers: Automaton[ReaderCore | OfficialReader] = automaton(apply_to_reader)

    # --- the store ---------------------------------------------------------------------------------

    def chunk_at(self, state: State, number: int) -> int | None:
        slot = state.slots[number - 1] if 0 < number <= len(state.slots) else None
        return None if slot is None else slot.chunk

    def data_at(self, state: State, number: int) -> bytes | None:
        chunk = self.chunk_at(state, number)
        return None if chunk is None else self.chunks[chunk].data

    def put(self, state: State, number: int, chunk: int, owner: int) -> tuple[State, bool]:
        """Put if absent: the store afterwards, and whether the chunk was taken."""
        present = self.chunk_at(state, number)
        if present is not None and not self.parts.put_overwrites:
            return state, False
        after = with_slot(state, number, Slot(chunk, owner))
        if number <= state.filled and present != chunk and not state.cleaned:
            after = break_rule(after, "I1", f"number {number} is used a second time, by {name_of(owner)}")
        return self.without_hopeless(after), True

    def without_hopeless(self, state: State) -> State:
        """Forget late puts that can change nothing any more, so that fewer states differ."""
        if not self.is_lasting or not state.late:
            return state
        hopeful = tuple(put for put in state.late if self.chunk_at(state, put[0]) is None)
        return state if len(hopeful) == len(state.late) else state._replace(late=hopeful)

    def land(self, state: State, index: int) -> State:
        """The late put `index` reaches the store."""
        number, chunk, owner = state.late[index]
        rest = state.late[:index] + state.late[index + 1 :]
        return self.put(state._replace(late=rest), number, chunk, owner)[0]

    # --- cores -------------------------------------------------------------------------------------

    def started(self, processes: tuple[Process, ...], number: int) -> Process:
        """Process `number` (from 0) with a core that has accepted `opened`, behind what its spool holds."""
        spool = self._left_by(processes[number - 1], processes) if number else []
        stream = processes[number - 1].stream if spool else number
        core = self.parts.writer(
            stream=f"s{stream + 1}",
            options=replace(OPTIONS, max_messages=self.scenario.per_chunk),
            negotiated=not (self.scenario.official or self.scenario.compatible),
            now=NOW,
            backlog=SpoolModel(spool) if spool else None,
            resume=(spool[0].seq, spool[-1].seq) if spool else None,
        )
        core._pacing = AnyTime()  # type: ignore[assignment]
        first = core.accepted + 1
        core.accept(line(number, 0, "opened"), NOW)
        return Process("runs", self.writers.add(core), said=1, stream=stream, first=first)

    def _left_by(self, dead: Process, processes: tuple[Process, ...]) -> list[Record]:
        """What the next process finds in the spool."""
        if self.scenario.spool == "off" or dead.status not in ("killed", "raised"):
            return []
        stored = dead.stored if self.scenario.spool == "unstored" else 0
        return [
            Record(seq, text)
            for number, process in enumerate(processes)
            if process.status != "new" and process.stream == dead.stream
            for seq, text in enumerate(lines_of(process, number), process.first)
            if seq > stored
        ]

    def new_reader(self, cursor: Cursor = Cursor()) -> int:  # noqa: B008 - a value
        if self.scenario.official:
            return self.readers.add(OfficialReader())
        settings = ReaderSettings(OPTIONS, restarts=self.scenario.restarts, may_seal=self.parts.may_seal)
        core = new_reader(self.parts.reader, settings, in_waves=self.scenario.in_waves)
        core._waves.next, core._account.marks.last = cursor.number, dict(cursor.marks)
        return self.readers.add(core)


def with_slot(state: State, number: int, slot: Slot | None) -> State:
    slots = [*state.slots, *[None] * (number - len(state.slots))]
    slots[number - 1] = slot
    while slots and slots[-1] is None:
        slots.pop()
    return state._replace(slots=tuple(slots), filled=max(state.filled, number if slot else 0))


def lines_of(process: Process, number: int) -> list[bytes]:
    """Every message that process `number` has accepted."""
    kinds = ["opened", *["log"] * (process.said - 1)]
    if process.closing:
        kinds[-1] = process.closing
    return [line(number, index, kind) for index, kind in enumerate(kinds)]
