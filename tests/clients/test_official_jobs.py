"""Jobs of the official package, unchanged, under our caller's side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.subprocess import PipesSubprocessClient
from blobpipes.errors import JobFailedError
from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.stdio import PipesStdioMessageReader
from tests.clients.jobs import command
from tests.orchestration.jobs import recorded_run

REPORTS = """
import sys
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    pipes.log.info("limit %s", pipes.get_extra("limit"))
    print("printed")
    pipes.report_asset_materialization(metadata={"rows": 3, "nan": float("nan")}, data_version="1")
    pipes.report_asset_check("not_empty", passed=True, severity="WARN")
    pipes.report_custom_message({"partition": pipes.partition_key, "window": pipes.partition_key_range['start']})
    if "fail" in sys.argv:
        raise ValueError("no rows")
"""

IN_CHUNKS = REPORTS.replace(
    "open_dagster_pipes()",
    "open_dagster_pipes(message_writer=dagster_pipes.PipesUnityCatalogVolumesMessageWriter(interval=0))",
).replace("import sys", "import sys, dagster_pipes")


def run(client: PipesSubprocessClient, program: str, *arguments: str) -> Any:
    context, _ = recorded_run(asset_keys=["orders"], partition_key="2024-01")
    return client.run(context=context, command=command(program, *arguments), extras={"limit": 7})


@pytest.mark.parametrize(
    "halves",
    [
        {},
        {"context_injector": PipesEnvContextInjector()},
        {"message_reader": PipesStdioMessageReader("stdout")},
        {"message_reader": PipesStdioMessageReader("stderr", buffered=True)},
    ],
    ids=["files", "variables", "stdout", "buffered stderr"],
)
def test_everything_that_an_official_job_says_comes_back(
    halves: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(PipesSubprocessClient(**halves), REPORTS)
    result = done.get_materialize_result()
    assert (result.values["rows"], result.data_version) == (3, "1")
    assert result.values["nan"] != result.values["nan"]
    assert result.check_results[0].severity == "WARN"
    assert done.get_custom_messages() == ({"partition": "2024-01", "window": "2024-01"},)
    assert done.report.verdict == "complete"
    assert capfd.readouterr().out == "printed\n"


def test_an_official_job_that_writes_chunk_files_is_read_to_its_end(tmp_path: Path) -> None:
    done = run(PipesSubprocessClient(url=f"file://{tmp_path}?interval=100ms"), IN_CHUNKS)
    assert done.report.verdict == "complete"
    assert done.report.messages == 6
    assert done.report.chunks >= 1


def test_an_official_job_that_raises_is_failed() -> None:
    with pytest.raises(JobFailedError) as caught:
        run(PipesSubprocessClient(), REPORTS, "fail")
    report: Any = caught.value.report
    assert report.verdict == "failed"
    assert report.exception["message"] == "ValueError: no rows\n"
