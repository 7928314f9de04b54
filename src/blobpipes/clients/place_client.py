"""The client of any place: a session, and in it the run loop."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic

from blobpipes.clients.client import PipesClient, PipesClientCompletedInvocation
from blobpipes.clients.job import Job, RunPolicy
from blobpipes.clients.launch import parse_command
from blobpipes.clients.loop import running
from blobpipes.clients.output import output_takers
from blobpipes.clients.place import Handle, JobSpec, Place, token_of
from blobpipes.errors import InvalidOptionError, InvalidUrlError
from blobpipes.orchestration.context_injectors import PipesContextInjector
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.results import PipesExecutionResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.messages import Closed


class PipesPlaceClient(PipesClient, Generic[Handle]):
    """Runs commands in a place. One client may run several jobs at once.

    Args:
        place: where.
        env: variables for the job, on top of those that the place gives it.
        cwd: its working directory, if not the place's own.
        url: under which sessions live; by default BLOBPIPES_URL.
        context_injector, message_reader: instead of those that the URL gives.
        policy: how patient to be, and whether an interruption of this process ends the job.
        forward_stdio: let what the job prints between its messages go where ours goes, where that is known.
        session_options: for `open_pipes_session`: storage_options, include_stdio_in_messages, on_incomplete,
            on_event, and the URL's own options.
    """

    def __init__(
        self,
        place: Place[Handle],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        url: str | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        policy: RunPolicy | None = None,
        forward_stdio: bool = True,
        **session_options: Any,
    ) -> None:
        self.place = place
        self.policy = policy or RunPolicy()
        self._env = dict(env or {})
        self._cwd = cwd
        self._url = url
        self._context_injector = context_injector
        self._message_reader = message_reader
        self._forward_stdio = forward_stdio
        self.session_options = session_options

    def run(  # type: ignore[override]  # every client has arguments of its own
        self,
        *,
        context: RunContext,
        command: str | Sequence[str],
        extras: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        session: str | None = None,
        attach: bool = False,
    ) -> PipesClientCompletedInvocation:
        """Run a command to its end.

        Args:
            context: what is known of the run.
            command: program and arguments. Text is split as a shell does it, but no shell runs it.
            extras: for the job, on top of the run's own.
            env: variables, on top of the client's.
            cwd: instead of the client's.
            session: the session's name under the URL, by default a new one.
            attach: launch nothing, but see to its end what an earlier process has launched under that name.

        Raises:
            LaunchError: the command could not be started.
            JobFailedError: it ended with a failure; everything that it wrote was read before. Has the report.
            IncompleteError: it ended well, but it is not proved that everything came.
            BlobpipesError: the session could not be opened; nothing was launched.
        """
        spec = self.spec(command, env=env, cwd=cwd)
        with self._running(context, extras, spec, session, attach) as (opened, job):
            job.wait()
        return PipesClientCompletedInvocation(opened, job.metadata)

    def stream(
        self,
        *,
        context: RunContext,
        command: str | Sequence[str],
        extras: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        session: str | None = None,
        attach: bool = False,
    ) -> Generator[PipesExecutionResult, None, PipesClientCompletedInvocation]:
        """Run a command, and give each result as soon as it has come.

        Arguments and errors as of `run`; errors come after the last result. Closing the generator interrupts
        the job. `invocation = yield from client.stream(...)` also has what `run` returns.
        """
        spec = self.spec(command, env=env, cwd=cwd)
        with self._running(context, extras, spec, session, attach) as (opened, job):
            yield from opened.iter_results(while_running=job.is_running)
            job.wait()
        return PipesClientCompletedInvocation(opened, job.metadata)

    def spec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> JobSpec:
        """What to run, as yet without a session: its token and the session's variables are added at the launch.

        Raises:
            LaunchError: the command cannot be understood.
        """
        return job_spec(command, env={**self._env, **(env or {})}, cwd=cwd or self._cwd)

    @contextmanager
    def _running(
        self,
        context: RunContext,
        extras: Mapping[str, Any] | None,
        spec: JobSpec,
        session: str | None,
        attach: bool,
    ) -> Iterator[tuple[PipesSession, Job[Handle]]]:
        """The block waits for the job; however it is left, the job has ended before the session does."""
        if attach and session is None:
            raise InvalidOptionError("attach needs the name of the session", remedy="Pass session=.")
        with self._open_session(context, extras, session, attach) as opened:
            require_reachable(opened.url)
            output = output_takers(
                self.place,
                self._message_reader,
                opened,
                forward=self._forward_stdio and not self.session_options.get("include_stdio_in_messages"),
                muted=not self._forward_stdio,
            )
            spec = spec.of_session(token_of(opened.name or context.run_id, opened.url), output)
            loop = running(self.place, spec, opened, policy=self.policy, attach=attach, warn=context.log.warning)
            with loop as job, opened.message_handler.observed_by(nudging(job)):
                yield opened, job

    def _open_session(
        self, context: RunContext, extras: Mapping[str, Any] | None, session: str | None, attach: bool
    ) -> AbstractContextManager[PipesSession]:
        options = {**self.session_options, **({"attach": True} if attach else {})}
        return open_pipes_session(
            context,
            self._context_injector,
            self._message_reader,
            url=self._url,
            session=session,
            extras=extras,
            **options,
        )


def job_spec(command: str | Sequence[str], *, env: Mapping[str, str], cwd: str | os.PathLike[str] | None) -> JobSpec:
    """What to run, as yet without a session.

    Raises:
        LaunchError: the command cannot be understood.
    """
    return JobSpec(parse_command(command), token="", env=env, cwd=os.fspath(cwd) if cwd is not None else None)


def require_reachable(url: str | None) -> None:
    """No other process can see this one's memory.

    Raises:
        InvalidUrlError: the session lives there.
    """
    if (url or "").startswith("memory:"):
        raise InvalidUrlError(
            "memory:// lives in one process, so a job that is another process cannot reach it",
            remedy="Use a folder, file:///tmp/pipes, or a bucket.",
        )


def nudging(job: Job[Any]) -> Any:
    """An observer that has the place looked at as soon as the job says that it is done."""

    job.listen()

    def observe(event: PipesEvent) -> None:
        job.heard()
        if isinstance(event.payload, Closed):
            job.nudge()

    return observe
