"""A real OpenSSH server on loopback, with keys and a configuration of its own, behind a gate that can be shut."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from integration_tests.servers.clouds import MissingServerError
from integration_tests.servers.process import START_TIMEOUT, STOP_TIMEOUT, _die_with_parent, free_port

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv SLURM_CONF
"""
_CLIENT_CONFIG = """\
Host box
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""


class SSHServer:
    """A context manager around one server. ssh calls it `box` in the configuration file `config`."""

    def __init__(self, folder: Path) -> None:
        sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if sshd is None or shutil.which("ssh-keygen") is None:
            raise MissingServerError("there is no OpenSSH server here: apt install openssh-server")
        self.folder = folder
        self.port = free_port()
        self.gate = Gate(self.port)
        self._sshd = sshd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def __enter__(self) -> SSHServer:
        for name in ("host", "key", "stranger"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(keygen, check=True)
        host_key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        shutil.copy(self.folder / "key.pub", self.folder / "authorized")
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.gate.port} {host_key}\n")
        (self.folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=self.folder))
        user = getpass.getuser()
        self.config.write_text(_CLIENT_CONFIG.format(port=self.gate.port, folder=self.folder, user=user))
        if os.getuid() == 0:  # where the server changes its root to; the system makes it when it starts its own
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._start()
        self.gate.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.__exit__(kind, error, trace)
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        log = self.folder / "log"
        with log.open("wb") as file:
            command = [*_die_with_parent(), self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not start; its log:\n{log.read_text()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True


class Gate:
    """Passes connections on to a port of this machine. Shut, it cuts those that are open and takes no new ones."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_shut = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="gate", daemon=True)

    def shut(self) -> None:
        self._is_shut.set()
        with self._lock:
            for each in self._open:
                _end(each)

    def open(self) -> None:
        self._is_shut.clear()

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()
        _end(self._listener)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self._is_shut.is_set():
                ours.close()
                continue
            threading.Thread(target=self._pass_on, args=(ours,), daemon=True).start()

    def _pass_on(self, ours: socket.socket) -> None:
        with ours, socket.create_connection(("127.0.0.1", self._target)) as theirs:
            with self._lock:
                self._open |= {ours, theirs}
            back = threading.Thread(target=_copy, args=(theirs, ours), daemon=True)
            back.start()
            _copy(ours, theirs)
            back.join()
            with self._lock:
                self._open -= {ours, theirs}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _end(source)
    _end(target)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
