"""A machine that the system's own ssh reaches, with the user's own configuration, keys and agent.

ssh shares one connection among all calls and lets go of it by itself a minute after the last one, also if this
process is killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from blobpipes.clients.machine import SHELL, Ran, last_line, run_script
from blobpipes.errors import PlaceDeniedError, PlaceError, PlaceMissingError, PlaceUnavailableError

_FAILED: Final = 255  # ssh's own code; a script's is passed on
_OPTIONS: Final = {
    "BatchMode": "yes",  # nobody is there to be asked
    "ConnectTimeout": "20",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ClearAllForwardings": "yes",
    "LogLevel": "ERROR",
}
_SHARING: Final = {"ControlMaster": "auto", "ControlPersist": "60"}


class SSHMachine:
    """Runs scripts on `host`.

    Args:
        host: a name or address, `user@host`, or what the ssh configuration calls it.
        port, identity_file, config_file: instead of what the ssh configuration says.
        options: more of ssh's options, as in ssh_config: {"ProxyJump": "gate"}.
        ssh: the program.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int | None = None,
        identity_file: str | os.PathLike[str] | None = None,
        config_file: str | os.PathLike[str] | None = None,
        options: dict[str, str] | None = None,
        ssh: str = "ssh",
    ) -> None:
        if not host or host.startswith("-") or any(c.isspace() for c in host):
            raise ValueError(f"{host!r} is no host; give a name, an address, or user@host")
        self.name = f"ssh://{host}" + (f":{port}" if port is not None else "")
        self._host = host
        self._ssh = ssh
        self._arguments = [
            *(["-F", os.fspath(config_file)] if config_file is not None else []),
            *(["-p", str(port)] if port is not None else []),
            *(["-i", os.fspath(identity_file)] if identity_file is not None else []),
            *(part for name, value in {**_OPTIONS, **(options or {})}.items() for part in ("-o", f"{name}={value}")),
        ]
        self._lock = threading.Lock()
        self.shared: Path | None = None  # the folder of the shared connection's socket, while there is one

    def run(self, script: str) -> Ran:
        """Run it in a shell there.

        Raises:
            PlaceUnavailableError: the machine cannot be reached, or the connection was lost.
            PlaceMissingError: there is no such host, or no ssh here.
            PlaceDeniedError: it does not let us in, or it is not the machine that we know.
        """
        command = [self._ssh, *self._sharing(), *self._arguments, "--", self._host, SHELL, "-s"]
        try:
            ran = run_script(command, script)
        except PlaceUnavailableError:
            self.close()  # the shared connection may hang
            raise
        if ran.code == _FAILED:
            raise failure(self.name, ran.err)
        return ran

    def command(self) -> Sequence[str]:
        """What is run here, for showing. The job is not in it."""
        return [self._ssh, *self._arguments, "--", self._host, SHELL, "-s"]

    def close(self) -> None:
        """End the shared connection."""
        with self._lock:
            folder, self.shared = self.shared, None
        if folder is None:
            return
        if any(folder.iterdir()):
            asked = [self._ssh, "-o", f"ControlPath={folder}/%C", *self._arguments, "-O", "exit", "--", self._host]
            with suppress(subprocess.SubprocessError, OSError):
                subprocess.run(asked, capture_output=True, timeout=10, check=False)
        shutil.rmtree(folder, ignore_errors=True)

    def _sharing(self) -> list[str]:
        """Options for one connection for all. A socket's path has at most 104 characters on some systems."""
        if os.name != "posix":
            return []
        with self._lock:
            if self.shared is None:
                self.shared = Path(tempfile.mkdtemp(prefix="bp-ssh-", dir="/tmp"))
            path = f"{self.shared}/%C"
        wanted = {**_SHARING, "ControlPath": path}
        return [part for name, value in wanted.items() for part in ("-o", f"{name}={value}")]


def failure(name: str, err: str) -> PlaceError:
    """What ssh meant by its words. Whatever it does not say clearly may pass."""
    said = last_line(err) or "ssh failed without a word"
    low = err.lower()
    text = f"{name}: {said}"
    for words, kind, remedy in _WORDS:
        if any(word in low for word in words):
            return kind(text, reason=said, remedy=remedy)
    return PlaceUnavailableError(text, reason=said, remedy="Check that `ssh` reaches the machine, and its ssh server.")


_WORDS: Final[tuple[tuple[tuple[str, ...], type[PlaceError], str], ...]] = (
    (
        ("remote host identification has changed",),
        PlaceDeniedError,
        "Another machine answers than before. If that is right, remove the old key: ssh-keygen -R HOST",
    ),
    (
        ("host key verification failed",),
        PlaceDeniedError,
        "Nobody has said yet that this host's key is right: connect once by hand (ssh HOST) and compare it.",
    ),
    (
        ("permission denied", "too many authentication failures", "no supported authentication"),
        PlaceDeniedError,
        "Give the user and an identity_file whose key the machine knows (ssh-copy-id), or an agent.",
    ),
    (
        ("temporary failure in name resolution",),
        PlaceUnavailableError,
        "Check this machine's network and name service, and the host's name.",
    ),
    (
        ("could not resolve hostname", "name or service not known", "nodename nor servname"),
        PlaceMissingError,
        "Check the host's name, or give it one in ~/.ssh/config.",
    ),
    (
        ("bad configuration option", "can't open user config file", "unknown option"),
        PlaceMissingError,
        "Correct the ssh options or the configuration file.",
    ),
    (
        ("connection refused",),
        PlaceUnavailableError,
        "Check that the machine's ssh server runs, and the port.",
    ),
)
