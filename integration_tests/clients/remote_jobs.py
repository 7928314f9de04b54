"""What the tests of places share: jobs, their environment, and looking for what is left of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.messages import Log
from tests.clients.jobs import SOURCE
from tests.orchestration.jobs import recorded_run

ROOT = Path(__file__).parents[2]
FLIGHTS = ROOT / "examples" / "flights" / "job.py"
TIMEOUT = 120.0  # seconds for whatever is waited for


def environment() -> dict[str, str]:
    """With which a job finds this checkout, and `blobpipes` beside this Python."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PYTHONPATH": SOURCE, "PATH": path, "BLOBPIPES_SPOOL_DIR": os.environ.get("BLOBPIPES_SPOOL_DIR", "")}


def a_month(**fields: Any) -> RunContext:
    return recorded_run(asset_keys=["flights/monthly_delays"], partition_key="2013-02", **fields)[0]


class HeldFlights:
    """The flights job of one month, held in its midst: it has logged and checked, and cannot store its results."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.fifo = self.results / "2013-02" / "airlines.parquet"
        self.fifo.parent.mkdir(parents=True)
        os.mkfifo(self.fifo)
        self.is_held = threading.Event()

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(FLIGHTS)]

    @property
    def extras(self) -> dict[str, str]:
        return {"results_url": self.results.as_uri()}

    def on_event(self, event: PipesEvent) -> None:
        """The checks' summary is the last thing that it says before it stores."""
        if isinstance(event.payload, Log) and "checks, failed" in event.payload.message:
            self.is_held.set()


@contextmanager
def once(is_so: threading.Event, act: Callable[[], None]) -> Iterator[None]:
    """In this block, act in a thread as soon as it is so."""

    def run() -> None:
        if is_so.wait(TIMEOUT):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_so.set()
        thread.join()


def processes_with(variable: str) -> list[int]:
    """Those that have `NAME=VALUE`, or a beginning of it, in their environment."""
    given = {pid: text.split("\0") for pid, text in _of_each_process("environ")}
    return [pid for pid, each in given.items() if any(text.startswith(variable) for text in each)]


def becomes_true(is_so: Callable[[], bool]) -> bool:
    """Whether it is so within the time that everything has: what is seen to have ended may need a moment to be gone."""
    deadline = time.monotonic() + TIMEOUT
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def command_lines() -> str:
    """Of every process, as `ps` shows them."""
    return "\n".join(text for _, text in _of_each_process("cmdline"))


def _of_each_process(name: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended in this moment
            yield int(entry.name), (entry / name).read_bytes().decode("utf-8", "replace")


# --- the command line --------------------------------------------------------------------------------------


def start_run(url: str, *options: str, job: str) -> subprocess.Popen[str]:
    """`blobpipes run` of a Python job in a place, in a process of its own; its events are lines of its stdout."""
    line = [sys.executable, "-m", "blobpipes", "run", "--url", url, "--json", *options, "--env", "PATH"]
    return subprocess.Popen(
        [*line, "--env", "PYTHONPATH", "--env", "BLOBPIPES_SPOOL_DIR", "--", sys.executable, "-c", job],
        env={**os.environ, **environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended_run(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code and its events, those that were not read yet."""
    out, err = process.communicate(timeout=TIMEOUT)
    assert "Traceback" not in err
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def until_event(process: subprocess.Popen[str], kind: str) -> None:
    """Read its events up to one of this kind."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == kind:
            return
    raise AssertionError(f"it ended without {kind}: {process.communicate()}")
