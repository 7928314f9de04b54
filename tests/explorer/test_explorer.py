"""Every interleaving within small bounds: the rules hold, and each mechanism that is taken away is missed.

`python -m tests.explorer` plays wider bounds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.explorer.__main__ import main
from tests.explorer.ablations import ABLATIONS, Ablation
from tests.explorer.automaton import Automaton, Event, clone, freeze
from tests.explorer.play import play_ablation
from tests.explorer.scenarios import DEEP, QUICK, SMALL
from tests.explorer.search import Result, Search
from tests.explorer.state import Faults, Parts, Scenario
from tests.explorer.world import World

BY_NAME = {each.name: each for each in SMALL}


@cache
def searched(name: str) -> tuple[Search, Result]:
    """The search of a small scenario, done once for all tests."""
    search = Search(World(BY_NAME[name]))
    return search, search.run()


@pytest.mark.parametrize("name", BY_NAME)
def test_every_interleaving_keeps_the_rules(name: str) -> None:
    _, result = searched(name)
    assert result.finding == "", f"{result.finding}\n{_text(result.trace)}"
    assert result.is_exhaustive
    assert result.ends > 10


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.name)
def test_what_is_taken_away_is_missed(ablation: Ablation) -> None:
    outcome = play_ablation(ablation)
    assert outcome.is_as_it_must, f"{outcome.verdict}\n{_text(outcome.result.trace)}"
    assert len(outcome.result.trace) <= 12  # short enough to be read


def test_the_same_bounds_hold_with_nothing_taken_away() -> None:
    """So it is the missing part that breaks the rule. Four ablations are of the scenario itself."""
    scenarios = {each.scenario for each in ABLATIONS if each.parts != Parts() and each.name != "X9b"}
    assert [_text(Search(World(each)).run().trace) for each in scenarios] == [""] * len(scenarios)


def test_all_of_the_protocols_scenarios_and_ablations_are_played() -> None:
    wanted = [f"A{number}" for number in range(1, 13)]
    for bounds in (SMALL, QUICK, DEEP):
        assert [each.name for each in bounds if each.name.startswith("A")] == wanted
    assert {each.name for each in ABLATIONS} >= {f"X{number}" for number in range(1, 16)} | {"X9b", "X9c"}


def test_the_search_reaches_what_it_is_about() -> None:
    """Each of these must happen somewhere, or the rules were kept for want of an occasion."""
    happened: set[str] = set()
    statuses: set[str] = set()
    verdicts: set[str] = set()
    for name in BY_NAME:
        search, _ = searched(name)
        happened |= {what for _, what in search.happened}
        statuses |= {process.status for state in search.states for process in state.processes}
        verdicts |= {state.reader.ended.verdict for state in search.states if state.reader.ended is not None}
    for part in HAPPENS:
        assert any(part in what for what in happened), part
    assert statuses == {"new", "runs", "killed", "closed", "raised"}
    assert verdicts == {"complete", "failed", "truncated"}


HAPPENS = (
    "request lost", "reply lost", "no answer yet", "a false 'exists'", "arrives late", "gives up", "is killed",
    "exists, reads", "lists:", "crashes", "lies: gone", "says: gone", "seals 1: stored", "seals 2: exists",
    "asks for 2, 3", "puts the tombstone", "deletes 2", "handles one message", "rseal",
)  # fmt: skip


@pytest.mark.parametrize("name", ["A1", "A2", "A5", "A11"])
def test_a_reduced_search_leaves_out_no_outcome(name: str) -> None:
    full, reduced = (_outcomes(replace(SHORTEST[name], reduced=reduced)) for reduced in (False, True))
    assert full == reduced
    assert len(full) > 10


SHORTEST = {
    **BY_NAME,
    "A1": replace(BY_NAME["A1"], may_fail=False),
    "A2": replace(BY_NAME["A2"], says=0),
    "A11": replace(BY_NAME["A11"], faults=Faults(lies=1)),
}


def _outcomes(scenario: Scenario) -> set[object]:
    """How all may end: what stands in the log, what was delivered, what everybody was told."""
    search = Search(World(scenario))
    result = search.run()
    assert result.finding == ""
    ends = set(search.ends)
    return {
        (
            tuple(process.status for process in state.processes),
            tuple(search.world.chunks[slot.chunk].data for slot in state.slots if slot is not None),
            state.reader.seen,
            state.reader.ended,
        )
        for number, state in enumerate(search.states)
        if number in ends
    }


@pytest.mark.parametrize("name", ["A4", "A11"])
def test_what_a_state_leaves_out_of_a_core_decides_nothing(name: str) -> None:
    world = World(BY_NAME[name], automaton=Doubting)
    assert Search(world).run().finding == ""
    assert isinstance(world.writers, Doubting)
    assert isinstance(world.readers, Doubting)
    assert world.writers.doubted + world.readers.doubted > 20


class Doubting(Automaton[Any]):
    """Keeps one more core for each state, of another history, and sees whether it always does the same."""

    def __init__(self, apply: Any) -> None:
        super().__init__(apply)
        self._others: dict[int, Any] = {}
        self.doubted = 0

    def add(self, core: Any) -> int:
        number = super().add(core)
        if self[number] is not core and _everything(core) != _everything(self[number]):
            self._others.setdefault(number, core)
        return number

    def step(self, number: int, event: Event) -> tuple[int, Any]:
        follower, output = super().step(number, event)
        if number in self._others:
            self.doubted += 1
            other = clone(self._others[number])
            assert self._apply(other, event) == output
            assert freeze(other) == freeze(self[follower])
        return follower, output


def _everything(core: Any) -> dict[str, object]:
    return {name: value for name, value in vars(core).items() if isinstance(value, (int, float))}


def test_a_copy_of_a_core_is_equal_and_shares_nothing_that_changes() -> None:
    world = searched("A4")[0].world
    for number in range(len(world.writers)):
        core = world.writers[number]
        before, copy = freeze(core), clone(core)
        assert freeze(copy) == before
        if not copy.is_over:
            copy.accept(b"{}", 0.0)
            copy.poll(100.0)
            assert freeze(copy) != before
        assert freeze(core) == before


def test_the_command_prints_a_table_and_says_how_it_came_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", "a7", "--scenario", "X10", "--trace"]) == 0
    printed = capsys.readouterr().out
    assert "three processes start at once: holds" in printed
    assert "two puts in flight: breaks I2" in printed
    assert "the put of 2 by P1 arrives late" in printed
    assert main(["--scenario", "A99"]) == 2


def _text(trace: list[tuple[str, str]]) -> str:
    return "\n".join(f"{who:8} {what}" for who, what in trace)
