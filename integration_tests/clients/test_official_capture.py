"""The official package captures output in its own way: late, and after it has said that it closed."""

from __future__ import annotations

import pytest

from blobpipes.clients.subprocess import PipesSubprocessClient
from tests.clients.jobs import command
from tests.orchestration.jobs import recorded_run

PRINTS = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    print("printed")
    pipes.report_asset_materialization()
"""


def test_output_that_an_official_job_sends_after_closed_is_copied_and_no_problem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    context, _ = recorded_run(asset_keys=["orders"])
    client = PipesSubprocessClient(include_stdio_in_messages=True, forward_stdio=False)
    done = client.run(context=context, command=command(PRINTS))
    assert "printed\n" in capsys.readouterr().out
    assert done.report.verdict == "complete"
    assert done.report.problem_total == 0
    assert len(done.get_results()) == 1
