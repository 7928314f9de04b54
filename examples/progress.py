"""Extras there, custom messages back: the job is sent its work with the context, and tells how far it is.

The orchestration process sees each message while the job runs, here as a line of progress, and has all of them at
the end. Both are whatever can become JSON.

    python progress.py
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from blobpipes import PipesEvent, PipesSubprocessClient, RunContext, open_dagster_pipes

TASK = {"rounds": 5, "points": 50_000, "seed": 7}


def job() -> None:
    """Estimates pi by throwing points at a square, and tells after each round."""
    with open_dagster_pipes() as pipes:
        task = pipes.get_extra("task")
        dice = random.Random(task["seed"])
        inside = 0
        for number in range(1, task["rounds"] + 1):
            inside += sum(dice.random() ** 2 + dice.random() ** 2 <= 1 for _ in range(task["points"]))
            estimate = 4 * inside / (number * task["points"])
            pipes.report_custom_message({"round": number, "of": task["rounds"], "estimate": estimate})


def show(event: PipesEvent) -> None:
    """Called for every message as it comes, in a thread of blobpipes; what is no custom message has no payload."""
    message = getattr(event.payload, "payload", None)
    if message:
        print(f"round {message['round']} of {message['of']}: pi is about {message['estimate']:.4f}", flush=True)


def orchestrate(url: str) -> Any:
    """The job's last estimate."""
    client = PipesSubprocessClient(url=url, on_event=show)
    invocation = client.run(context=RunContext(), command=[sys.executable, __file__, "job"], extras={"task": TASK})
    return invocation.get_custom_messages()[-1]["estimate"]


if __name__ == "__main__":
    if sys.argv[1:] == ["job"]:
        job()
    else:
        with tempfile.TemporaryDirectory() as scratch:
            orchestrate(f"{Path(scratch).as_uri()}?interval=100ms")
