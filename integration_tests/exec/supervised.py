"""What tests of `blobpipes exec` share: starting it, and waiting for what others do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_tests.waiting import WAIT, wait_for
from tests.external.launching import SOURCE, bootstrap, messages_in, negotiated

PYTHON = sys.executable


@dataclass(frozen=True)
class Place:
    """One session's log and one machine's spools, in folders of a test."""

    root: Path

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    def environment(self, *, stdio: bool = False, launched: bool = True, **options: Any) -> dict[str, str]:
        """What `exec` and `resend` find around them. The interval is ten minutes: nothing arrives by itself."""
        options = {"interval": 600, "heartbeat": 0, **options}
        params = {**negotiated(self.log, options=options), "include_stdio_in_messages": stdio}
        ours = ("DAGSTER_", "BLOBPIPES_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        given = bootstrap(params, {"asset_keys": ["orders"]}) if launched else {}
        return {**clean, "PYTHONPATH": str(SOURCE), "BLOBPIPES_SPOOL_DIR": str(self.spool), **given}

    @property
    def messages(self) -> list[dict[str, Any]]:
        return messages_in(self.log)

    @property
    def texts(self) -> list[str]:
        """Of the log messages."""
        return [each["params"]["message"] for each in self.messages if each["method"] == "log"]

    @property
    def exception(self) -> Any:
        """What the run was closed with."""
        closed = [each for each in self.messages if each["method"] == "closed"]
        assert len(closed) == 1
        assert self.messages[-1] == closed[0]
        return closed[0]["params"].get("exception")

    def kill_program(self) -> None:
        """The supervised program and its children, at once."""
        wait_for(lambda: any(self.spool.glob("exec-*/run.json")))
        (about,) = self.spool.glob("exec-*/run.json")
        group = json.loads(about.read_bytes())["group"]
        os.killpg(group, signal.SIGKILL)

    @property
    def left(self) -> list[Path]:
        return sorted(self.spool.iterdir()) if self.spool.exists() else []


def arguments(*command: str, options: tuple[str, ...] = ()) -> list[str]:
    return [PYTHON, "-m", "blobpipes", "exec", *options, "--", *command]


def run(
    place: Place, *command: str, status: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        arguments(*command), env=environment or place.environment(), capture_output=True, text=True, timeout=2 * WAIT,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done


def sh(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", textwrap.dedent(script))


def python(source: str) -> tuple[str, str, str]:
    return (PYTHON, "-c", textwrap.dedent(source))
