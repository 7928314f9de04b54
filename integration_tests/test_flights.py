"""The main job on the three clouds' stores: twelve months, two at once, each a process of its own."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from integration_tests.servers.clouds import Cloud

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def year() -> Any:
    """examples/flights/year.py, whose job is found beside it."""
    return SimpleNamespace(**runpy.run_path(str(ROOT / "examples" / "flights" / "year.py"), run_name="year"))


@pytest.fixture(autouse=True)
def _jobs_find_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))


@pytest.mark.timeout(900)
def test_a_year_of_flights_arrives_whole(cloud: Cloud, year: Any) -> None:
    messages: Counter[str] = Counter()
    ended = []
    for event in year.run_year(f"{cloud.url}?interval=1s", parallel=2):
        messages[event.month] += isinstance(event, year.MonthMessage)
        if isinstance(event, year.MonthEnded):
            ended.append(event)

    assert {month.month: str(month.error) for month in ended if month.error} == {}
    assert sorted(month.month for month in ended) == list(year.MONTHS)
    assert {month.report.verdict for month in ended} == {"complete"}
    assert sum(month.report.problem_total for month in ended) == 0
    assert sum(month.summary["flights"] for month in ended) == 336_776
    assert sum(month.summary["cancelled"] for month in ended) == 8_255
    assert set(messages.values()) == {18}, "every message was seen while the year ran"
    assert sum(check.passed for month in ended for check in month.checks) == 113
    assert year.table_rows(ended)[-1][1] == "336,776"

    charts = {month.month: month.materialization.values["chart"] for month in ended}
    assert charts["2013-07"] == f"{cloud.url}/results/2013-07/delays.png"
    for url in charts.values():
        with fsspec.open(url, "rb") as file:
            assert file.read(4) == b"\x89PNG"


@pytest.mark.timeout(300)
def test_a_month_that_does_not_exist_fails_with_its_own_words(cloud: Cloud, year: Any) -> None:
    *_, ended = year.run_year(f"{cloud.url}?interval=1s", months=["2013-13"])
    assert ended.report.verdict == "failed"
    assert ended.report.exception["name"] == "ValueError"
    assert "the data has 2013-01 to 2013-12" in ended.report.exception["message"]
