"""The benchmarks run, at tiny sizes. What they measure is nobody's promise here; what they lose is."""

from __future__ import annotations

import json

import pytest

from benchmarks import bytes as sizes
from benchmarks import calls, hour, losses, sessions
from benchmarks.plan import Outcome


def test_both_packages_are_measured_call_by_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert calls.main(["--messages", "20", "--repeat", "1", "--channel", "file", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["calls"]
    assert [one["call"] for one in measured] == list(calls.CALLS)
    assert all(one["official_call"] > 0 and one["our_call"] > 0 for one in measured)


def test_sessions_arrive_as_a_whole() -> None:
    measured = [sessions.memory_session(30), sessions.file_session(30)]
    assert [(one.sent, one.arrived) for one in measured] == [(30, 30), (30, 30)]
    assert measured[1].job_cpu > 0


def test_minutes_of_a_slow_handler_lose_nothing() -> None:
    outcome = hour.simulate("blobpipes", 120)
    assert (list(outcome.arrived), outcome.caller_notes) == (list(outcome.sent), ["complete"])


def test_compression_saves_most_of_what_jobs_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert sizes.main(["--repeat", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    measured = {(one["content"], one["codec"]): one for one in told["chunks"]}
    large = {codec: measured["7000 log lines, 1 MiB", codec]["stored"] for codec in ("off", "gzip", "zstd")}
    assert large["zstd"] < large["gzip"] < large["off"] / 5
    assert all((hour["objects_before"], hour["objects_after"]) == (361, 3) for hour in told["hours"])
    assert all(hour["bytes_after"] < min(600_000, hour["bytes_before"]) for hour in told["hours"])
    assert measured["10 log lines", "gzip"]["stored"] == measured["10 log lines", "off"]["stored"]


@pytest.mark.parametrize("module", [calls, sessions, losses, sizes])
def test_every_benchmark_says_what_it_does(module: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])  # type: ignore[attr-defined]
    assert ended.value.code == 0
    assert "python -m benchmarks." in capsys.readouterr().out


def _outcome(arrived: list[int], error: str | None) -> Outcome:
    return Outcome([0, 1, 2], arrived, [], error, [], 1.0, 0.0, 0.0, 0.0, 0, 0)


@pytest.mark.parametrize(
    ("arrived", "error", "promised", "fine"),
    [
        ([0, 1, 2], None, True, True),
        ([0, 1], None, True, False),
        ([0, 1, 1, 2], None, True, False),  # twice is no better than lost
        ([0, 1], "IncompleteError", False, True),
        ([0, 1], None, False, False),  # nobody was told
        ([0, 1], "IncompleteError", True, False),
    ],
)
def test_a_loss_is_only_fine_where_it_is_expected_and_named(
    arrived: list[int], error: str | None, promised: bool, fine: bool
) -> None:
    assert losses.judge("row", "blobpipes", _outcome(arrived, error), promised=promised).as_promised is fine
