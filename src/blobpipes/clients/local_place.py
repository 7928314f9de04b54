"""This machine as a place: a job is a process, in a process group of its own.

The group is why Ctrl-C in a terminal reaches the job once and through us, and why the children of a shell are
told too.
"""

from __future__ import annotations

import math
import os
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from blobpipes.clients.endings import process_end
from blobpipes.clients.launch import PIPE, SIGNALS, Command, Process, Stdio, send
from blobpipes.clients.output import OutputPump
from blobpipes.clients.place import RUNNING, JobSpec, JobState, Place, Urgency


@dataclass(slots=True)
class LocalJob:
    """A process of this machine."""

    program: str
    process: Process
    pumps: list[OutputPump]


class LocalPlace(Place[LocalJob]):
    """Runs jobs as child processes. A job that another process has launched cannot be found again.

    Args:
        stdout, stderr: where the job's streams go unless somebody takes them; by default where ours go.
        own_group: else the job shares ours, and the terminal's Ctrl-C reaches it without us.
    """

    name = "this machine"
    interval = math.inf
    delivers_output: ClassVar[bool] = True
    prints_here: ClassVar[bool] = True

    def __init__(self, *, stdout: Stdio = None, stderr: Stdio = None, own_group: bool = True) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._own_group = own_group

    def launch(self, spec: JobSpec) -> LocalJob:
        """Start the process."""
        if spec.tasks != 1:
            raise ValueError(f"this machine runs one process for a job, not {spec.tasks}")
        command = Command(
            spec.command,
            env={**os.environ, **spec.env},
            cwd=spec.cwd,
            stdout=PIPE if "stdout" in spec.output else self._stdout,
            stderr=PIPE if "stderr" in spec.output else self._stderr,
            own_group=self._own_group,
        )
        process = command.start()
        pipes = {"stdout": process.stdout, "stderr": process.stderr}
        pumps = [OutputPump(pipe, spec.output[name], name) for name, pipe in pipes.items() if pipe is not None]  # type: ignore[index]
        return LocalJob(spec.program, process, pumps)

    def poll(self, handle: LocalJob) -> JobState:
        """Look whether it still runs."""
        code = handle.process.poll()
        if code is None:
            return RUNNING
        while handle.pumps:
            handle.pumps.pop().finish()
        return JobState.ended(process_end(handle.program, code))

    def terminate(self, handle: LocalJob, urgency: Urgency) -> None:
        """Signal the process and, if it has a group, its children."""
        send(handle.process, SIGNALS[urgency], group=self._own_group)

    def wait(self, handle: LocalJob, timeout: float | None, nudged: threading.Event) -> None:
        """Until it ends."""
        with suppress(subprocess.TimeoutExpired):
            handle.process.wait(timeout)

    def release(self, handle: LocalJob) -> None:
        """Let go of its streams."""
        while handle.pumps:
            handle.pumps.pop().abandon()
