"""A run whose worker was killed is executed again: the job that still runs is seen to its end, not launched twice."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest

from integration_tests.dagster import outliving
from integration_tests.dagster.steps import wait_until
from tests.external.launching import SOURCE

pytest.importorskip("dagster._core.pipes.reattach", reason="this Dagster keeps no launch handles")
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="sessions as Unix has them"),
    pytest.mark.timeout(300),  # three starts of Python with Dagster, one after the other
]
CHECKOUT = SOURCE.parent
FROM_FAILURE = {"dagster/is_resume_retry": "true"}  # as Dagster's daemon and web interface mark such a run


def said(instance: dg.DagsterInstance, run_id: str) -> str:
    entries = instance.all_logs(run_id)
    return "\n".join(e.user_message or (e.dagster_event.message if e.dagster_event else "") or "" for e in entries)


def executed_again(instance: dg.DagsterInstance, run_id: str):
    return dg.execute_job(
        dg.reconstructable(outliving.nightly),
        instance=instance,
        reexecution_options=dg.ReexecutionOptions.from_failure(run_id, instance),
        tags=FROM_FAILURE,
    )


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a run whose worker was killed while its job waits for the file `go`."""
    monkeypatch.setenv(outliving.FOLDER, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{SOURCE}{os.pathsep}{CHECKOUT}")
    worker = subprocess.Popen(
        [sys.executable, "-m", "integration_tests.dagster.outliving", str(tmp_path)], cwd=CHECKOUT
    )
    try:
        wait_until((tmp_path / "starts").exists)
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            run_id = str(instance.get_run_records()[0].dagster_run.run_id)
            wait_until(lambda: "Launched external run" in said(instance, run_id))
            worker.kill()
            worker.wait()
            instance.report_run_failed(instance.get_run_by_id(run_id))
    finally:
        worker.kill()
        worker.wait()
    return run_id


def test_the_job_that_still_runs_is_seen_to_its_end(killed: str, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        def when_attached() -> None:
            def is_attached() -> bool:
                runs = [record.dagster_run.run_id for record in instance.get_run_records()]
                return any("Reattached to in-progress" in said(instance, run) for run in runs)

            wait_until(is_attached)
            (tmp_path / "go").touch()

        watcher = threading.Thread(target=when_attached)
        watcher.start()
        with executed_again(instance, killed) as result:
            run_id = result.run_id
            assert result.success
        watcher.join()
        assert len((tmp_path / "starts").read_text().split()) == 1, "it was launched twice"
        entries = instance.all_logs(run_id)
        rows = [e.asset_materialization.metadata["rows"].value for e in entries if e.asset_materialization]
        assert rows == [3]
        assert "said before the worker was killed" in said(instance, run_id), "everything comes again"


def test_a_job_that_ended_well_meanwhile_is_not_launched_again(killed: str, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    wait_until(lambda: list(tmp_path.glob("jobs/*/code")))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, executed_again(instance, killed) as result:
        assert result.success
    assert len((tmp_path / "starts").read_text().split()) == 1


def test_a_run_that_somebody_starts_anew_launches_anew(killed: str, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    wait_until(lambda: list(tmp_path.glob("jobs/*/code")))
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.execute_job(dg.reconstructable(outliving.nightly), instance=instance) as result,
    ):
        assert result.success
    assert len((tmp_path / "starts").read_text().split()) == 2
