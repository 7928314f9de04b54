"""Several processes in one session: each has a log of its own, and the session ends when all have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from blobpipes.errors import DagsterPipesError, IncompleteError, InvalidOptionError
from blobpipes.external.lanes import lane_of
from blobpipes.orchestration.lanes import checked_lanes
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession

JOB = """
import os
from blobpipes.external.open import open_dagster_pipes
with open_dagster_pipes() as pipes:
    for number in range(3):
        pipes.report_custom_message([os.environ.get("BLOBPIPES_LANE"), number])
"""


def start(session: PipesSession, **environment: str) -> subprocess.Popen[bytes]:
    known = {**os.environ, **session.get_bootstrap_env_vars(), **environment}
    return subprocess.Popen([sys.executable, "-c", JOB], env=known)


@pytest.mark.parametrize("lanes", [3, "auto"])
def test_every_lane_is_read_to_its_own_end(tmp_path: Path, lanes: int | str) -> None:
    url = f"file://{tmp_path}?interval=100ms"
    with open_pipes_session(RunContext(), url=url, lanes=lanes) as session:
        jobs = [start(session, BLOBPIPES_LANE=str(lane)) for lane in range(3)]
        assert [job.wait(60) for job in jobs] == [0, 0, 0]
    report = session.report
    assert report is not None
    assert (report.verdict, len(report.writers)) == ("complete", 3)
    said = session.get_custom_messages()
    for lane in "012":
        assert [message for message in said if message[0] == lane] == [[lane, 0], [lane, 1], [lane, 2]]


def test_a_lane_that_never_came_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(IncompleteError, match="Writer 1: The process ended, and not one message") as caught,
        open_pipes_session(RunContext(), url=f"file://{tmp_path}", lanes=2) as session,
    ):
        assert start(session, BLOBPIPES_LANE="0").wait(60) == 0
    assert caught.value.report is session.report


def test_nobody_at_all_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(IncompleteError), open_pipes_session(RunContext(), url=f"file://{tmp_path}", lanes="auto"):
        pass


@pytest.mark.parametrize(
    ("environment", "announced", "lane"),
    [
        ({"RANK": "3"}, None, None),
        ({"BLOBPIPES_LANE": "gpu-7", "RANK": "1"}, "auto", "gpu-7"),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0"}, 4, "0"),
        ({"SLURM_PROCID": "3"}, 4, "3"),
    ],
)
def test_a_process_finds_its_lane_only_where_lanes_were_announced(
    environment: Mapping[str, str], announced: int | str | None, lane: str | None
) -> None:
    assert lane_of(environment, announced) == lane


@pytest.mark.parametrize("environment", [{}, {"RANK": "4"}, {"BLOBPIPES_LANE": "a/b"}, {"BLOBPIPES_LANE": "x"}])
def test_a_process_without_a_lane_of_the_session_is_told(environment: Mapping[str, str]) -> None:
    with pytest.raises(DagsterPipesError, match=r"lane"):
        lane_of(environment, 4)


@pytest.mark.parametrize("lanes", [0, -1, "many", True, 1_000_000])
def test_lanes_are_checked_before_anything_is_opened(lanes: int | str) -> None:
    with pytest.raises(InvalidOptionError, match="lanes"):
        checked_lanes(lanes)
