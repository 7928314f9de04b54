"""Runs what a simulated EC2 has launched: each machine's user data as a process, in a folder of its own.

Its `shutdown` does what a machine's does: the machine is gone. So is a machine's process when EC2 is told to end it.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


class Hypervisor:
    """A context manager; a thread of its own looks for machines to run."""

    def __init__(self, ec2: Any, folder: Path, env: dict[str, str], *, boots: bool = True) -> None:
        self.ec2 = ec2
        self.machines: dict[str, subprocess.Popen[bytes]] = {}
        self.ran: list[str] = []  # machines whose script has ended
        self._folder = folder
        self._env = env
        self._boots = boots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Hypervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for machine in list(self.machines):
            self._power_off(machine)

    def take_away(self, machine: str) -> None:
        """As EC2 does with a spot machine."""
        self._power_off(machine)
        self.ec2.terminate_instances(InstanceIds=[machine])

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            running = self._ids("running")
            for machine in running - set(self.machines) - set(self.ran):
                self._power_on(machine)
            for machine, process in list(self.machines.items()):
                if machine not in running:
                    self._power_off(machine)
                elif process.poll() is not None:
                    self._power_off(machine)
                    self.ec2.terminate_instances(InstanceIds=[machine])

    def _ids(self, state: str) -> set[str]:
        wanted = [{"Name": "instance-state-name", "Values": [state]}]
        answer = self.ec2.describe_instances(Filters=wanted)
        return {found["InstanceId"] for group in answer["Reservations"] for found in group["Instances"]}

    def _power_on(self, machine: str) -> None:
        folder = self._folder / machine
        programs = folder / "programs"
        programs.mkdir(parents=True)
        (programs / PYTHON).symlink_to(f"{sys.base_prefix}/bin/{PYTHON}")
        (programs / "shutdown").write_text("#!/bin/sh\nexit 0\n")  # the script's end is the machine's, see above
        (programs / "shutdown").chmod(0o755)
        answer = self.ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
        script = folder / "user-data"
        script.write_bytes(base64.b64decode(answer["UserData"]["Value"]))
        command = ["/bin/sh", str(script)] if self._boots else ["sleep", "600"]
        with (folder / "console").open("wb") as console:
            self.machines[machine] = subprocess.Popen(
                command,
                env={"PATH": f"{programs}:/usr/bin:/bin", **self._env},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _power_off(self, machine: str) -> None:
        process = self.machines.pop(machine)
        self.ran.append(machine)
        with suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def console(self, machine: str) -> str:
        return (self._folder / machine / "console").read_text(encoding="utf-8", errors="replace")
