"""A job that no orchestrator launched: it works, and shows what it would send."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, DagsterPipesWarning, UnserializableError
from blobpipes.external.context import PipesContext
from blobpipes.external.open import open_dagster_pipes
from tests.external.launching import run_job

JOB = """
from blobpipes.external.open import open_dagster_pipes

for _ in range(2):
    with open_dagster_pipes() as context:
        context.log.info("working")
        context.log.debug("details")
        context.report_asset_materialization({"rows": 3}, "v1")
        context.report_asset_check("fresh", False, "WARN", asset_key="orders")
        context.report_custom_message([1, 2])
        context.log_external_stream("stdout", "text")
"""


@pytest.fixture
def local() -> PipesContext:
    with pytest.warns(DagsterPipesWarning, match="not launched"):
        return open_dagster_pipes()


def test_everything_is_shown_on_stderr_and_the_warning_comes_once() -> None:
    run = run_job(JOB)
    assert run.stdout == ""
    assert run.stderr.count("DagsterPipesWarning") == 1
    shown = [line.split(" ", 1)[1] for line in run.stderr.splitlines() if line[:2].isdigit()]
    assert shown == 2 * [
        "INFO working",
        "DEBUG details",
        'INFO materialized (asset), data version v1: {"rows": 3}',
        "WARNING check fresh of orders failed",
        "INFO custom message: [1, 2]",
        "INFO stdout: text",
    ]


def test_a_program_with_logging_of_its_own_keeps_its_format_and_level() -> None:
    run = run_job("import logging\nlogging.basicConfig(format='%(name)s|%(message)s', level=logging.INFO)\n" + JOB)
    shown = [line for line in run.stderr.splitlines() if "|" in line]
    assert shown[0] == "blobpipes.local|working"
    assert not any("details" in line for line in shown)
    assert len(shown) == 10


def test_the_warning_points_at_the_callers_line() -> None:
    with pytest.warns(DagsterPipesWarning) as caught:
        open_dagster_pipes()
    assert caught[0].filename == __file__


def test_the_warning_comes_once_even_if_all_warnings_are_shown() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_dagster_pipes().close()
        open_dagster_pipes().close()
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_asset_step", False),
        ("asset_key", None),
        ("asset_keys", []),
        ("code_version", None),
        ("code_version_by_asset_key", {}),
        ("provenance", None),
        ("provenance_by_asset_key", {}),
        ("is_partition_step", False),
        ("partition_key", None),
        ("partition_key_range", None),
        ("partition_time_window", None),
        ("run_id", "local"),
        ("job_name", None),
        ("retry_number", 0),
        ("extras", {}),
        ("is_closed", False),
    ],
)
def test_what_an_orchestrator_would_tell_is_none_or_empty(local: PipesContext, name: str, value: Any) -> None:
    assert getattr(local, name) == value


def test_an_extra_is_an_error_because_the_job_relies_on_it(local: PipesContext) -> None:
    with pytest.raises(DagsterPipesError, match="no extra 'limit'"):
        local.get_extra("limit")


def test_a_wrong_call_fails_here_as_it_would_in_a_launched_process(local: PipesContext) -> None:
    local.report_asset_materialization()
    for call, error in (
        (local.report_asset_materialization, DagsterPipesError),
        (lambda: local.report_asset_check("c", "yes"), DagsterPipesError),  # type: ignore[arg-type]
        (lambda: local.report_custom_message(object()), UnserializableError),
    ):
        with pytest.raises(error):
            call()
    local.close()
    with pytest.raises(DagsterPipesError, match="closed"):
        local.log.info("late")


def test_a_failing_check_is_shown_as_loud_as_it_is_severe(
    local: PipesContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    local.report_asset_check("a", True)
    local.report_asset_check("b", False)
    local.report_asset_check("c", False, "WARN")
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "WARNING"]


def test_a_long_report_is_clipped(local: PipesContext, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    local.report_custom_message("é" * 10_000)
    assert len(caplog.records[0].getMessage()) < 600


def test_an_exception_leaves_the_block_as_it_would_in_a_launched_process(local: PipesContext) -> None:
    with pytest.raises(ValueError, match="no rows"), local:
        raise ValueError("no rows")


def test_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: PipesContext) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOBPIPES_URL", f"file://{tmp_path}")
    with local:
        local.log.info("x")
    assert list(tmp_path.iterdir()) == []
