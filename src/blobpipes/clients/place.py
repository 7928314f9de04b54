"""What is a place that runs jobs? Four things can be done in it: launch a job, look at it, end it, describe it.

Everything else (the session, waiting, forwarding an interruption, the verdict) is the run loop's, and the same for
all places. A place decides nothing about time: it does one thing at a time, and is told when.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

Handle = TypeVar("Handle")
Stream: TypeAlias = Literal["stdout", "stderr"]
TakeOutput: TypeAlias = Callable[[bytes], None]

MAX_TOKEN: Final = 63  # characters: a DNS label, which Kubernetes wants; EC2 takes 64, Slurm and file systems more
_HASH: Final = 16  # hexadecimal digits: 64 bits of the session's URL


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What to run. Arguments and variables may hold secrets, so neither is ever shown."""

    command: tuple[str, ...] = field(repr=False)
    token: str  # names the job in the place; a second launch with the same token runs no second job
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # on top of the place's own
    cwd: str | None = None
    tasks: int = 1  # processes, each with an index of its own
    output: Mapping[Stream, TakeOutput] = field(
        default_factory=dict, repr=False
    )  # who takes which stream; b"" is its end

    @property
    def program(self) -> str:
        """The name to show."""
        return self.command[0]

    def of_session(self, token: str, output: Mapping[Stream, TakeOutput]) -> JobSpec:
        """The same, under its session's token."""
        return replace(self, token=token, output=output)

    def with_env(self, more: Mapping[str, str]) -> JobSpec:
        """The same, with more variables."""
        return replace(self, env={**self.env, **more})


class Cause(str, Enum):
    """What ended a job."""

    EXITED = "exited"  # by itself; the exit code says whether well
    KILLED = "killed"  # by a signal that the place knows no reason for
    OUT_OF_MEMORY = "out of memory"
    TIME_LIMIT = "time limit"
    CANCELLED = "cancelled"  # somebody asked the place to end it
    PREEMPTED = "preempted"  # the place wanted the machine for something else
    MACHINE_LOST = "machine lost"  # it rebooted, failed or is gone
    NOT_STARTED = "not started"  # the program never ran
    UNKNOWN = "unknown"  # the place has forgotten the job


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended, as far as its place knows."""

    cause: Cause
    detail: str  # one sentence without its full stop: `job.py exited with code 3`
    exit_code: int | None = None  # below 0 the signal that killed it; None if nobody knows
    remedy: str | None = None  # if there is a special one

    @property
    def is_success(self) -> bool:
        """It came to its own end, and said that all is well."""
        return self.cause is Cause.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands in its place."""

    phase: Literal["waiting", "running", "ended"]  # waiting: in a queue, or its machine comes up
    detail: str = ""  # the place's own word for it, such as `PENDING (Resources)`
    end: JobEnd | None = None  # if it has ended

    @classmethod
    def ended(cls, end: JobEnd) -> JobState:
        """It has ended so."""
        return cls("ended", end.detail, end)


WAITING: Final = JobState("waiting")
RUNNING: Final = JobState("running")


class Urgency(Enum):
    """How a job is told to end. A place that knows fewer ways takes the nearest; each must be safe to repeat."""

    INTERRUPT = "interrupt"  # as Ctrl-C does: a Python job leaves its `with` block
    TERMINATE = "terminate"  # as SIGTERM does
    KILL = "kill"  # at once, whatever is lost


class Place(ABC, Generic[Handle]):
    """Runs jobs, known by handles. Several threads may use one place for different jobs.

    A handle is whatever the place needs to find the job again. Each method may raise a `PlaceError`;
    `PlaceUnavailableError` means that the same call may succeed later, and the loop makes it again.
    """

    name: str = "a place"  # for people
    interval: float = 5.0  # seconds between two looks at a job that does not change
    first_interval: float = 0.5  # seconds until the next look after something has changed
    delivers_output: ClassVar[bool] = False  # hands what a job prints to `JobSpec.output`, while it runs
    prints_here: ClassVar[bool] = False  # what nobody takes goes where our own output goes

    @abstractmethod
    def launch(self, spec: JobSpec) -> Handle:
        """Begin the job, and return without waiting for its end.

        Called again with the same token, whatever came of the first call, there is still only one job.

        Raises:
            LaunchError: nothing runs.
            PlaceUnavailableError: nobody knows whether something runs; called again, or `find` tells.
        """

    @abstractmethod
    def poll(self, handle: Handle) -> JobState:
        """Look once. After the end, all that the job printed has been handed out before this returns."""

    @abstractmethod
    def terminate(self, handle: Handle, urgency: Urgency) -> None:
        """Tell the job to end, and return without waiting for that. Nothing happens if it has ended."""

    def describe(self, handle: Handle) -> Mapping[str, Any]:
        """What people want to know: an id, a console's URL, the machine. Goes into the metadata of each result."""
        return {}

    def preview(self, spec: JobSpec) -> str:
        """Exactly what `launch` would do, as text for people. Whoever asks has put no secret into the variables."""
        lines = [f"in {self.name}:", *(f"  {name}={value}" for name, value in sorted(spec.env.items()))]
        lines += [f"  cd {shlex.quote(spec.cwd)}"] if spec.cwd else []
        return "\n".join([*lines, f"  {shlex.join(spec.command)}"])

    def explain(self, handle: Handle) -> str:
        """Of a job that is not heard of: what may say why, such as the end of its machine's console."""
        return ""

    def find(self, token: str) -> Handle | None:
        """The job that anybody has launched with this token; None if there is none, or the place has forgotten it."""
        return None

    def wait(self, handle: Handle, timeout: float | None, nudged: threading.Event) -> None:
        """Return when it may be worth to look again: at the latest after `timeout` s, or when nudged."""
        nudged.wait(timeout)

    def release(self, handle: Handle) -> None:
        """The job has ended, and nobody will ask for it again: let go of files and connections."""


def token_of(name: str, url: str | None = None) -> str:
    """The token of a session: its name as far as every place takes it, and a digest of its URL.

    Small letters, digits and dashes, beginning with a letter, at most 63 characters.
    """
    digest = hashlib.sha256((url or name).encode()).hexdigest()[:_HASH]
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    room = MAX_TOKEN - len("bp--") - _HASH
    return f"bp-{plain[-room:].strip('-')}-{digest}"
