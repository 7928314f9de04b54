from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blobpipes.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line of stdout, each a JSON object."""
        return [json.loads(line, parse_constant=_refuse) for line in self.out.splitlines()]

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]


Cli = Callable[..., Outcome]


def _refuse(text: str) -> Any:
    raise AssertionError(f"{text} is not JSON")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process."""
    monkeypatch.delenv("BLOBPIPES_URL", raising=False)
    monkeypatch.delenv("BLOBPIPES_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))  # for the jobs

    def run(*argv: str | Path) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main([str(each) for each in argv])
        return Outcome(code, out.getvalue(), err.getvalue())

    return run
