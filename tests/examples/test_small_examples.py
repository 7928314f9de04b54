"""The examples of one idea each, run as they are."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> SimpleNamespace:
    """What the file defines, without what it does when it is the program."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / name), run_name=Path(name).stem))


def test_the_pair_runs_through_a_storage_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBPIPES_URL", f"{tmp_path.as_uri()}?interval=100ms")
    program = [sys.executable, str(EXAMPLES / "pair" / "orchestrate.py")]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert f"'raw_value': {sum(n * n for n in range(1001))}" in done.stdout
    assert "closed_form_agrees', passed=True" in done.stdout
    assert "complete: 5 messages" in done.stdout
    assert list(tmp_path.glob("*/1.json")), "the chunks are where the URL says"


def test_progress_is_shown_round_by_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimate = example("progress.py").orchestrate(f"{tmp_path.as_uri()}?interval=50ms")
    assert estimate == pytest.approx(3.1416, abs=0.01)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"round {number} of 5" for number in range(1, 6)]
