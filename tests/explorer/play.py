"""Play a scenario or an ablation, and say whether it came out as it must."""

from __future__ import annotations

from dataclasses import dataclass

from tests.explorer.ablations import Ablation
from tests.explorer.search import Result, Search
from tests.explorer.state import Scenario
from tests.explorer.world import World

LIMIT = 5_000_000  # states of one search; beyond, it counts as failed, because it was not exhaustive


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    name: str
    title: str
    result: Result
    verdict: str  # for people
    is_as_it_must: bool


def play_scenario(scenario: Scenario, limit: int = LIMIT) -> Outcome:
    """All states within its bounds must keep every rule."""
    result = Search(World(scenario)).run(limit)
    if result.finding:
        return Outcome(scenario.name, scenario.title, result, f"BROKEN {result.finding}", False)
    verdict = "holds" if result.is_exhaustive else f"NOT EXHAUSTIVE after {result.states} states"
    return Outcome(scenario.name, scenario.title, result, verdict, result.is_exhaustive)


def play_ablation(ablation: Ablation, limit: int = LIMIT) -> Outcome:
    """A rule must break, and one that the missing mechanism is there for."""
    result = Search(World(ablation.scenario, ablation.parts)).run(limit)
    rule = result.finding.partition(":")[0]
    if rule in ablation.breaks:
        return Outcome(ablation.name, ablation.title, result, f"breaks {result.finding}", True)
    verdict = f"BREAKS ANOTHER RULE {result.finding}" if rule else "DOES NOT BREAK"
    return Outcome(ablation.name, ablation.title, result, f"{verdict}; expected {' or '.join(ablation.breaks)}", False)
