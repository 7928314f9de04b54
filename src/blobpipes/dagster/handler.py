"""Between the two halves: blobpipes reads, checks and counts the messages, Dagster's own handler does what they say.

A message that Dagster refuses is named and skipped like one that breaks the protocol. If it was a result, the
session fails at its end: it came, and Dagster did not get it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from blobpipes.dagster.official import (
    BaseDirectExecutionContext,
    DagsterEvent,
    EngineEventData,
    PipesMessageHandler,
    SerializableErrorInfo,
    context_of,
    op_context,
)
from blobpipes.errors import DagsterPipesError
from blobpipes.orchestration import handler as engine
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.results import MaterializeResult, PipesExecutionResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.exceptions import PipesException, format_exception_tree
from blobpipes.wire.messages import (
    AssetCheck,
    AssetMaterialization,
    Closed,
    CustomMessage,
    ExternalStream,
    Log,
    Method,
    Opened,
    Payload,
    make_message,
)


class ForwardingHandler(engine.PipesMessageHandler):
    """One session's. Results and `closed` are held back while a restarted process may still take them back."""

    def __init__(self, official: PipesMessageHandler, message_reader: PipesMessageReader) -> None:
        super().__init__(_run_of(official), message_reader)
        self._official = official
        self._closed_told = [False]  # a list, because the readers of several writers have copies of this object

    def perform(self, payload: Payload) -> None:
        """Hand it to Dagster's handler, in the form that every version of it takes."""
        match payload:
            case Opened():
                self._forward_opened(payload)
            case Closed():
                self._forward_closed(payload)
            case Log():
                self._forward("log", {"message": payload.message, "level": payload.level})
            case ExternalStream():
                self._forward("log_external_stream", {"stream": payload.stream, "text": payload.text})
                (sys.stdout if payload.stream == "stdout" else sys.stderr).flush()  # or it waits for more, unseen
            case AssetMaterialization() | AssetCheck() if self.inbox.may_restart:
                super().perform(payload)  # into the inbox, which knows what a restarted process says again
            case AssetMaterialization() | AssetCheck():
                self._forward_result(payload)
            case CustomMessage():
                self._forward("report_custom_message", {"payload": payload.payload})

    def finish(self) -> None:
        """Everything was read: hand over what was held back."""
        if self.inbox.may_restart:
            for result in self.inbox.results_after(0):
                with self.isolated("handing a result to Dagster", is_result=True):
                    self._forward_result(result)
        if self.inbox.all_closed:
            self._tell_closed()

    # --- one method each ------------------------------------------------------------------------------

    def _forward_opened(self, payload: Opened) -> None:
        number = self.note_opened(payload)
        if number == 1:
            self._forward("opened", {"extras": dict(payload.extras)})
        else:
            self.say(logging.WARNING, f"external process number {number} in this place has opened.")

    def _forward_closed(self, payload: Closed) -> None:
        """The exception becomes an event at once; `closed` is told when it is sure that nobody will say more.

        Dagster warns of every message after it.
        """
        if payload.exception is not None:
            self._report_exception(payload.exception)
        if self.inbox.expected_writers == 1 and not self.inbox.may_restart:
            self._tell_closed()

    def _tell_closed(self) -> None:
        if not self._closed_told[0]:
            self._closed_told[0] = True
            for _ in range(self.inbox.expected_writers):
                if not self._official.received_closed_message:  # for older versions one ends it, for newer ones all do
                    self._forward("closed", {})

    def _report_exception(self, exception: PipesException) -> None:
        """As an event of Dagster's engine, which the web interface shows with its causes; else in the log."""
        text = "[pipes] external process pipes closed with exception"
        context = op_context(context_of(self._official))
        if isinstance(context, BaseDirectExecutionContext):  # an asset that is called as a function has no step
            self.say(logging.ERROR, f"external process closed with an exception:\n{format_exception_tree(exception)}")
            return
        error = EngineEventData(error=_error_info(exception))
        DagsterEvent.engine_event(context.get_step_execution_context(), text, error)

    def _forward_result(self, result: AssetMaterialization | AssetCheck | PipesExecutionResult) -> None:
        """Hand it over.

        Raises:
            DagsterPipesError: Dagster refuses it; names it, and what is wrong with it.
        """
        method, what, params = _as_message(result)
        try:
            self._forward(method, params)
        except Exception as error:
            raise DagsterPipesError(f"Dagster refuses the {what}: {_one_line(error)}") from error

    def _forward(self, method: Method, params: Mapping[str, Any]) -> None:
        self._official.handle_message(make_message(method, params))


def _as_message(
    result: AssetMaterialization | AssetCheck | PipesExecutionResult,
) -> tuple[Method, str, Mapping[str, Any]]:
    about = {"asset_key": result.asset_key, "metadata": dict(result.metadata)}
    if isinstance(result, (AssetMaterialization, MaterializeResult)):
        params = {**about, "data_version": result.data_version}
        return "report_asset_materialization", f"materialization of {result.asset_key}", params
    outcome = {"check_name": result.check_name, "passed": result.passed, "severity": result.severity}
    return "report_asset_check", f"check {result.check_name} of {result.asset_key}", {**about, **outcome}


def _run_of(official: PipesMessageHandler) -> RunContext:
    """What the session's descriptor tells of the run; the job gets its context from Dagster."""
    context = op_context(context_of(official))
    return RunContext(
        run_id=context.run_id,
        job_name=None if isinstance(context, BaseDirectExecutionContext) else context.job_name,
        partition_key=context.partition_key if context.has_partition_key else None,
        log=context.log,
    )


def _error_info(exception: PipesException) -> SerializableErrorInfo:
    cause, context = exception["cause"], exception["context"]
    return SerializableErrorInfo(
        message=exception["message"],
        stack=list(exception["stack"]),
        cls_name=exception["name"],
        cause=_error_info(cause) if cause else None,
        context=_error_info(context) if context else None,
    )


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
