"""Runs plans: one side's two processes against a store, the outcome as a value."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.plan import NOTES_VAR, PLAN_VAR, Outcome, Plan

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 600.0  # seconds for one session, the slowest official one included


class MissingPackagesError(Exception):
    """This environment lacks the official packages."""


def require_official() -> None:
    for name in ("dagster", "dagster_aws", "moto", "s3fs"):
        if importlib.util.find_spec(name) is None:
            raise MissingPackagesError(f"{name} is not installed\n  remedy: pip install -e .[s3] --group benchmark")


def child_environment() -> dict[str, str]:
    """This process' variables, with which a child finds this checkout's modules wherever it runs."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def run(plan: Plan, env: Mapping[str, str] | None = None) -> Outcome:
    """Run the plan in processes of their own. `env` leads to the store.

    Raises:
        RuntimeError: the calling process itself broke; has what it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        variables = {
            **child_environment(),
            **(env or {}),
            PLAN_VAR: plan.encode(),
            NOTES_VAR: f"{scratch}/notes",
            "DAGSTER_HOME": "",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "BLOBPIPES_SPOOL_DIR": scratch,
        }
        command = [sys.executable, "-m", "benchmarks.caller"]
        done = subprocess.run(
            command, env=variables, cwd=scratch, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{plan.side}: the caller ended with {done.returncode}\n{done.stderr[-3000:]}")
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))
