"""Dagster's clients: a session of Dagster's, and in it the one run loop that all places share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Generic

from blobpipes.clients.job import Job, RunPolicy
from blobpipes.clients.local_place import LocalJob, LocalPlace
from blobpipes.clients.loop import running
from blobpipes.clients.output import copied_output
from blobpipes.clients.place import Handle, JobSpec, Place, token_of
from blobpipes.clients.place_client import job_spec, nudging, require_reachable
from blobpipes.dagster.context_injectors import PipesTempFileContextInjector
from blobpipes.dagster.message_readers import PipesTempFileMessageReader, engine_handler, find_report, report_of
from blobpipes.dagster.official import (
    BaseDirectExecutionContext,
    Context,
    EnvVar,
    PipesClient,
    PipesContextInjector,
    PipesMessageReader,
    PipesSession,
    Result,
    TreatAsResourceParam,
    op_context,
)
from blobpipes.dagster.official import PipesClientCompletedInvocation as OfficialInvocation
from blobpipes.dagster.reattach import Launches, can_reattach
from blobpipes.dagster.sessions import open_pipes_session, session_name
from blobpipes.dagster.settings import is_known, resolved_url
from blobpipes.orchestration.ids import new_id
from blobpipes.orchestration.open import URL_ENV_VAR
from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.orchestration.session_place import parse_storage


class PipesClientCompletedInvocation(OfficialInvocation):
    """What a finished run has given."""

    def __init__(self, session: PipesSession, metadata: Mapping[str, Any] | None = None) -> None:
        super().__init__(session, metadata)
        self.session = session

    @property
    def report(self) -> PipesSessionReport:
        """What became of the session. Only if a reader of blobpipes has read it."""
        return report_of(self.session)

    def get_results(self, *, implicit_materializations: bool = True) -> Sequence[Result]:
        """What the job reported, with the metadata of the place on top of each result's own.

        Args:
            implicit_materializations: add an empty result for each selected asset of which the job reported nothing;
                never after a session that did not end well.
        """
        report = find_report(self.session)
        whole = report is None or report.verdict == "complete"
        results: Sequence[Result] = super().get_results(implicit_materializations=implicit_materializations and whole)
        return results


class PipesPlaceClient(PipesClient, TreatAsResourceParam, Generic[Handle]):
    """Runs commands in a place of blobpipes. May be a resource; steps and threads may share one.

    Args:
        place: where.
        env: variables for the job, on top of those that the place gives it.
        cwd: its working directory, if not the place's own.
        url: under which sessions live: text, or an `EnvVar`, which is looked up when a step runs. By default
            BLOBPIPES_URL.
        context_injector, message_reader: any of Dagster's, instead of those that the URL gives.
        policy: how patient to be, and whether an interruption of the step ends the job.
        reattach: a retried step, and the run that a failed one is executed again as, see the job to its end that
            an earlier try launched, if it still runs. Needs Dagster 1.13, a URL, and a place that finds jobs.
        tasks: processes of one job, in a place that runs several; each needs a lane: pass `lanes` too.
        session_options: for `open_pipes_session`: storage_options, include_stdio_in_messages, on_incomplete, and the
            URL's own options.
    """

    def __init__(
        self,
        place: Place[Handle],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        url: str | EnvVar | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        policy: RunPolicy | None = None,
        reattach: bool = True,
        tasks: int = 1,
        **session_options: Any,
    ) -> None:
        self.place = place
        self._tasks = tasks
        self.policy = policy or RunPolicy()
        self._env = dict(env or {})
        self._cwd = cwd
        self._url = url
        self._context_injector = context_injector
        self._message_reader = message_reader
        self._reattach = reattach
        self._session_options = session_options
        if is_known(url):
            parse_storage(str(url), None, {})  # a URL that cannot be understood is refused when the code location loads

    def run(  # type: ignore[override]  # every client has arguments of its own
        self,
        *,
        context: Context,
        command: str | Sequence[str],
        extras: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        session: str | None = None,
        launch_key: str | None = None,
    ) -> PipesClientCompletedInvocation:
        """Run a command to its end.

        If the step is terminated, the job is told, and everything that it still writes is read.

        Args:
            context: the step's.
            command: program and arguments. Text is split as a shell does it, but no shell runs it.
            extras: for the job.
            env: variables, on top of the client's.
            cwd: instead of the client's.
            session: the session's name under the URL; by default a new one that tells the run and the step.
            launch_key: which of the step's jobs this is, for steps that launch several at once.

        Raises:
            LaunchError: the command could not be started.
            JobFailedError: it ended with a failure; everything that it wrote was read before. Has the report.
            IncompleteError: it ended well, but it is not proved that everything came.
        """
        spec = replace(job_spec(command, env={**self._env, **(env or {})}, cwd=cwd or self._cwd), tasks=self._tasks)
        launches = self._launches(context, session, launch_key)
        found = launches.still_running(self.place, spec, self._base()) if launches else None
        name = found[0].session if found else session or session_name(context)
        with self._open_session(context, extras, name, attach=found is not None) as opened:
            captured = self._session_options.get("include_stdio_in_messages")
            spec = spec.of_session(token_of(*_address(opened)), {} if captured else copied_output(self.place))
            with self._running(spec, opened, attach=found is not None) as job:
                if launches and found:
                    launches.record_again(found[1])
                elif launches:
                    launches.record(spec, *_address(opened), job.metadata)
                job.wait()
        return PipesClientCompletedInvocation(opened, job.metadata)

    # --- inside ---------------------------------------------------------------------------------------

    def _launches(self, context: Context, session: str | None, launch_key: str | None) -> Launches | None:
        """Where launches are written down; None if they are not."""
        if not self._reattach or session is not None or self._message_reader or self._context_injector:
            return None
        if isinstance(op_context(context), BaseDirectExecutionContext) or not can_reattach(self.place):
            return None
        return Launches(context, type(self).__name__, launch_key)

    def _base(self) -> str:
        return parse_storage(resolved_url(self._url), None, {}).shown

    def _open_session(
        self, context: Context, extras: Mapping[str, Any] | None, session: str, *, attach: bool
    ) -> AbstractContextManager[PipesSession]:
        return open_pipes_session(
            context,
            self._context_injector,
            self._message_reader,
            extras,
            url=self._url,
            session=session,
            attach=attach,
            **self._session_options,
        )

    @contextmanager
    def _running(self, spec: JobSpec, session: PipesSession, *, attach: bool) -> Iterator[Job[Handle]]:
        require_reachable(_ours(session).get("url"))
        warn = session.context.log.warning
        with running(self.place, spec, session, policy=self.policy, attach=attach, warn=warn) as job:
            engine = engine_handler(session)
            if engine is None:
                yield job
                return
            with engine.observed_by(nudging(job)):
                yield job


class PipesSubprocessClient(PipesPlaceClient[LocalJob]):
    """Runs commands as processes of the machine where the step runs. Takes what Dagster's client of this name takes.

    Without a URL (`url`, or BLOBPIPES_URL) context and messages go through temporary files.

    Args:
        env: variables for the process, on top of this process's own.
        cwd: its working directory.
        context_injector, message_reader: any of Dagster's, instead of those that the URL gives.
        forward_termination: if the step is terminated, interrupt the job too.
        forward_stdio: let the job's stdout and stderr go where the step's go; else they are discarded.
        termination_timeout_seconds: that an interrupted job has until it is killed.
        url: under which sessions live; text or an `EnvVar`.
        session_options: as of `PipesPlaceClient`.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        forward_termination: bool = True,
        forward_stdio: bool = True,
        termination_timeout_seconds: float = 20.0,
        *,
        url: str | EnvVar | None = None,
        **session_options: Any,
    ) -> None:
        stdio = None if forward_stdio else subprocess.DEVNULL
        super().__init__(
            LocalPlace(stdout=stdio, stderr=stdio, own_group=forward_termination),
            env=env,
            cwd=cwd,
            url=url,
            context_injector=context_injector,
            message_reader=message_reader,
            policy=RunPolicy(forward_termination=forward_termination, termination_timeout=termination_timeout_seconds),
            **session_options,
        )

    def _open_session(
        self, context: Context, extras: Mapping[str, Any] | None, session: str, *, attach: bool
    ) -> AbstractContextManager[PipesSession]:
        if self._url is not None or os.environ.get(URL_ENV_VAR):
            return super()._open_session(context, extras, session, attach=attach)
        reading = dict(self._session_options)
        stdio = reading.pop("include_stdio_in_messages", False)
        injector = self._context_injector or PipesTempFileContextInjector()
        reader = self._message_reader or PipesTempFileMessageReader(stdio, **reading)
        return open_pipes_session(context, injector, reader, extras)


def _ours(session: PipesSession) -> Mapping[str, Any]:
    """What our reader has written into the session's params; nothing if it is another's."""
    ours: Mapping[str, Any] = session.message_reader_params.get("blobpipes") or {}
    return ours


def _address(session: PipesSession) -> tuple[str, str]:
    """The session's name and URL; of a session without a store, something unique."""
    ours = _ours(session)
    name = ours.get("sid") or new_id()
    return name, ours.get("url") or name
