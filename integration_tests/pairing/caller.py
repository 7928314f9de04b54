"""The orchestration process of pairings: `python -m integration_tests.pairing.caller PLANS OUTCOMES`.

Reads plans, one per line, and writes for each one line with what arrived, or why nothing did.
"""

from __future__ import annotations

import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from integration_tests.pairing.plans import Arrived, Plan, decode_plan


def main(plans: Path, outcomes: Path) -> None:
    for line in plans.read_text().splitlines():
        plan = decode_plan(line)
        played = {scene: _played(plan, scene) for scene in plan.scenes}
        with outcomes.open("a") as file:
            file.write(json.dumps({"name": plan.name, **played}) + "\n")


def _played(plan: Plan, scene: str) -> dict[str, object]:
    module = "ours" if plan.orchestration == "ours" else "in_dagster"
    try:
        play: Callable[[Plan, str], Arrived] = import_module(f"integration_tests.pairing.{module}").play
        return asdict(play(plan, scene))
    except Exception:
        return {"error": traceback.format_exc()}


@contextmanager
def own_streams(arrived: Arrived) -> Iterator[None]:
    """What this process prints meanwhile: a reader copies the job's streams to its own."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        yield
    arrived.streams = {"stdout": out.getvalue(), "stderr": err.getvalue()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
