"""Runs a job under Slurm: sbatch, squeue, sacct and scancel, here or on a host that ssh reaches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blobpipes.clients.job import RunPolicy
from blobpipes.clients.machine import LocalMachine, Machine
from blobpipes.clients.place import JobSpec
from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.clients.slurm_place import SlurmJob, SlurmPlace
from blobpipes.clients.slurm_scripts import SlurmScripts
from blobpipes.clients.ssh_machine import SSHMachine
from blobpipes.errors import InvalidOptionError
from blobpipes.orchestration.context_injectors import PipesContextInjector
from blobpipes.orchestration.message_readers import PipesMessageReader


class PipesSlurmClient(PipesPlaceClient[SlurmJob]):
    """Runs commands as batch jobs of Slurm.

    The job runs under `blobpipes exec` where the nodes have it.

    Args:
        host: where sbatch is, if not on this machine; a name for ssh, such as `user@login`.
        partition, time: as sbatch's options of that name.
        options: more of sbatch's: ["--mem=4G", "--gres=gpu:1"].
        tasks: processes of an array job, each with an index and a lane of its own in the session.
        port, identity_file, config_file, ssh_options: instead of what the ssh configuration says.
        env: variables for the job, on top of those that Slurm passes on.
        cwd: its working directory on the nodes.
        url: under which sessions live; the nodes must reach it too, with credentials of their own.
        supervisor: the command there that has `exec`; by default `blobpipes`, if the job's PATH has it; "": none.
        folder: where a job's files are until it has ended: on a file system that the nodes share.
        keep: leave them there.
        forward_termination: if this process is interrupted while it waits, cancel the job too. If not, the job runs on,
            but its session ends, and what it writes from then on is refused. (If this process is killed, nothing ends:
            `run(..., session=NAME, attach=True)` comes back to the job.)
        forward_stdio: copy what a single task prints to where ours goes.
        termination_timeout: seconds that an interrupted job has until it is killed; Slurm's KillWait may be longer.
        patience: seconds for which the controller may be out of reach while the job runs.
        session_options: for `open_pipes_session`.
    """

    def __init__(
        self,
        host: str | None = None,
        *,
        partition: str | None = None,
        time: str | None = None,
        options: Sequence[str] = (),
        tasks: int = 1,
        port: int | None = None,
        identity_file: str | os.PathLike[str] | None = None,
        config_file: str | os.PathLike[str] | None = None,
        ssh_options: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        url: str | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        supervisor: str = "auto",
        folder: str = "$HOME/.blobpipes/jobs",
        keep: bool = False,
        forward_termination: bool = True,
        forward_stdio: bool = True,
        termination_timeout: float = 20.0,
        patience: float = 600.0,
        **session_options: Any,
    ) -> None:
        if tasks < 1:
            raise InvalidOptionError(f"tasks is {tasks}", remedy="Give a number from 1.")
        if tasks > 1:
            session_options.setdefault("lanes", tasks)
        self._tasks = tasks
        machine: Machine = LocalMachine()
        if host is not None:
            machine = SSHMachine(
                host, port=port, identity_file=identity_file, config_file=config_file, options=dict(ssh_options or {})
            )
        wanted = [f"--{name}={value}" for name, value in (("partition", partition), ("time", time)) if value]
        super().__init__(
            SlurmPlace(machine, SlurmScripts(folder, supervisor, [*wanted, *options]), keep=keep),
            env=env,
            cwd=cwd,
            url=url,
            context_injector=context_injector,
            message_reader=message_reader,
            policy=RunPolicy(
                forward_termination=forward_termination, termination_timeout=termination_timeout, patience=patience
            ),
            forward_stdio=forward_stdio,
            **session_options,
        )

    def spec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> JobSpec:
        """What to run, as often as the client says."""
        return replace(super().spec(command, env=env, cwd=cwd), tasks=self._tasks)
