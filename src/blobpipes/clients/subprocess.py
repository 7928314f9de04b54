"""Runs a job as a process of this machine.

An interrupted run sends SIGINT, as Dagster does: a Python job then leaves its `with` block and closes with the
exception, while SIGTERM would end it on the spot. What ignores that gets SIGTERM, and SIGKILL when the time is over.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from blobpipes.clients.job import RunPolicy
from blobpipes.clients.launch import PIPE, Stdio
from blobpipes.clients.local_place import LocalJob, LocalPlace
from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.orchestration.context_injectors import PipesContextInjector, PipesTempFileContextInjector
from blobpipes.orchestration.file_readers import PipesTempFileMessageReader
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.open import URL_ENV_VAR, open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession


class PipesSubprocessClient(PipesPlaceClient[LocalJob]):
    """Runs commands as processes of this machine.

    Without a URL (`url`, or BLOBPIPES_URL) context and messages go through temporary files. One client may
    run several jobs at once.

    Args:
        env: variables for the process, on top of this process's own.
        cwd: its working directory.
        url: under which sessions live.
        context_injector, message_reader: instead of those that the URL or the temporary files give.
        forward_termination: if this process is interrupted while it waits, interrupt the job too. If not,
            the job runs on, but its session ends, and what it writes from then on is refused.
        forward_stdio: let the job's stdout and stderr go where ours go; else they are discarded.
        termination_timeout: seconds that an interrupted job has until it is killed.
        stdout, stderr: a file or descriptor instead of ours.
        session_options: for `open_pipes_session`: storage_options, include_stdio_in_messages, on_incomplete,
            on_event, and the URL's own options.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        url: str | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        forward_termination: bool = True,
        forward_stdio: bool = True,
        termination_timeout: float = 20.0,
        *,
        stdout: Stdio = None,
        stderr: Stdio = None,
        **session_options: Any,
    ) -> None:
        if PIPE in (stdout, stderr):
            raise ValueError("a pipe would fill up, because nobody reads it here; pass a file or a descriptor")
        super().__init__(
            LocalPlace(
                stdout=stdout if forward_stdio or stdout is not None else subprocess.DEVNULL,
                stderr=stderr if forward_stdio or stderr is not None else subprocess.DEVNULL,
                own_group=forward_termination,
            ),
            env=env,
            cwd=cwd,
            url=url,
            context_injector=context_injector,
            message_reader=message_reader,
            policy=RunPolicy(forward_termination=forward_termination, termination_timeout=termination_timeout),
            forward_stdio=forward_stdio,
            **session_options,
        )

    def _open_session(
        self, context: RunContext, extras: Mapping[str, Any] | None, session: str | None, attach: bool
    ) -> AbstractContextManager[PipesSession]:
        if self._url or os.environ.get(URL_ENV_VAR):
            return super()._open_session(context, extras, session, attach)
        options = dict(self.session_options)
        injector = self._context_injector or PipesTempFileContextInjector()
        reader = self._message_reader or PipesTempFileMessageReader(options.pop("include_stdio_in_messages", False))
        return open_pipes_session(context, injector, reader, session=session, extras=extras, **options)
