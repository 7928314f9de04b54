from __future__ import annotations

from collections.abc import Iterator

import pytest

from blobpipes.external import open as opening
from blobpipes.external.context import PipesContext


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test begins as a process does: not launched, nothing open, nobody warned."""
    for name in ("DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES", "BLOBPIPES_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLOBPIPES_SPOOL_DIR", str(tmp_path_factory.getbasetemp() / "spool"))
    monkeypatch.setattr("sys.argv", ["job.py"])
    monkeypatch.setattr(opening, "_has_warned", False)
    PipesContext.set(None)
    yield
    PipesContext.set(None)
