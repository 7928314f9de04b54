"""Both directions around one external process: what to give it, and what has come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import DagsterPipesError
from blobpipes.orchestration.handler import PipesEvent, PipesMessageHandler
from blobpipes.orchestration.message_readers import writer_params
from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.orchestration.results import (
    Metadata,
    PipesExecutionResult,
    implicit_materializations,
    with_metadata,
)
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import (
    CONTEXT_CLI_OPTION,
    CONTEXT_ENV_VAR,
    MESSAGES_CLI_OPTION,
    MESSAGES_ENV_VAR,
    PipesParams,
    encode_param,
)

ALIVE_PAUSE: Final = 0.1  # seconds between two calls of `while_running`


class PipesSession:
    """Made by `open_pipes_session`. Any thread may call it, during the block and after it."""

    def __init__(
        self,
        context: RunContext,
        context_data: PipesContextData,
        message_handler: PipesMessageHandler,
        context_injector_params: PipesParams,
        message_reader_params: PipesParams,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.context = context
        self.context_data = context_data
        self.message_handler = message_handler
        self.context_injector_params = context_injector_params
        self.message_reader_params = message_reader_params
        self.created_at = clock.wall()  # seconds since 1970
        self._clock = clock
        self._inbox = message_handler.inbox
        self._report: PipesSessionReport | None = None

    # --- for the launch -------------------------------------------------------------------------------

    def get_bootstrap_params(self) -> Mapping[str, Any]:
        """The params by the names of their environment variables, not encoded."""
        return _named(self.context_injector_params, self.message_reader_params)

    def get_bootstrap_env_vars(self) -> dict[str, str]:
        """The environment variables that the external process must be given."""
        return _encoded(self.get_bootstrap_params())

    def get_bootstrap_cli_arguments(self) -> dict[str, str]:
        """The same as command line options and their values, where variables cannot be set."""
        return _as_options(self.get_bootstrap_env_vars())

    def get_per_writer_bootstrap_env_vars(self) -> list[dict[str, str]]:
        """One set of variables for each external process, where there are several."""
        writers = writer_params(self.message_reader_params)
        return [_encoded(_named(self.context_injector_params, params)) for params in writers]

    def get_per_writer_bootstrap_cli_arguments(self) -> list[dict[str, str]]:
        """One set of command line options for each external process, where there are several."""
        return [_as_options(variables) for variables in self.get_per_writer_bootstrap_env_vars()]

    def report_launched(self, launched_payload: Mapping[str, Any]) -> None:
        """Tell the message reader what is known since the launch, for instance a job id in `extras`."""
        self.message_handler.on_launched(launched_payload)

    @property
    def url(self) -> str | None:
        """Where the session lives, without secrets; None where it needs no store."""
        ours = self.message_reader_params.get("blobpipes") or {}
        url: str | None = ours.get("url")
        return url

    @property
    def name(self) -> str | None:
        """The session's name under its storage URL; None where it needs no store."""
        ours = self.message_reader_params.get("blobpipes") or {}
        name: str | None = ours.get("sid")
        return name

    # --- what has come --------------------------------------------------------------------------------

    def get_reported_results(self, *, start: int = 0) -> Sequence[PipesExecutionResult]:
        """What the job has reported so far, in order of arrival; without the first `start` results."""
        return self._inbox.results_after(start)

    def get_results(
        self, *, implicit_materializations: bool = True, metadata: Metadata | None = None
    ) -> Sequence[PipesExecutionResult]:
        """What the job has reported so far, in order of arrival.

        Args:
            implicit_materializations: after a complete end, add an empty result for each of the run's
                assets of which the job reported nothing.
            metadata: put on top of each result's own.
        """
        return with_metadata(
            (*self._inbox.results_after(0), *self._implicit(implicit_materializations)), metadata or {}
        )

    def get_custom_messages(self) -> Sequence[Any]:
        """The payloads of the job's custom messages so far, in order of arrival."""
        return self._inbox.custom_messages()

    def iter_results(
        self, *, start: int = 0, while_running: Callable[[], bool] | None = None
    ) -> Iterator[PipesExecutionResult]:
        """Each result as soon as it has come, until the job has closed or its log has ended.

        Args:
            start: leave out so many of the first.
            while_running: says whether the process still runs. Needed where it may die without closing
                and nobody else calls `process_gone`.
        """
        position = start
        while results := self._results_after(position, while_running):
            position += len(results)
            yield from results

    def iter_events(self, *, while_running: Callable[[], bool] | None = None) -> Iterator[PipesEvent]:
        """Every message that comes from this call on, as `iter_results`."""
        events: deque[PipesEvent] = deque()

        def keep(event: PipesEvent) -> None:
            events.append(event)
            self._inbox.notify()

        observed = self.message_handler.observed_by(keep)
        observed.__enter__()  # now, not when the first event is asked for
        return self._drained(events, observed, while_running)

    def wait_for_close(self, timeout: float | None = None, *, while_running: Callable[[], bool] | None = None) -> bool:
        """Block until every external process has closed, the log has ended, or `timeout` seconds have passed.

        For a job that was launched without waiting for it. Whether every external process has closed.
        """
        self._wait(lambda: False, while_running, timeout)
        return self._inbox.all_closed

    # --- the end --------------------------------------------------------------------------------------

    def process_gone(self) -> None:
        """Say that the external process has ended. Leaving the session's block says it too."""
        self._inbox.process_gone()

    @property
    def is_ended(self) -> bool:
        """The session's block was left, and all that was written has been read."""
        return self._report is not None

    @property
    def report(self) -> PipesSessionReport:
        """What became of the session.

        Raises:
            DagsterPipesError: it has not ended yet.
        """
        if self._report is None:
            raise DagsterPipesError("the session is still open", remedy="Ask for the report after its `with` block.")
        return self._report

    def end(self, report: PipesSessionReport) -> None:
        """Called once, by whoever opened the session."""
        self._report = report
        self._inbox.end()

    # --- inside ---------------------------------------------------------------------------------------

    def _implicit(self, wanted: bool) -> Sequence[PipesExecutionResult]:
        if not wanted or self._report is None or self._report.verdict != "complete":
            return ()
        return implicit_materializations(self._inbox.results_after(0), self.context_data["asset_keys"])

    def _results_after(self, position: int, while_running: Callable[[], bool] | None) -> Sequence[PipesExecutionResult]:
        """Wait for more results than `position`; none at the end of everything."""
        has_more = self._wait(lambda: self._inbox.has_more(position), while_running)
        return self._inbox.results_after(position) if has_more else ()

    def _drained(self, events: deque[PipesEvent], observed: Any, while_running: Any) -> Iterator[PipesEvent]:
        try:
            while self._wait(lambda: bool(events), while_running):
                while events:
                    yield events.popleft()
        finally:
            observed.__exit__(None, None, None)

    def _wait(
        self, has_come: Callable[[], bool], while_running: Callable[[], bool] | None, timeout: float | None = None
    ) -> bool:
        """Wait for what is asked for, or the end of everything. Whether what is asked for is there."""
        inbox = self._inbox
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
            pause = left if while_running is None else min(ALIVE_PAUSE, ALIVE_PAUSE if left is None else left)
            if inbox.wait(lambda: has_come() or inbox.is_finished(), pause) or left == 0.0:
                return has_come()
            if while_running is not None and not while_running():
                while_running = None
                inbox.process_gone()


def _named(context_params: PipesParams, messages_params: PipesParams) -> dict[str, Any]:
    return {CONTEXT_ENV_VAR: context_params, MESSAGES_ENV_VAR: messages_params}


def _encoded(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: encode_param(value) for name, value in params.items()}


def _as_options(variables: Mapping[str, str]) -> dict[str, str]:
    return {CONTEXT_CLI_OPTION: variables[CONTEXT_ENV_VAR], MESSAGES_CLI_OPTION: variables[MESSAGES_ENV_VAR]}
