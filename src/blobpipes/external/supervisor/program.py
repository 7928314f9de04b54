"""The supervised program: started in a process group of its own, told of every signal that we get, waited for.

Signal handlers here do nothing but system calls, so they cannot wait for a lock that the code holds which they
interrupt. What has to happen beyond that is done by whoever reads the wake-up pipe.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from blobpipes.external.supervisor.endings import NOT_EXECUTABLE, NOT_FOUND, Ending
from blobpipes.external.supervisor.memory import out_of_memory_kills

FORWARDED: Final = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2
)  # fmt: skip
RESERVE: Final = 2.0  # seconds of the grace that are kept back to send the end; at most a quarter of it


class CannotStartError(Exception):
    """The program could not be started. `ending` says why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.describe())
        self.ending = ending


class Program:
    """One program, started once. Signals may come at any time, also before its start and after its end."""

    def __init__(self, command: Sequence[str], *, grace: float, wake: int = -1) -> None:
        """`grace`: seconds from SIGTERM until the platform kills us. `wake`: a pipe that is told of each signal."""
        self._command = tuple(command)
        self._patience = grace - min(RESERVE, grace / 4)
        self._wake = wake
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._has_ended = False
        self._was_killed = False
        self._memory_kills: int | None = None

    @contextmanager
    def signals_forwarded(self) -> Iterator[None]:
        """In this block our signals are the program's. Those that we were started to ignore stay ignored, by both."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = [number for number in FORWARDED if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        before: dict[int, Any] = {number: signal.signal(number, self._on_signal) for number in wanted}
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_alarm)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it, with our own standard streams.

        Raises:
            CannotStartError: there is no such program, or it cannot be run.
        """
        self._memory_kills = out_of_memory_kills()
        try:
            self._process = subprocess.Popen(
                self._command,
                env=dict(environment),
                start_new_session=True,
                close_fds=False,  # descriptors that we were handed on purpose are for the program
            )
        except (OSError, ValueError) as error:
            raise CannotStartError(_cannot_start(self._command[0], error)) from error
        for number in self._early:
            self.send(number)

    def identity(self) -> dict[str, Any]:
        """By which `still_runs` knows it again."""
        assert self._process is not None
        return {"group": self._process.pid, "started": _start_of(self._process.pid)}

    def wait(self) -> Ending:
        """Wait until it has ended. Its children may go on."""
        assert self._process is not None
        if hasattr(os, "waitid"):  # without reaping it, so that its number cannot be another's while we may signal it
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            self._has_ended = True
        code = self._process.wait()
        self._has_ended = True
        before, after = self._memory_kills, out_of_memory_kills()
        return Ending(
            code,
            ran_out_of_memory=code != 0 and before is not None and after is not None and after > before,
            patience=self._patience if self._was_killed and code == -signal.SIGKILL else None,
        )

    def send(self, number: int) -> None:
        """Signal the program and its children. Does nothing once it has ended. Safe in a signal handler."""
        if self._process is not None and not self._has_ended:
            with suppress(ProcessLookupError, PermissionError):  # it ended in this moment
                os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Tell it to end, as SIGTERM does; it is killed if it does not."""
        os.kill(os.getpid(), signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._has_ended:
            if number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                raise KeyboardInterrupt  # nothing is left to do but to send, and somebody does not want to wait
            return
        if self._process is None:
            self._early.append(number)
        self.send(number)
        if number == signal.SIGTERM:
            signal.setitimer(signal.ITIMER_REAL, self._patience)
        if self._wake >= 0:
            with suppress(OSError):
                os.write(self._wake, bytes([number]))

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        self._was_killed = not self._has_ended
        self.send(signal.SIGKILL)


def still_runs(group: Any, started: Any) -> bool:
    """Whether the program with this `identity`, or a child that stayed in its process group, is alive."""
    if not isinstance(group, int) or group <= 1:
        return False
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # none, or another user's
        return False
    now = _start_of(group)
    return bool(now is None or now == started)  # None: its children go on; else the number is another process' by now


def _start_of(pid: int) -> str | None:
    """When a process began, in the kernel's own count; None if there is none of that number, or nothing tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19] if fields[0] != "Z" else "ended, and not yet reaped"


def _cannot_start(name: str, error: OSError | ValueError) -> Ending:
    if isinstance(error, FileNotFoundError) and os.path.isfile(name):  # noqa: PTH113 - as the kernel sees it
        return Ending(NOT_EXECUTABLE, problem=f"{name!r} cannot be started: its interpreter does not exist")
    if isinstance(error, FileNotFoundError):
        return Ending(NOT_FOUND, problem=f"command not found: {name!r}")
    if isinstance(error, PermissionError):
        return Ending(NOT_EXECUTABLE, problem=f"{name!r} is not executable")
    if isinstance(error, OSError):
        if error.errno == errno.ENOEXEC:
            return Ending(NOT_EXECUTABLE, problem=f"{name!r} is no program: it has no interpreter line")
        return Ending(NOT_EXECUTABLE, problem=f"{name!r} cannot be started: {error.strerror}")
    return Ending(NOT_EXECUTABLE, problem=f"{name!r} cannot be started: {error}")
