"""The models, held to sessions of the real classes against a real S3 server, whose log counts the requests.

Time is virtual, so that nothing here depends on how fast the machine is: see benchmarks/costs.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.costs import CONDITIONS, Measured, counted_requests, measure_official, measure_ours
from blobpipes import PipesSubprocessClient, RunContext
from blobpipes.chunklog.options import LogOptions
from blobpipes.cost.forecast import Forecast
from blobpipes.cost.official_pair import forecast_official
from blobpipes.cost.our_pair import forecast_ours
from blobpipes.cost.trace import Workload
from integration_tests.servers.clouds import CloudServer

JOBS = {  # of lengths that no interval divides: what happens at the same instant may happen in any order
    "busy": Workload(603.7, rate=1.0, results=5, boot=20.3),
    "silent": Workload(1203.7, rate=1 / 120, boot=60.3),
    "waiting": Workload(33.7, rate=1.0, boot=600.3),
}


def hold(model: Forecast, measured: Measured) -> None:
    """Requests within 2 %, latency within 10 %."""
    asked = Counter({"GET": 0, **measured.requests})
    counted = model.ledger.total.requests
    assert sum(asked.values()) == pytest.approx(sum(counted.values()), rel=0.02)
    assert asked["PUT"] == pytest.approx(counted["put"], rel=0.02)
    assert asked["GET"] + asked["HEAD"] == pytest.approx(counted["get"] + counted["list"], rel=0.02)
    assert asked["DELETE"] == counted["delete"]
    assert measured.latency.mean == pytest.approx(model.latency.mean, rel=0.10)
    assert measured.latency.p95 == pytest.approx(model.latency.p95, rel=0.10)


@pytest.mark.parametrize(("job", "interval"), [("busy", 2.0), ("busy", 10.0), ("silent", 10.0), ("waiting", 10.0)])
def test_our_pair_asks_what_the_model_says_and_is_as_late(s3: CloudServer, job: str, interval: float) -> None:
    trace, options = JOBS[job].trace(), LogOptions(interval=interval)
    measured = measure_ours(s3, trace, options)
    assert measured.arrived == len(trace.messages)
    hold(forecast_ours(trace, options, CONDITIONS), measured)


@pytest.mark.parametrize(("job", "interval"), [("busy", 2.0), ("busy", 10.0), ("silent", 10.0), ("waiting", 10.0)])
def test_the_official_pair_asks_what_the_model_says_and_is_as_late(s3: CloudServer, job: str, interval: float) -> None:
    pytest.importorskip("dagster", reason="the official pair needs dagster: the dependency group `integration`")
    trace = JOBS[job].trace()
    measured = measure_official(s3, trace, interval)
    hold(forecast_official(trace, interval, CONDITIONS), measured)


JOB = """
from blobpipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    for step in range(200):
        pipes.log.info("step %d", step)
    pipes.report_asset_materialization({"rows": 3}, asset_key="a")
"""


def test_the_ledger_is_what_the_server_saw(s3: CloudServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two real processes in real time: whatever they asked, both counts of it are the same."""
    cloud = s3.fresh()
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "job.py").write_text(JOB)
    client = PipesSubprocessClient(url=f"{cloud.url}?interval=500ms")
    with counted_requests(s3) as asked:
        report = client.run(
            context=RunContext.for_asset("a"), command=[sys.executable, str(tmp_path / "job.py")]
        ).report
    assert report.ledger.worker is not None
    ledger = report.ledger.total.requests
    # Listing is a GET for the server; a file system may ask once more where something was absent, and counts that too.
    assert (asked.get("PUT", 0), asked.get("DELETE", 0)) == (ledger["put"], ledger["delete"])
    assert asked.get("GET", 0) + asked.get("HEAD", 0) == ledger["get"] + ledger["list"]
    assert report.store == "unknown"  # a server of one's own has no list price
    assert "unknown price" in report.cost.summary()
    assert report.cost_at(store="s3").usd > 0


def test_what_a_session_cost_is_told_from_outside(s3: CloudServer, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = s3.fresh()
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "blobpipes"]
    job = [*command, "run", "--url", cloud.url, "--", sys.executable, "-c", JOB]
    subprocess.run(job, check=True, timeout=300, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [*command, "cost", cloud.url, "--store", "s3"], check=True, timeout=300, capture_output=True, text=True
    )
    assert "1 session: $0.0000" in done.stdout
    assert "on Amazon S3 Standard" in done.stdout
