"""Starting a process of this machine, ending it, and words for how it ended."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Final, TypeAlias

from blobpipes.errors import LaunchError

Stream: TypeAlias = "int | IO[Any] | None"
Process: TypeAlias = "subprocess.Popen[bytes]"

PIPE: Final = subprocess.PIPE
_HAS_GROUPS: Final = os.name == "posix"
_SIGKILL_REMEDY: Final = "Often the machine ran out of memory: look at its kernel log, and give the job more."


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. The arguments may hold secrets: only the program's name is ever shown."""

    arguments: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)  # the whole environment
    cwd: str | os.PathLike[str] | None = None
    stdout: Stream = None
    stderr: Stream = None
    own_group: bool = True  # out of reach of the terminal's Ctrl-C

    @property
    def program(self) -> str:
        """The name to show."""
        return self.arguments[0]

    def start(self, more_env: Mapping[str, str]) -> Process:
        """Start it, with more variables.

        Raises:
            LaunchError: it cannot be started.
        """
        try:
            return subprocess.Popen(
                self.arguments,
                env={**self.env, **more_env},
                cwd=self.cwd,
                stdout=self.stdout,
                stderr=self.stderr,
                start_new_session=self.own_group and _HAS_GROUPS,
            )
        except (OSError, ValueError) as error:
            raise self._cannot_start(error) from error

    def _cannot_start(self, error: OSError | ValueError) -> LaunchError:
        what = f"cannot start {self.program!r}"
        if isinstance(error, ValueError):
            return LaunchError(f"{what}: {error}")
        if self.cwd is not None and not os.path.isdir(self.cwd):  # noqa: PTH112 - any path type
            return LaunchError(f"{what}: the working directory {os.fspath(self.cwd)!r} does not exist")
        if isinstance(error, FileNotFoundError):
            return LaunchError(f"{what}: no such program", remedy="Check its spelling and the PATH, or give its path.")
        if error.errno == errno.E2BIG:
            return LaunchError(
                f"{what}: its arguments and variables are too large",
                remedy="Send the context through a file or a store, not through the environment.",
            )
        return LaunchError(f"{what}: {error.strerror or error}")


def parse_command(command: str | Sequence[str]) -> tuple[str, ...]:
    """The program and its arguments. Text is split as a shell does it, but no shell runs it.

    Raises:
        LaunchError: there is none, or it cannot be split.
    """
    try:
        arguments = tuple(shlex.split(command)) if isinstance(command, str) else tuple(os.fspath(a) for a in command)
    except (ValueError, TypeError) as error:
        raise LaunchError(f"the command cannot be understood: {error}") from None
    if not arguments or not arguments[0]:
        raise LaunchError("the command is empty", remedy="Give the program and its arguments.")
    return arguments


def interrupt(process: Process, timeout: float, *, group: bool) -> None:
    """End the process: SIGINT, after half of `timeout` seconds SIGTERM, at its end SIGKILL. Returns when it is gone."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            _send(process, number, group=group)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout / 2)
                return
    finally:  # also when a second Ctrl-C ends the waiting
        if process.poll() is None:
            _send(process, _KILL, group=group)
            process.wait()


_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)


def how_it_ended(program: str, code: int) -> tuple[str, str | None]:
    """One sentence on an exit code that is not 0, and a remedy if there is a special one."""
    program = os.path.basename(program)  # noqa: PTH119 - only text
    if code < 0:
        name = _signal_name(-code)
        return f"{program} was killed by {name}", _SIGKILL_REMEDY if name == "SIGKILL" else None
    if code > 128 and (name := _signal_name(code - 128)).startswith("SIG"):
        remedy = _SIGKILL_REMEDY if name == "SIGKILL" else None
        return f"{program} exited with code {code} (a shell's word for killed by {name})", remedy
    return f"{program} exited with code {code}", None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _send(process: Process, number: int, *, group: bool) -> None:
    if process.poll() is not None:
        return
    if not _HAS_GROUPS:
        process.terminate()
        return
    with suppress(ProcessLookupError):  # it ended in this moment
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
