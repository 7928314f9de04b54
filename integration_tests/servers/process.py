"""A server as a process of its own: started on a free port, waited for, and always ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

START_TIMEOUT = 180.0  # seconds; the slowest needs 4 on a quiet machine
STOP_TIMEOUT = 10.0


class PortTakenError(RuntimeError):
    """Somebody else got the port between the look for a free one and the server's start."""


class ServerProcess:
    """A context manager around one server that listens on `localhost:port`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        path: str = "/",
        env: Mapping[str, str] | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        self.name = name
        self.port = port
        self._start_timeout = start_timeout
        self._command = [*_die_with_parent(), *command]
        self._probe = f"http://127.0.0.1:{port}{path}"
        self._env = {**os.environ, **(env or {})}
        self._log = tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".log")  # noqa: SIM115 - closed on exit
        self._process: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None  # of the last start

    @property
    def url(self) -> str:
        """By host name: name resolution is a thing that clients get wrong."""
        return f"http://localhost:{self.port}"

    def __enter__(self) -> ServerProcess:
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._env
        )
        self.pid = self._process.pid
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._log.close()

    def log(self, lines: int = 40) -> str:
        """The last lines that the server wrote."""
        text = Path(self._log.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout
        while not self._answers():
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                state = (
                    f"ended with status {status}"
                    if status is not None
                    else f"is not ready after {self._start_timeout:g} s"
                )
                log = self.log()
                kind = PortTakenError if "in use" in log or "EADDRINUSE" in log else RuntimeError
                raise kind(f"{self.name} {state}; its log:\n{log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._probe, timeout=1):
                return True
        except urllib.error.HTTPError:
            return True  # it speaks HTTP; what it thinks of our question does not matter
        except OSError:
            return False


def _die_with_parent() -> list[str]:
    """So that a test run which is killed leaves no server behind, where the system can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


@contextmanager
def closed_port() -> Iterator[int]:
    """A port where nobody listens and, until the block ends, nobody can."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def free_port() -> int:
    """A port that was free a moment ago; who starts a server there must be ready to be too late."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
