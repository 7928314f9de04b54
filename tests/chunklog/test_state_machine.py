"""Both cores together under random faults, with real pacing and a clock that passes.

Where the explorer (`tests/explorer`) walks every order within small bounds and without time, this walks few
of the long ones: many messages, several requests on their way, heartbeats, refusals, pauses of minutes. The
oracle is what was accepted. After every step the log keeps the invariants I1 to I7; when all is over, the
guarantees G1, G2, G4 and G6 are judged, and that all comes to an end is G5. `life.py` holds it all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.chunklog.life import INTERESTING, Life
from tests.chunklog.walk import WEIGHTS, main, walk


def chooser(data: st.DataObject) -> Callable[[Sequence[Any]], Any]:
    return lambda options: options[data.draw(st.integers(0, len(options) - 1))]


class BothCores(RuleBasedStateMachine):
    """The actions of a life, in any order; hypothesis looks for the shortest one that goes wrong."""

    life: Life | None = None

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.life = Life(chooser(data), event)

    @invariant()
    def all_is_as_the_protocol_says(self) -> None:
        if self.life is not None:
            self.life.check()

    def teardown(self) -> None:
        if self.life is not None:
            self.life.finish()


def _rule_for(name: str) -> Any:
    def act(self: BothCores, data: st.DataObject) -> None:
        getattr(self.life, name)(chooser(data))

    act.__name__ = name
    return rule(data=st.data())(act)


for _name in WEIGHTS:
    setattr(BothCores, _name, _rule_for(_name))


def test_both_cores_keep_the_protocol_whatever_happens() -> None:
    unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        BothCores,
        settings=settings(max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=unhurried),
    )


def test_random_lives_reach_what_this_is_about() -> None:
    """The same seeds every time, so that this does not depend on luck."""
    reached: Counter[str] = Counter()
    for seed in range(400):
        walk(seed, lambda what: reached.update([what]))
    assert INTERESTING - set(reached) == set()


def test_a_failing_seed_prints_the_line_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(life: Life) -> None:
        assert len(life.plant.log) < 2, "found"

    monkeypatch.setattr(Life, "check", find)
    assert main(["--seed", "7", "--seeds", "50"]) == 1
    replay = capsys.readouterr().out.strip().rpartition("--seed ")[2]
    monkeypatch.undo()
    assert main(["--seed", *replay.replace("--seeds", "--seeds ").split()]) == 0
