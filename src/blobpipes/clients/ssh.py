"""Runs a job on a machine that ssh reaches. It outlives the connection: a lost network says nothing about the job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from blobpipes.clients.detached_place import DetachedJob, DetachedPlace
from blobpipes.clients.detached_scripts import DetachedScripts
from blobpipes.clients.job import RunPolicy
from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.clients.ssh_machine import SSHMachine
from blobpipes.orchestration.context_injectors import PipesContextInjector
from blobpipes.orchestration.message_readers import PipesMessageReader


class PipesSSHClient(PipesPlaceClient[DetachedJob]):
    """Runs commands on a machine with a POSIX shell, by the ssh of this system.

    The job runs under `blobpipes exec` where the machine has it. Variables, arguments and params go through the
    encrypted connection, and stand on no command line. One client may run several jobs at once.

    Args:
        host: a name or address, `user@host`, or what the ssh configuration calls it.
        port, identity_file, config_file, ssh_options: instead of what the ssh configuration says.
        env: variables for the job, on top of those that a login gives it.
        cwd: its working directory there, by default the home.
        url: under which sessions live; the machine must reach it too, with credentials of its own.
        supervisor: the command there that has `exec`, such as /home/me/venv/bin/blobpipes; by default `blobpipes`,
            if the job's PATH has it; "": the program runs without.
        folder: where the machine keeps what belongs to a job until it has ended.
        keep: leave that there.
        forward_termination: if this process is interrupted while it waits, end the job too. If not, the job runs on,
            but its session ends, and what it writes from then on is refused. (If this process is killed, nothing ends:
            `run(..., session=NAME, attach=True)` comes back to the job.)
        forward_stdio: copy what the job prints to where ours goes.
        termination_timeout: seconds that an interrupted job has until it is killed.
        patience: seconds for which the machine may be out of reach while the job runs.
        session_options: for `open_pipes_session`.
    """

    def __init__(
        self,
        host: str,
        *,
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
        machine = SSHMachine(
            host, port=port, identity_file=identity_file, config_file=config_file, options=dict(ssh_options or {})
        )
        super().__init__(
            DetachedPlace(machine, DetachedScripts(folder, supervisor), keep=keep),
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
