"""A real Slurm of one node on this machine: munged, slurmctld and slurmd, with files and ports of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from integration_tests.servers.clouds import MissingServerError
from integration_tests.servers.process import START_TIMEOUT, STOP_TIMEOUT, _die_with_parent, free_port

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=20
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=1000
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=closed Nodes={host} State=DOWN
"""


class SlurmCluster:
    """A context manager. While it lives, SLURM_CONF in `env` leads Slurm's commands to it."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in _NEEDED if shutil.which(name, path=_PATH) is None]
        if missing:
            raise MissingServerError(f"there is no {missing[0]} here: apt install slurm-wlm munge")
        if os.getuid() != 0:
            raise MissingServerError("Slurm's node daemon needs root")
        self.folder = folder
        self.controller_port = free_port()
        self._stack = ExitStack()

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.conf)}

    def __enter__(self) -> SlurmCluster:
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(mode=0o700)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        text = _CONFIG.format(host=host, folder=self.folder, controller=self.controller_port, node=free_port())
        self.conf.write_text(text)
        munge = [f"--{name}={self.folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        try:
            self._start("munged", "--foreground", "--force", f"--key-file={key}", *munge)
            self._wait_until("munged", (self.folder / "munge" / "socket").exists)
            self._start("slurmctld", "-D")
            self._start("slurmd", "-D", "-N", host)
            self._wait_until("slurmd", self._is_idle)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, name: str, *options: str) -> None:
        program = shutil.which(name, path=_PATH)
        assert program is not None
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*_die_with_parent(), program, *options],
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_stop, process)

    def _is_idle(self) -> bool:
        env = {**os.environ, **self.env}
        asked = subprocess.run(["sinfo", "-h", "-p", "main", "-o", "%t"], env=env, capture_output=True, check=False)
        return asked.stdout.strip() == b"idle"

    def _wait_until(self, name: str, is_so: object) -> None:
        assert callable(is_so)
        deadline = time.monotonic() + START_TIMEOUT
        while not is_so():
            if time.monotonic() > deadline:
                logs = "\n".join(f"{file.name}:\n{file.read_text()[-2000:]}" for file in self.folder.glob("*.log"))
                raise RuntimeError(f"{name} is not ready after {START_TIMEOUT:g} s\n{logs}")
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
