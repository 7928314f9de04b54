"""The example of a made-up cloud in Dagster's own hands, and with the official package as its external side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from integration_tests.dagster.steps import SOURCE, checks, failure, logged, materialized, run

pytestmark = pytest.mark.timeout(600)  # Dagster, and jobs whose close takes seconds, on a machine that may be busy
EXAMPLE = Path(__file__).parents[2] / "examples" / "own_cloud"
sys.path.insert(0, str(EXAMPLE))  # its modules know each other by their bare names

import cloud_in_dagster  # noqa: E402
import cloud_orchestrator  # noqa: E402
from little_cloud import Cloud, running_cloud  # noqa: E402


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running cloud, which this process and its jobs find in their environment."""
    monkeypatch.setenv("PYTHONPATH", f"{SOURCE}:{EXAMPLE}")
    with running_cloud() as cloud:
        monkeypatch.setenv("CLOUD_ADDRESS", cloud.address)
        yield cloud


def test_dagsters_own_session_takes_our_injector_and_reader(instance: dg.DagsterInstance, cloud: Cloud) -> None:
    result = run(instance, cloud_in_dagster.sums)
    assert result.success, failure(result)
    assert materialized(instance, result)["sums"].metadata["sum"].value == 10
    assert [check.passed for check in checks(instance, result)] == [True]
    assert "summing 4 numbers" in [text for _, text in logged(instance, result)]
    assert cloud.keys("contexts/") == []
    assert cloud.keys("messages/")


def test_the_example_is_a_code_location_that_loads() -> None:
    (job,) = cloud_in_dagster.defs.get_repository_def().get_all_jobs()
    assert job.asset_layer.executable_asset_keys == {dg.AssetKey("sums")}


@pytest.mark.parametrize("orchestration", ["ours", "Dagster's"])
def test_the_same_job_works_with_the_official_package(
    orchestration: str,
    instance: dg.DagsterInstance,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    text = (EXAMPLE / "cloud_job.py").read_text(encoding="utf-8")
    official = tmp_path / "official_job.py"
    official.write_text(text.replace("from blobpipes import (", "from dagster_pipes import ("), encoding="utf-8")
    assert official.read_text(encoding="utf-8") != text
    if orchestration == "ours":
        monkeypatch.setattr(cloud_orchestrator, "JOB", str(official))
        assert len(list(cloud_orchestrator.orchestrate(cloud, [1, 2]))) == 2
    else:
        monkeypatch.setattr(cloud_in_dagster, "JOB", str(official))
        result = run(instance, cloud_in_dagster.sums)
        assert result.success, failure(result)
        assert materialized(instance, result)["sums"].metadata["sum"].value == 10
