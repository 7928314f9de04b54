"""What one job is to do and what came of it: values that travel between the processes of a benchmark as JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

Side: TypeAlias = Literal["blobpipes", "official"]
SIDES: tuple[Side, Side] = ("official", "blobpipes")

PLAN_VAR = "BENCHMARK_PLAN"  # the environment variables that the processes of one run share
NOTES_VAR = "BENCHMARK_NOTES"
SESSION_VAR = "BENCHMARK_SESSION"  # from 0, where one plan has several
WRONG_KEY = "AKIAWRONGWRONGWRONGW"  # the proxy of the losses refuses whoever signs with it


@dataclass(frozen=True)
class Plan:
    """One job and how its session is read. Messages are numbered from 0 across processes and sessions."""

    side: Side
    url: str  # where the session goes: s3://bucket/prefix, or for blobpipes any other
    messages: int  # of each process
    seconds: float = 0.0  # over which a process spreads them; 0 is as fast as it can
    writer_interval: float = 1.0  # seconds, as the user gives it to either package
    reader_interval: float = 1.0
    options: str = ""  # of our URL, beyond the interval
    bad_at: int | None = None  # before this message, one that cannot become JSON
    signal_at: int | None = None  # after this message the first process sends itself `signal`
    signal: int = 0
    settle: float = 0.0  # seconds before the signal, so that everything is stored
    processes: int = 1  # one after the other, with the same parameters
    sessions: int = 1  # one after the other, with the same reader object
    reader_key: str | None = None  # other credentials for the reader
    noted: bool = True  # the job writes down each accepted message; False for measurements of speed
    run_log: bool = True  # official side: log messages go on to Dagster's run log
    laid: bool = False  # each message becomes a chunk of its own at once: many chunks wait for the reader

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_environment() -> Plan:
        return Plan(**json.loads(os.environ[PLAN_VAR]))


@dataclass(frozen=True)
class Outcome:
    """What the two processes of a pair know at the end."""

    sent: Sequence[int]  # numbers that the job's calls took without an error
    arrived: Sequence[int]  # numbers as the handler saw them
    job_errors: Sequence[str]  # raised in the job
    caller_error: str | None  # raised where the job was launched
    caller_notes: Sequence[str]  # what else the caller was told: a verdict, warnings
    wall: float  # seconds, from opening the session to its end
    drain: float  # seconds, from the end of the job's process to the end of the session
    caller_cpu: float
    job_cpu: float
    caller_memory: int  # bytes at the peak
    job_memory: int

    @property
    def lost(self) -> int:
        return len(set(self.sent) - set(self.arrived))

    @property
    def duplicated(self) -> int:
        return len(self.arrived) - len(set(self.arrived))


class Watching:
    """What the caller learns while it runs, in the same terms for both pairs."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.error: str | None = None
        self.notes: list[str] = []


def number_of(text: str) -> int:
    """The number in a message's text."""
    found = re.search(r"\d+", text)
    return int(found.group()) if found else -1


def peak_memory() -> int:
    """Bytes of this process alone; Linux only. `getrusage` would count the parent that forked us."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


class Notes:
    """A file that survives the process which writes it: one line for each thing that happened."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, kind: str, value: Any) -> None:
        os.write(self._file, json.dumps([kind, value]).encode() + b"\n")


def read_notes(path: Path) -> dict[str, list[Any]]:
    """The values of each kind, in order."""
    notes: dict[str, list[Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, value = json.loads(line)
            notes.setdefault(kind, []).append(value)
    return notes
