"""`blobpipes gc` says what goes, and with --dry-run what would."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from blobpipes.cli.main import main
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from tests.orchestration.jobs import put_chunks

LONG_AGO = 1_500_000_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    with open_pipes_session(RunContext(), url=f"file://{tmp_path}", session="night") as session:
        put_chunks(session.message_reader_params)
    for path in tmp_path.rglob("*.json"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return f"file://{tmp_path}"


def test_a_dry_run_only_tells(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*.json"))
    assert main(["gc", url, "--older-than", "30d", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "night" in shown
    assert "would go" in shown
    assert sorted(tmp_path.rglob("*.json")) == before


def test_programs_get_a_line_for_each_session(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", url, "--json"]) == 0
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["session"], event["state"]) == ("collected", "night", "complete")
    assert (event["action"], event["dry_run"]) == ("emptied", False)


@pytest.mark.parametrize("age", ["7", "soon", "10s", "5m", ""])
def test_a_wrong_or_dangerous_age_is_refused(url: str, age: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", url, "--older-than", age]) == 64
    assert "remedy:" in capsys.readouterr().err
