"""I1 to I7 on every state, G1 to G6 at the ends: section by section what the protocol promises.

I1 (a number is used once), I6 (order, no gap, no repeat) and I7 (no self-fencing) are judged where the step
is made, in `world.py`, `reading.py` and `processes.py`; G5 (an end can be reached) over the whole graph, in
`search.py`. The rest is here.
"""

from __future__ import annotations

from itertools import pairwise

from blobpipes.chunklog.header import Flag
from tests.explorer.pieces import READER, Chunk, name_of
from tests.explorer.reading import OVER
from tests.explorer.state import Process, Slot, State
from tests.explorer.world import World

Slots = tuple[Slot | None, ...]


class Invariants:
    """The rules for one world. Answers are remembered per log: many states share one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deletes_early = world.scenario.cleaning == "handled"
        self._logs: dict[Slots, str] = {}
        self._marks: dict[Slots, dict[str, int]] = {}

    def broken(self, state: State) -> str:
        """The first rule that `state` breaks, with the reason; "" if none."""
        if state.broken:
            return state.broken
        if not state.cleaned:
            found = self._logs.get(state.slots)
            if found is None:
                found = self._logs[state.slots] = self._log(state.slots)
            if found := found or self._stored(state):
                return found
        return self._end(state) if self.is_end(state) else ""

    def is_end(self, state: State) -> bool:
        """Every process that was started is over, and the reader has ended."""
        over = all(process.status in (*OVER, "new") for process in state.processes)
        return over and state.reader.ended is not None and not self._is_being_cleaned(state)

    # --- every state -------------------------------------------------------------------------------

    def _log(self, slots: Slots) -> str:
        """I2, I3, I4: what the log is, whoever looks."""
        if None in slots and self._deletes_early:
            return ""
        if None in slots:
            return f"I2: number {slots.index(None) + 1} is empty, though a higher one is filled"
        chunks = [self._world.chunks[slot.chunk] for slot in slots if slot is not None]
        for number, chunk in enumerate(chunks[:-1], 1):
            if chunk.has_ended:
                return f"I4: number {number} ends the log, and {number + 1} follows"
        return self._ownership([slot.owner for slot in slots if slot is not None], chunks)

    def _ownership(self, owners: list[int], chunks: list[Chunk]) -> str:
        for number, (one, other) in enumerate(pairwise(chunks), 2):
            if one.header is None or other.header is None:
                continue
            if other.header.epoch < one.header.epoch:
                return f"I3: the epoch falls from {one.header.epoch} to {other.header.epoch} at number {number}"
            if one.header.stream != other.header.stream and other.header.epoch == one.header.epoch:
                return f"I3: number {number} is from another process than {number - 1}, in the same epoch"
        runs = [owner for number, owner in enumerate(owners) if number == 0 or owners[number - 1] != owner]
        for owner in runs:
            if runs.count(owner) > 1:
                return f"I3: the log goes back to {name_of(owner)} after somebody else had it"
        return ""

    def _stored(self, state: State) -> str:
        """I5: what a writer was told is stored stands in a chunk."""
        if self._deletes_early or not self._world.parts.awaits_answers:
            return ""
        for number, process in enumerate(state.processes):
            if process.status != "runs":
                continue
            core = self._world.writers[process.core]
            held = self._held(state.slots).get(core._stream, 0)
            if core.stored > held:
                return f"I5: {name_of(number)} was told that {core.stored} messages are stored; the log holds {held}"
        return ""

    def _held(self, slots: Slots) -> dict[str, int]:
        """Up to which number the log holds each stream."""
        found = self._marks.get(slots)
        if found is None:
            found = self._marks[slots] = {}
            for slot in slots:
                header = self._world.chunks[slot.chunk].header if slot is not None else None
                if header is not None:
                    found[header.stream] = max(found.get(header.stream, 0), header.last)
        return found

    # --- the end -----------------------------------------------------------------------------------

    def _end(self, state: State) -> str:
        """G1, G2, G4, G6, where nothing more will be delivered."""
        seen = state.reader.seen
        for number, process in enumerate(state.processes):
            if process.status == "closed" and seen[number] < process.said:
                return f"G1: {name_of(number)} closed normally; {_missing(number, process, seen)}"
        if not state.cleaned:
            for slot in state.slots:
                for process_, index in self._world.chunks[slot.chunk].messages if slot else ():
                    if index >= seen[process_]:
                        return f"G2: {name_of(process_)}.{index} is stored and was never delivered"
        return self._spooled(state) or self._verdict(state)

    def _spooled(self, state: State) -> str:
        """G4: with a spool that is replayed nothing is lost, whoever was killed."""
        if self._world.scenario.spool == "off":
            return ""
        started = [number for number, process in enumerate(state.processes) if process.status != "new"]
        if state.processes[started[-1]].status != "closed":
            return ""
        for number in started:
            if state.reader.seen[number] < state.processes[number].said:
                return f"G4: the spool was replayed, but {_missing(number, state.processes[number], state.reader.seen)}"
        return ""

    def _verdict(self, state: State) -> str:
        """G6: what the reader says of the end is what stands in the log."""
        if state.cleaned or self._world.scenario.official or self._world.scenario.compatible:
            return ""
        slots = [slot for slot in state.slots if slot is not None]
        written = [self._world.chunks[slot.chunk].header for slot in slots if slot.owner != READER]
        last = written[-1] if written else None
        expected = "truncated"
        if last is not None and (last.has(Flag.END) or last.has(Flag.FAIL)):
            expected = "complete" if last.has(Flag.END) else "failed"
        if _verdict_of(state) != expected:
            return f"G6: the reader says {_verdict_of(state)}, and the log is {expected}"
        writers = [(header.stream, header.epoch) for header in written if header is not None]
        changes = sum(one != other for one, other in pairwise(writers))
        if state.reader.restarts_told != changes:
            return f"G6: {changes} times another process took over, and the reader told {state.reader.restarts_told}"
        return ""

    def _is_being_cleaned(self, state: State) -> bool:
        if self._world.scenario.cleaning in ("keep", "handled") or _verdict_of(state) != "complete":
            return False
        return state.cleaned == 0 or state.cleaned < len(state.slots)


def _missing(number: int, process: Process, seen: tuple[int, ...]) -> str:
    return f"of its {process.said} messages the reader got {seen[number]}"


def _verdict_of(state: State) -> str:
    return state.reader.ended.verdict if state.reader.ended is not None else ""
