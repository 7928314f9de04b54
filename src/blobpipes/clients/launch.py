"""Starting a process of this machine, and signalling it."""

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

from blobpipes.clients.place import Urgency
from blobpipes.errors import LaunchError

Stdio: TypeAlias = "int | IO[Any] | None"
Process: TypeAlias = "subprocess.Popen[bytes]"

PIPE: Final = subprocess.PIPE
_HAS_GROUPS: Final = os.name == "posix"
SIGNALS: Final = {
    Urgency.INTERRUPT: signal.SIGINT,
    Urgency.TERMINATE: signal.SIGTERM,
    Urgency.KILL: getattr(signal, "SIGKILL", signal.SIGTERM),
}


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. The arguments may hold secrets: only the program's name is ever shown."""

    arguments: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)  # the whole environment
    cwd: str | os.PathLike[str] | None = None
    stdout: Stdio = None
    stderr: Stdio = None
    own_group: bool = True  # out of reach of the terminal's Ctrl-C

    @property
    def program(self) -> str:
        """The name to show."""
        return self.arguments[0]

    def start(self) -> Process:
        """Start it.

        Raises:
            LaunchError: it cannot be started.
        """
        try:
            return subprocess.Popen(
                self.arguments,
                env=dict(self.env),
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


def send(process: Process, number: int, *, group: bool) -> None:
    """Signal the process, or the whole of the group that it leads. Nothing happens if it has ended."""
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
