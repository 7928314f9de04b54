"""The example code location, through Dagster's own command line: a month of flights, and what is recorded of it."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tests.external.launching import SOURCE

PROJECT = SOURCE.parent / "examples" / "dagster_project" / "definitions.py"
MONTHLY_DELAYS = dg.AssetKey(["flights", "monthly_delays"])


def dagster(folder: Path, *arguments: str) -> None:
    """Run `dagster`; everything that it keeps is in `folder`."""
    (folder / "home").mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{SOURCE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",  # with the Dagster that is tested
        "DAGSTER_HOME": str(folder / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "BLOBPIPES_URL": f"file://{folder}/pipes?interval=200ms",
        "FLIGHTS_RESULTS_URL": str(folder / "results"),
    }
    command = [sys.executable, "-W", "ignore", "-m", "dagster", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.timeout(1200)  # three starts of Dagster, which loads its code in processes of its own
def test_a_month_is_materialized_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["-f", str(PROJECT)]
    dagster(tmp_path, "asset", "materialize", *where, "--select", "flights/monthly_delays", "--partition", "2013-02")
    dagster(tmp_path, "asset", "materialize", *where, "--select", "flights/punctuality")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        (record,) = instance.fetch_materializations(MONTHLY_DELAYS, limit=5).records
        made = record.asset_materialization
        assert made is not None
        assert made.partition == "2013-02"
        assert made.metadata["flights"].value == 24_951
        assert made.metadata["chart"].value == f"{tmp_path}/results/2013-02/delays.png"
        entries = instance.all_logs(record.run_id)
        checks = [e.asset_check_evaluation for e in entries if e.asset_check_evaluation is not None]
        assert len(checks) == 10
        assert "reading 2013-02" in [entry.user_message for entry in entries]
        (summary,) = instance.fetch_materializations(dg.AssetKey(["flights", "punctuality"]), limit=5).records
        assert summary.asset_materialization is not None
        assert "| 2013-02 | 24,951 |" in summary.asset_materialization.metadata["months_table"].value
    assert (tmp_path / "results" / "2013-02" / "delays.png").read_bytes()[:4] == b"\x89PNG"
