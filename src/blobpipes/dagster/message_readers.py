"""Dagster's message readers, with the engine of blobpipes underneath.

Dagster opens the session and hands its handler to `read_messages`; everything between the store and that handler is
ours: reading to the proved end however long that takes, and the verdict. So it works in whatever opens a session:
Dagster's `open_pipes_session`, its clients, those of other packages, ours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from typing import Any, cast
from weakref import WeakKeyDictionary

from blobpipes.clock import SYSTEM_CLOCK
from blobpipes.dagster.figures import record_figures
from blobpipes.dagster.handler import ForwardingHandler
from blobpipes.dagster.hooks import HookedReader, Hooks, has_hook
from blobpipes.dagster.official import (
    EnvVar,
    PipesMessageHandler,
    PipesMessageReader,
    PipesSession,
    TreatAsResourceParam,
    context_of,
    session_handler,
)
from blobpipes.dagster.progress import drain_progress
from blobpipes.dagster.recording import judge_missing, missing_materializations, record_before_failure
from blobpipes.dagster.settings import is_known, resolved, resolved_url
from blobpipes.errors import DagsterPipesError
from blobpipes.orchestration import blob_store_reader, file_readers
from blobpipes.orchestration import message_readers as engine
from blobpipes.orchestration.ending import OnIncomplete, attach_report, checked_policy, clean_up, judge
from blobpipes.orchestration.report import PipesSessionReport, build_report
from blobpipes.orchestration.threaded_reader import LogReaderHolder
from blobpipes.wire.params import PipesParams

_engines: dict[PipesMessageHandler, ForwardingHandler] = {}  # of the sessions that are open
_reports: WeakKeyDictionary[PipesMessageHandler, PipesSessionReport] = WeakKeyDictionary()


class EngineMessageReader(PipesMessageReader, TreatAsResourceParam):
    """Any message reader of blobpipes, as one of Dagster's. May be shared by steps, threads and sessions.

    Args:
        make: makes the reader of blobpipes, when it is first needed.
        on_incomplete: whether a session that ended without proof that everything came fails the step or only warns.
        record_before_failure: when the step is about to fail, put the results that came into the event log. False if
            your own code catches the failure and yields them.
    """

    def __init__(
        self,
        make: Callable[[], engine.PipesMessageReader],
        *,
        on_incomplete: OnIncomplete = "raise",
        record_before_failure: bool = True,
    ) -> None:
        checked_policy(on_incomplete)
        self._make = make
        self._on_incomplete: OnIncomplete = on_incomplete
        self._record = record_before_failure
        self._lock = threading.Lock()
        self._engine: engine.PipesMessageReader | None = None
        self._open: dict[ForwardingHandler, int] = {}  # sessions, each with the thread that opened it

    @property
    def engine(self) -> engine.PipesMessageReader:
        """The reader of blobpipes."""
        with self._lock:
            if self._engine is None:
                self._engine = self._make()
            return self._engine

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Read until the block ends, and then until the end of the log is proved, however long that takes.

        If the block raises, its exception goes on, with the report as its attribute `report`.

        Raises:
            StoreError: the store refused, or could not be reached, before anything was launched.
            NeverOpenedError, IncompleteError: unless the policy is to warn.
        """
        reader = self.engine
        forward = ForwardingHandler(handler, reader)
        started = SYSTEM_CLOCK.monotonic()
        params: PipesParams = {}
        failure: BaseException | None = None
        try:
            with ExitStack() as stack:
                progress = stack.enter_context(drain_progress(forward))
                params = stack.enter_context(reader.read_messages(forward))
                stack.enter_context(self._listed(handler, forward))
                try:
                    yield params
                except BaseException as error:  # noqa: BLE001 - raised again below, once everything was read
                    failure = error
                forward.inbox.process_gone()
                progress.start()
        except BaseException as error:
            forward.inbox.end()
            if failure is None:
                raise
            forward.report_pipes_framework_exception("ending the session", (type(error), error, error.__traceback__))
        forward.finish()
        report = _report_of(forward, params, SYSTEM_CLOCK.monotonic() - started)
        _reports[handler] = report
        forward.say(logging.INFO, f"{report.summary()} {report.url or ''}".rstrip())
        try:
            if failure is not None:
                attach_report(report, failure)
                raise failure
            self._judge(report, forward, handler)
        except BaseException:
            self._record_results(forward, handler)
            raise
        forward.inbox.end()
        _reports[handler] = clean_up(report, forward)
        record_figures(context_of(handler), _reports[handler], forward.say)

    def on_launched(self, launched_payload: Mapping[str, Any]) -> None:
        """`session.report_launched(...)` was called: in the thread that opened the session, if several are open."""
        sessions = tuple(self._open.items())
        here = [forward for forward, thread in sessions if thread == threading.get_ident()]
        for forward in here or [forward for forward, _ in sessions]:
            forward.on_launched(launched_payload)

    def add_log_reader(self, log_reader: Any) -> None:
        """One more log to copy, Dagster's log readers included, for every session that is open or will be opened."""
        reader = self.engine
        if not isinstance(reader, LogReaderHolder):
            raise DagsterPipesError(f"{type(self).__name__} copies no logs", remedy="Use a blob store's reader.")
        reader.add_log_reader(log_reader)

    @property
    def expected_writer_count(self) -> int:
        """How many external processes are known to write."""
        return self.engine.expected_writer_count

    def no_messages_debug_text(self) -> str:
        """Where this reader looked."""
        return self.engine.no_messages_debug_text()

    # --- inside ---------------------------------------------------------------------------------------

    @contextmanager
    def _listed(self, handler: PipesMessageHandler, forward: ForwardingHandler) -> Iterator[None]:
        self._open[forward] = threading.get_ident()
        _engines[handler] = forward
        try:
            yield
        finally:
            del self._open[forward], _engines[handler]

    def _judge(self, report: PipesSessionReport, forward: ForwardingHandler, handler: PipesMessageHandler) -> None:
        """Say how it ended, and fail the step if that is the policy."""
        looked = self.no_messages_debug_text()
        judge(report, forward, looked=looked, on_incomplete=self._on_incomplete)
        if session_handler(handler) is handler:  # of several readers, none knows what the others have brought
            missing = missing_materializations(context_of(handler), handler.get_reported_results())
            judge_missing(missing, report, forward.say, on_incomplete=self._on_incomplete)

    def _record_results(self, forward: ForwardingHandler, handler: PipesMessageHandler) -> None:
        if self._record and session_handler(handler) is handler:
            record_before_failure(context_of(handler), handler.get_reported_results(), forward.say)


class PipesBlobStoreMessageReader(EngineMessageReader):
    """Reads numbered chunks from a store, under a new prefix for each session.

    Complete with a URL. Without one it is the base for stores that no URL names: a subclass writes `get_params` and
    `download_messages_chunk`, as it does for Dagster's class of this name.

    Args:
        url: under which sessions live: text, or an `EnvVar`, which is looked up when a step runs. By default
            BLOBPIPES_URL.
        interval: seconds, or text with a unit: the longest pause between two looks, and how often the job puts a
            chunk. By default the URL's, else 10.
        include_stdio_in_messages: ask the job to send its output, too; it appears among the step's compute logs.
        log_readers: logs to copy beside the messages; Dagster's own log readers too.
        on_incomplete, record_before_failure: as of `EngineMessageReader`.
        session: the session's name under the URL, for a reader that is used once.
        storage_options: for the file system; never passed on to the job. Each value may be an `EnvVar`.
        pass_storage_options: what of it the job shall have too (endpoint, region); no credentials.
        lanes: how many processes write, each to a log of its own, or "auto".
        restarts: how many times a process that failed may be followed by another that continues its log.
        attach: read the session called `session` that an earlier process has opened, from its first message.
        cleanup: "delete" or "archive" what is in the store once everything has arrived and the job has succeeded.
        options: of the URL, and stronger than those.
    """

    def __init__(
        self,
        url: str | EnvVar | None = None,
        interval: float | str | None = None,
        include_stdio_in_messages: bool = False,
        log_readers: Sequence[Any] | None = None,
        *,
        on_incomplete: OnIncomplete = "raise",
        record_before_failure: bool = True,
        session: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        pass_storage_options: Mapping[str, Any] | None = None,
        lanes: int | str | None = None,
        restarts: int = 0,
        attach: bool = False,
        cleanup: blob_store_reader.Cleanup = "keep",
        **options: Any,
    ) -> None:
        given: dict[str, Any] = {
            "interval": interval,
            "include_stdio_in_messages": include_stdio_in_messages,
            "log_readers": log_readers,
            "session": session,
            "pass_storage_options": pass_storage_options,
            "lanes": lanes,
            "restarts": restarts,
            "attach": attach,
            "cleanup": cleanup,
            **options,
        }

        def make() -> engine.PipesMessageReader:
            if has_hook(self):
                return HookedReader(cast("Hooks", self), **given)
            found = {name: resolved(value) for name, value in (storage_options or {}).items()}
            return blob_store_reader.PipesBlobStoreMessageReader(
                resolved_url(url), storage_options=found or None, **given
            )

        super().__init__(make, on_incomplete=on_incomplete, record_before_failure=record_before_failure)
        if is_known(url) and not any(isinstance(value, EnvVar) for value in (storage_options or {}).values()):
            _ = self.engine  # what is wrong with the settings is said here, when the code location loads


class PipesFileMessageReader(EngineMessageReader):
    """Follows a file to which the external process appends its messages; a half-written line is waited for.

    Args:
        path: the file; its directory must exist.
        include_stdio_in_messages: ask the job to send its output, too.
        cleanup_file: whether the file is removed at the end.
        on_incomplete, record_before_failure: as of `EngineMessageReader`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        include_stdio_in_messages: bool = False,
        cleanup_file: bool = True,
        *,
        on_incomplete: OnIncomplete = "raise",
        record_before_failure: bool = True,
    ) -> None:
        super().__init__(
            lambda: file_readers.PipesFileMessageReader(path, include_stdio_in_messages, cleanup_file),
            on_incomplete=on_incomplete,
            record_before_failure=record_before_failure,
        )


class PipesTempFileMessageReader(EngineMessageReader):
    """Follows a temporary file, one for each session.

    Args:
        include_stdio_in_messages: ask the job to send its output, too.
        on_incomplete, record_before_failure: as of `EngineMessageReader`.
    """

    def __init__(
        self,
        include_stdio_in_messages: bool = False,
        *,
        on_incomplete: OnIncomplete = "raise",
        record_before_failure: bool = True,
    ) -> None:
        super().__init__(
            lambda: file_readers.PipesTempFileMessageReader(include_stdio_in_messages),
            on_incomplete=on_incomplete,
            record_before_failure=record_before_failure,
        )


def report_of(session: PipesSession) -> PipesSessionReport:
    """What became of a session of Dagster's that one of these readers has read.

    Raises:
        DagsterPipesError: it has not ended yet, or another reader has read it.
    """
    report = find_report(session)
    if report is None:
        raise DagsterPipesError(
            "there is no report of this session",
            remedy="Ask after the session's `with` block, and only for sessions read by a reader of blobpipes.",
        )
    return report


def find_report(session: PipesSession) -> PipesSessionReport | None:
    """As `report_of`, but None where that raises."""
    return _reports.get(session.message_handler)


def engine_handler(session: PipesSession) -> ForwardingHandler | None:
    """Our side of an open session's handler; None if another reader reads it."""
    return _engines.get(session.message_handler)


def _report_of(forward: ForwardingHandler, params: PipesParams, duration: float) -> PipesSessionReport:
    ours = params.get("blobpipes") or {}
    return build_report(
        forward.inbox, session=ours.get("sid"), url=ours.get("url"), run_id=forward.context.run_id, duration=duration
    )
