"""Breadth first through all states: the first finding has the shortest trace."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from sys import intern

from blobpipes.clock import SYSTEM_CLOCK
from tests.explorer import processes, reading
from tests.explorer.invariants import Invariants
from tests.explorer.pieces import name_of
from tests.explorer.state import Process, Reader, State, Step
from tests.explorer.world import World


@dataclass
class Result:
    """What a search found."""

    states: int = 0
    transitions: int = 0
    seconds: float = 0.0
    ends: int = 0
    finding: str = ""  # the broken rule and why; "" if all hold
    trace: list[tuple[str, str]] = field(default_factory=list)  # who, what: from the start to the finding
    is_exhaustive: bool = True


def begin(world: World) -> State:
    """Nothing has happened: the first process runs (or all of them), the reader waits."""
    count = world.scenario.processes
    running = count if world.scenario.starts == "together" else 1
    idle = tuple(Process() for _ in range(count))
    started = tuple(world.started(idle, number) for number in range(running))
    reader = Reader(world.new_reader(), seen=(0,) * count)
    return State((*started, *idle[running:]), (), (), reader, world.scenario.faults)


def successors(world: World, state: State) -> Iterator[Step]:
    """Everything that may happen in `state`."""
    for number in range(len(state.processes)):
        yield from processes.steps(world, state, number)
    yield from reading.steps(world, state)
    for index, (number, chunk, owner) in enumerate(state.late):
        if index == 0 or state.late[index - 1] != state.late[index]:
            what = f"the put of {number} by {name_of(owner)} arrives late [{world.chunks[chunk]}]"
            yield Step("store", what, world.land(state, index), is_fair=False)


class Search:
    """All states that can be reached, and how."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rules = Invariants(world)
        self._numbers: dict[State, int] = {}
        self._came_from = array("l")
        self._came_by: list[tuple[str, str]] = []
        self._fair_from, self._fair_to = array("l"), array("l")
        self._ends = array("l")

    def run(self, limit: int = 10_000_000) -> Result:
        """Walk until a rule breaks, everything was seen, or `limit` states were."""
        began = SYSTEM_CLOCK.monotonic()
        result = self._walk(limit)
        if not result.finding and result.is_exhaustive:
            self._look_for_dead_ends(result)
        result.states, result.ends = len(self._numbers), len(self._ends)
        result.seconds = SYSTEM_CLOCK.monotonic() - began
        return result

    @property
    def states(self) -> Iterable[State]:
        """All that were reached."""
        return self._numbers

    @property
    def happened(self) -> set[tuple[str, str]]:
        """Who did what, somewhere."""
        return set(self._came_by)

    def history(self, number: int) -> list[tuple[str, str]]:
        """Who did what, from the start to state `number`; no shorter way leads there."""
        trace = []
        while number > 0:
            trace.append(self._came_by[number])
            number = self._came_from[number]
        return trace[::-1]

    @property
    def ends(self) -> Sequence[int]:
        """The states in which all is over, those first that are reached by the fewest steps."""
        return self._ends

    def _walk(self, limit: int) -> Result:
        result = Result()
        first = begin(self.world)
        queue = deque([first])
        self._reach(first, -1, ("", ""))
        while queue:
            state = queue.popleft()
            origin = self._numbers[state]
            for who, what, after, is_fair in successors(self.world, state):
                result.transitions += 1
                after = reading.undisturbed(self.world, after)
                number = self._numbers.get(after)
                if number is None:
                    number = self._reach(after, origin, (who, what))
                    if finding := self._rules.broken(after):
                        result.finding, result.trace = finding, self.history(number)
                        return result
                    if number >= limit:
                        result.is_exhaustive = False
                        return result
                    queue.append(after)
                if is_fair and number != origin:
                    self._fair_from.append(origin)
                    self._fair_to.append(number)
        return result

    def _reach(self, state: State, origin: int, by: tuple[str, str]) -> int:
        number = self._numbers[state] = len(self._came_by)
        self._came_from.append(origin)
        self._came_by.append((by[0], intern(by[1])))
        if self._rules.is_end(state):
            self._ends.append(number)
        return number

    def _look_for_dead_ends(self, result: Result) -> None:
        """G5: from every state some end can be reached without any further fault."""
        before: dict[int, list[int]] = {}
        for origin, number in zip(self._fair_from, self._fair_to, strict=True):
            before.setdefault(number, []).append(origin)
        reached, queue = set(self._ends), deque(self._ends)
        while queue:
            for origin in before.get(queue.popleft(), ()):
                if origin not in reached:
                    reached.add(origin)
                    queue.append(origin)
        stuck = next((number for number in range(len(self._numbers)) if number not in reached), None)
        if stuck is not None:
            result.finding = "G5: from here no end can be reached"
            result.trace = self.history(stuck)
