"""A machine with a POSIX shell: scripts go in through stdin, so nothing of them is on a command line."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final, Protocol, TypeAlias

from blobpipes.errors import PlaceDeniedError, PlaceError, PlaceFullError, PlaceMissingError, PlaceUnavailableError

Troubles: TypeAlias = tuple[
    tuple[str, type[PlaceError], "str | None"], ...
]  # what is said (in small letters), what it is
TIMEOUT: Final = 60.0  # seconds for one script
SHELL: Final = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one script."""

    code: int
    out: bytes
    err: str


class Machine(Protocol):
    """Where scripts can be run. Several threads may use one."""

    name: str  # for people

    def run(self, script: str) -> Ran:
        """Run it, and wait for it.

        Raises:
            PlaceError: it could not be run at all.
        """

    def command(self) -> Sequence[str]:
        """What is run here and gets the script on its standard input; for showing."""

    def close(self) -> None:
        """Let go of connections. It may be used again."""


class LocalMachine:
    """This machine."""

    name = "this machine"

    def run(self, script: str) -> Ran:
        """Run it in a shell."""
        return run_script(self.command(), script)

    def command(self) -> Sequence[str]:
        """A shell."""
        return [SHELL, "-s"]

    def close(self) -> None:
        """Nothing is held."""


class SharedConnection:
    """Closes a machine when the last job that needs its connection has gone. Any thread may call it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._holders = 0

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Held during the block; and beyond it, until `let_go`, if the block calls what it is given."""
        kept: list[bool] = []
        with self._lock:
            self._holders += 1
        try:
            yield lambda: kept.append(True)
        finally:
            if not kept:
                self.let_go()

    def let_go(self) -> None:
        """One job less."""
        with self._lock:
            self._holders -= 1
            is_last = not self._holders
        if is_last:
            self._machine.close()


def run_script(command: Sequence[str], script: str, *, timeout: float = TIMEOUT) -> Ran:
    """Feed a script to a command.

    Raises:
        PlaceMissingError: there is no such command here.
        PlaceUnavailableError: it did not end in time.
    """
    with tempfile.TemporaryFile() as err:  # no pipe, which the process that shares a connection could keep open
        ran = _run(command, script, timeout, err)
        err.seek(0)
        return Ran(ran.returncode, ran.stdout, err.read().decode("utf-8", "replace"))


def _run(command: Sequence[str], script: str, timeout: float, err: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            input=script.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=err,
            timeout=timeout,
            start_new_session=True,  # a Ctrl-C is for us: what runs here ends the job in order
            check=False,
        )
    except FileNotFoundError:
        raise PlaceMissingError(
            f"there is no {command[0]!r} on this machine", remedy=f"Install {command[0]}, or correct the PATH."
        ) from None
    except subprocess.TimeoutExpired:
        raise PlaceUnavailableError(f"{command[0]} gave no answer within {timeout:g} s", reason="timeout") from None


def checked(ran: Ran, machine: str, troubles: Troubles = ()) -> bytes:
    """What a script printed.

    Raises:
        PlaceError: it failed; the class says why as far as its words do.
    """
    if ran.code == 0:
        return ran.out
    said = last_line(ran.err) or f"a script ended with code {ran.code}"
    known: tuple[type[PlaceError], str | None] = (PlaceError, None)
    kind, remedy = next(((k, r) for text, k, r in (*troubles, *_TROUBLES) if text in ran.err.lower()), known)
    raise kind(f"{machine}: {said}", reason=said, remedy=remedy)


_TROUBLES: Final[Troubles] = (
    ("no space left on device", PlaceFullError, "Free some space on its disk, then try again."),
    ("disk quota exceeded", PlaceFullError, "Free some space in your quota there, then try again."),
    ("read-only file system", PlaceDeniedError, "Choose a folder there that can be written to."),
    ("permission denied", PlaceDeniedError, "Choose a folder there that can be written to."),
    ("cannot allocate memory", PlaceUnavailableError, "The machine has run out of memory or processes."),
    ("resource temporarily unavailable", PlaceUnavailableError, "The machine has run out of memory or processes."),
)


def preview(machine: Machine, script: str) -> str:
    """How a script would be run."""
    return f"in {machine.name}: {shlex.join(machine.command())}\nwith this on its standard input:\n\n{script}"


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
