"""The calling half of a pair, as a process of its own: `python -m benchmarks.caller` runs the plan's job, prints JSON.

A process of its own, so that its memory and processor time are its own and a hang can be ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.plan import NOTES_VAR, Outcome, Plan, Watching, peak_memory, read_notes


def main() -> None:
    plan = Plan.from_environment()
    watching = Watching()
    run = _runner(plan)  # imports, which are no part of a session
    began, cpu = time.monotonic(), time.process_time()
    run(watching)
    wall, ended = time.monotonic() - began, time.time()
    cpu = time.process_time() - cpu
    notes = read_notes(Path(os.environ[NOTES_VAR]))
    ends = notes.get("end", [])
    outcome = Outcome(
        sent=notes.get("sent", []),
        arrived=watching.arrived,
        job_errors=notes.get("error", []),
        caller_error=watching.error,
        caller_notes=watching.notes,
        wall=wall,
        drain=ended - ends[-1]["at"] if ends else 0.0,
        caller_cpu=cpu,
        job_cpu=sum(end["cpu"] for end in ends),
        caller_memory=peak_memory(),
        job_memory=max((end["memory"] for end in ends), default=0),
    )
    print(json.dumps(vars(outcome)))


def _runner(plan: Plan) -> Callable[[Watching], None]:
    command = [sys.executable, "-m", "benchmarks.job"]
    half = import_module("benchmarks.official" if plan.side == "official" else "benchmarks.ours")
    run: Callable[[Watching], None] = half.runner(plan, command)
    return run


if __name__ == "__main__":
    main()
