"""Runs a job as a process of this machine.

The process gets a process group of its own, so that Ctrl-C in a terminal reaches it once and through us,
and so that the children of a shell are told too. An interrupted run sends SIGINT, as Dagster does: a Python
job then leaves its `with` block and closes with the exception, while SIGTERM would end it on the spot. What
ignores that gets SIGTERM, and SIGKILL when the time is over.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from blobpipes.clients.client import PipesClient, PipesClientCompletedInvocation
from blobpipes.clients.launch import PIPE, Command, Process, Stream, how_it_ended, interrupt, parse_command
from blobpipes.clients.output import message_output
from blobpipes.errors import InvalidUrlError, JobFailedError
from blobpipes.orchestration.context_injectors import PipesContextInjector, PipesTempFileContextInjector
from blobpipes.orchestration.file_readers import PipesTempFileMessageReader
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.open import URL_ENV_VAR, open_pipes_session
from blobpipes.orchestration.results import PipesExecutionResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession


class PipesSubprocessClient(PipesClient):
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
        stdout: Stream = None,
        stderr: Stream = None,
        **session_options: Any,
    ) -> None:
        if PIPE in (stdout, stderr):
            raise ValueError("a pipe would fill up, because nobody reads it here; pass a file or a descriptor")
        self._env = dict(env or {})
        self._cwd = cwd
        self._url = url
        self._context_injector = context_injector
        self._message_reader = message_reader
        self._forward_termination = forward_termination
        self._output = message_output(message_reader, muted=not forward_stdio)
        self._stdout = stdout if forward_stdio or stdout is not None else subprocess.DEVNULL
        self._stderr = stderr if forward_stdio or stderr is not None else subprocess.DEVNULL
        self._termination_timeout = termination_timeout
        self._session_options = session_options

    def run(  # type: ignore[override]  # every client has arguments of its own
        self,
        *,
        context: RunContext,
        command: str | Sequence[str],
        extras: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        session: str | None = None,
    ) -> PipesClientCompletedInvocation:
        """Run a command to its end.

        Args:
            context: what is known of the run.
            command: program and arguments. Text is split as a shell does it, but no shell runs it.
            extras: for the job, on top of the run's own.
            env: variables, on top of the client's.
            cwd: instead of the client's.
            session: the session's name under the URL, by default a new one.

        Raises:
            LaunchError: the command could not be started.
            JobFailedError: it ended with a failure; everything that it wrote was read before. Has the report.
            IncompleteError: it ended well, but it is not proved that everything came.
            BlobpipesError: the session could not be opened; nothing was launched.
        """
        with self._running(context, extras, self._command(command, env, cwd), session) as (opened, process):
            for _ in self._output.lines_handled(opened, process):
                pass
            process.wait()
        return PipesClientCompletedInvocation(opened)

    def stream(
        self,
        *,
        context: RunContext,
        command: str | Sequence[str],
        extras: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        session: str | None = None,
    ) -> Generator[PipesExecutionResult, None, PipesClientCompletedInvocation]:
        """Run a command, and give each result as soon as it has come.

        Arguments and errors as of `run`; errors come after the last result. Closing the generator interrupts
        the job. `invocation = yield from client.stream(...)` also has what `run` returns.
        """
        with self._running(context, extras, self._command(command, env, cwd), session) as (opened, process):
            given = 0
            for _ in self._output.lines_handled(opened, process):
                new = opened.get_reported_results(start=given)
                given += len(new)
                yield from new
            yield from opened.iter_results(start=given, while_running=lambda: process.poll() is None)
            process.wait()
        return PipesClientCompletedInvocation(opened)

    def _command(
        self, command: str | Sequence[str], env: Mapping[str, str] | None, cwd: str | os.PathLike[str] | None
    ) -> Command:
        return Command(
            parse_command(command),
            env={**os.environ, **self._env, **(env or {})},
            cwd=cwd or self._cwd,
            stdout=self._stdout,
            stderr=self._stderr,
            own_group=self._forward_termination,
        )

    @contextmanager
    def _running(
        self, context: RunContext, extras: Mapping[str, Any] | None, command: Command, session: str | None
    ) -> Iterator[tuple[PipesSession, Process]]:
        """The block waits for the process; however it ends, the process is gone before the session ends."""
        with self._open_session(context, extras, session) as opened:
            _require_reachable(opened)
            process = self._output.piped(command).start(opened.get_bootstrap_env_vars())
            try:
                yield opened, process
            except BaseException:
                if self._forward_termination:
                    interrupt(process, self._termination_timeout, group=True)
                    self._output.handle_rest(opened, process)
                raise
            finally:
                self._output.close(process)
            if process.returncode != 0:
                text, remedy = how_it_ended(command.program, process.returncode)
                raise JobFailedError(text, exit_code=process.returncode, remedy=remedy)

    def _open_session(
        self, context: RunContext, extras: Mapping[str, Any] | None, session: str | None
    ) -> AbstractContextManager[PipesSession]:
        injector, reader, options = self._context_injector, self._message_reader, dict(self._session_options)
        if not (self._url or os.environ.get(URL_ENV_VAR)):
            injector = injector or PipesTempFileContextInjector()
            reader = reader or PipesTempFileMessageReader(options.pop("include_stdio_in_messages", False))
        return open_pipes_session(context, injector, reader, url=self._url, session=session, extras=extras, **options)


def _require_reachable(session: PipesSession) -> None:
    """A process of its own cannot see this one's memory."""
    if (session.url or "").startswith("memory:"):
        raise InvalidUrlError(
            "memory:// lives in one process, so a job that is another process cannot reach it",
            remedy="Use a folder, file:///tmp/pipes, or a bucket.",
        )
