"""A few hundred seeds each time; thousands by `python -m tests.simulation --seeds 5000`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.broken import BROKEN
from tests.simulation.lines import WATCHED, lines_of_shells
from tests.simulation.network import FAULTS
from tests.simulation.parts import Parts
from tests.simulation.play import Reached, command, play

pytestmark = pytest.mark.timeout(900)  # seconds: what needs 12 of processor time may have to share it with many

SEEDS = 240

# Each must be seen so often in these seeds, or they prove little. The seeds are the same every time.
INTERESTING = {
    **dict.fromkeys((f"fault: {fault}" for fault in FAULTS), 10),
    **dict.fromkeys((f"verdict: {verdict}" for verdict in ("complete", "failed", "truncated")), 40),
    "verdict: refused": 3, "verdict: unreachable": 1, "verdict: none": 5,
    **dict.fromkeys((f"job: {how}" for how in ("closed", "failed", "left")), 50),
    **dict.fromkeys((f"job: {error}" for error in ("FencedError", "LogSealedError", "UndeliveredError")), 15),
    "job: resent": 3, "job: replays a spool": 5, "job: waited for room": 20, "job: warned": 50, "job: SIGTERM": 15,
    "job: flushed": 50, "job: not flushed in time": 20, "job: spoke after the end": 5,
    "platform: killed a process": 30, "platform: killed a process after its grace": 10,
    "platform: paused a process": 15, "platform: started another process beside it": 20, "platform: lied": 15,
    "reader: crash": 20, "reader: stop": 10, "reader: lose executors": 10,
    "reader: HandlerError reached who waits": 3, "reader: StoreBugError reached who waits": 3,
    "store: a late put is stored": 20, "store: a late put is too late": 50,
    "G4: a replayed spool lost nothing": 1, "the pace was judged": 10,
}  # fmt: skip

# Where to begin to look for what few seeds find; all of them are tried. It saves time, and no more.
BEGIN_AT = {"ForgetsWhoWasWoken": 115, "TakesTheLastTimer": 95}

NOT_SIMULATED = {"_check_process", "shared_poller"}  # a fork; the one poller of a real process


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Reached:
    """What the seeds came to. That each of them came out as it must is what making this tests."""
    seen, folder = Reached(), tmp_path_factory.mktemp("spools")
    for seed in range(SEEDS):
        with replayable(seed):
            play(seed, folder, seen)
    return seen


class replayable:  # noqa: N801 - reads as a statement
    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            raise AssertionError(f"replay: {command(self._seed)}") from error


def test_whatever_a_seed_decides_the_shells_keep_their_promises(reached: Reached) -> None:
    assert sum(count for what, count in reached.counts.items() if what.startswith("verdict")) >= SEEDS


def test_the_seeds_reach_what_this_is_about(reached: Reached) -> None:
    few = {what: reached.counts[what] for what, least in INTERESTING.items() if reached.counts[what] < least}
    assert few == {}


def test_the_seeds_run_nearly_every_line_of_the_shells(reached: Reached) -> None:
    ran = {(code.co_filename, line) for code, line in reached.lines}
    lines = {entry for entry in lines_of_shells() if entry[1] not in NOT_SIMULATED}
    missed = {(path, function, line) for path, function, line in lines if (path, line) not in ran}
    functions = {(path, function) for path, function, _ in lines}
    entered = {(path, function) for path, function, line in lines - missed}
    assert functions - entered == set()
    assert len(missed) <= 0.08 * len(lines), sorted(missed)
    assert {path for path, _ in ran} == WATCHED


@pytest.mark.parametrize("name", BROKEN)
def test_a_bug_that_was_planted_is_found(name: str, tmp_path: Path) -> None:
    begin = BEGIN_AT.get(name, 0)
    for seed in [*range(begin, SEEDS), *range(begin)]:
        if not _holds(seed, tmp_path, BROKEN[name]):
            return
    pytest.fail(f"no seed finds {BROKEN[name]}")


def _holds(seed: int, folder: Path, parts: Parts) -> bool:
    try:
        play(seed, folder, Reached(), parts=parts)
    except Exception:  # an assertion, or whatever the broken shell makes of its core
        return False
    return True


def trace(seed: int, folder: Path) -> list[str]:
    said: list[str] = []
    play(seed, folder, Reached(), say=said.append)
    return said


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    traces = [trace(seed, tmp_path / "one") for seed in range(12)]
    assert traces == [trace(seed, tmp_path / "other") for seed in range(12)]
    assert sum(map(len, traces)) > 400
    assert len(set(map(tuple, traces))) == 12


def test_a_failing_seed_prints_the_line_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "50", "--planted", "AnswersFlushEarly"]) == 1
    replay = capsys.readouterr().out.strip().rpartition("replay: python -m tests.simulation ")[2]
    assert main([*replay.split(), "--trace"]) == 1
    assert "is stored" in capsys.readouterr().out
    assert main(["--seed", replay.split()[1]]) == 0
