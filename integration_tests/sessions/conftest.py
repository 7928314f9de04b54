"""Starting the jobs of a session, wherever its messages go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.sessions.jobs import Start, starting


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a job of a session; it waits for a line after every twentieth message. Ended with the test."""
    with starting(tmp_path / "spool") as start:
        yield start
