"""`python -m tests.explorer`: play every scenario and every ablation, and print what came out.

Without options: bounds for every day, within a minute on one core. `--deep`: the bounds of the protocol's
section 9, which take hours. The exit code is 1 if a scenario breaks a rule or an ablation does not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from blobpipes.clock import SYSTEM_CLOCK
from tests.explorer.ablations import ABLATIONS, Ablation
from tests.explorer.play import Outcome, play_ablation, play_scenario
from tests.explorer.scenarios import DEEP, QUICK
from tests.explorer.search import Search
from tests.explorer.state import Scenario
from tests.explorer.world import World


def main(arguments: list[str]) -> int:
    given = _parser().parse_args(arguments)
    names = {name.upper() for name in given.scenario}
    scenarios = [each for each in (DEEP if given.deep else QUICK) if not names or each.name in names]
    ablations: list[Ablation] = [each for each in ABLATIONS if not names or each.name.upper() in names]
    if names and len(scenarios) + len(ablations) < len(names):
        known = [each.name for each in QUICK] + [each.name for each in ABLATIONS]
        print(f"There are {', '.join(known)}.", file=sys.stderr)
        return 2
    began = SYSTEM_CLOCK.monotonic()
    print(f"{'':4} {'states':>9} {'steps':>10} {'seconds':>8}  result")
    is_fine = True
    for outcome in _outcomes(scenarios, ablations):
        is_fine = is_fine and outcome.is_as_it_must
        _print_row(outcome)
        if outcome.result.trace and (given.trace or not given.brief or not outcome.is_as_it_must):
            _print_trace(outcome.result.trace)
    if given.trace:
        for scenario in scenarios:
            _print_example(scenario)
    print(f"{SYSTEM_CLOCK.monotonic() - began:.0f} s in all; {'as it must be' if is_fine else 'NOT AS IT MUST BE'}")
    return 0 if is_fine else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.explorer", description=__doc__)
    parser.add_argument("--deep", action="store_true", help="wide bounds; hours")
    parser.add_argument("--scenario", action="append", default=[], metavar="A5", help="only this one; may be repeated")
    parser.add_argument("--trace", action="store_true", help="also the history of each scenario's latest end")
    parser.add_argument("--brief", action="store_true", help="the table only, without the ablations' traces")
    return parser


def _outcomes(scenarios: list[Scenario], ablations: list[Ablation]) -> Iterator[Outcome]:
    yield from map(play_scenario, scenarios)
    yield from map(play_ablation, ablations)


def _print_row(outcome: Outcome) -> None:
    result = outcome.result
    numbers = f"{result.states:>9} {result.transitions:>10} {result.seconds:>8.1f}"
    print(f"{outcome.name:4} {numbers}  {outcome.title}: {outcome.verdict}", flush=True)


def _print_trace(trace: list[tuple[str, str]]) -> None:
    for number, (who, what) in enumerate(trace, 1):
        print(f"     {number:>3}. {who:8} {what}")


def _print_example(scenario: Scenario) -> None:
    search = Search(World(scenario))
    if search.run().finding:
        return
    print(f"\n{scenario.name}, {scenario.title}: one of {len(search.ends)} ends")
    _print_trace(search.history(search.ends[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
