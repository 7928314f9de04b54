"""Takes messages in: checks each one, does what it says, and keeps faults from spreading.

A message that breaks the protocol is named in the report and skipped. Code of the caller that fails on a
good message (a logging handler, an observer) is reported too; where that message was a result, the
session fails at its end, because then somebody did not get it.
"""

from __future__ import annotations

import copy
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from blobpipes.errors import BlobpipesError, MalformedMessageError
from blobpipes.orchestration.inbox import Added, Inbox
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.orchestration.results import AssetCheckResult, MaterializeResult, PipesExecutionResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.url import redact
from blobpipes.wire.exceptions import format_exception_tree
from blobpipes.wire.messages import (
    AssetCheck,
    AssetMaterialization,
    Closed,
    CustomMessage,
    ExternalStream,
    Log,
    Opened,
    Payload,
    PipesMessage,
    parse_line,
    parse_payload,
)
from blobpipes.wire.params import PipesParams

if TYPE_CHECKING:
    from blobpipes.orchestration.message_readers import PipesMessageReader

ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]"

_RESULT_METHODS: Final = ("report_asset_materialization", "report_asset_check")
_RESULTS: Final = (AssetMaterialization, AssetCheck)
_SHOWN: Final = 80  # characters of a strange line that a problem quotes


@dataclass(frozen=True, slots=True)
class PipesEvent:
    """One good message, for observers."""

    payload: Payload
    writer: int = 0  # which of several writers, from 0
    chunk: int | None = None  # which chunk of its log brought it; None where there are no chunks


class PipesMessageHandler:
    """Takes in the messages of one session. Any thread may call it; it handles one message at a time."""

    def __init__(
        self,
        context: RunContext,
        message_reader: PipesMessageReader,
        *,
        on_event: Callable[[PipesEvent], None] | None = None,
    ) -> None:
        self._context = context
        self._message_reader = message_reader
        self._writer = 0
        self._is_child = False
        self.opened_payload: Mapping[str, Any] | None = None  # of the newest process
        self._serial = threading.RLock()  # reentrant: an observer may look at the session
        self._observers: list[Callable[[PipesEvent], None]] = [on_event] if on_event else []
        self.inbox = Inbox(message_reader.expected_writer_count)

    def child(self, message_reader: PipesMessageReader, writer: int) -> PipesMessageHandler:
        """The same handler as one of several readers sees it: what it hands in is of `writer` (from 0)."""
        child = copy.copy(self)
        child._message_reader = message_reader
        child._writer = writer
        child._is_child = True
        return child

    # --- what readers call ----------------------------------------------------------------------------

    @contextmanager
    def handle_messages(self) -> Iterator[PipesParams]:
        """Read until the block ends, and then to the end. Gives the messages params."""
        with self._message_reader.read_messages(self) as params:
            yield params

    def handle_message(self, message: PipesMessage) -> None:
        """Do what one message says. Never raises: what is wrong with it goes into the report."""
        self._take(message, None)

    def handle_line(self, line: bytes | str, *, chunk: int | None = None, among_output: bool = False) -> bool:
        """One line of a file or a chunk, blank ones are nothing; whether it was a message, good or bad.

        Args:
            chunk: the number of the chunk, for problems.
            among_output: lines that are no messages are to be expected; else they are reported.
        """
        if not line.strip():
            return False
        try:
            message = parse_line(line)
        except MalformedMessageError as error:
            self.report_problem("malformed", error.message, chunk=chunk)
            return True
        if message is not None:
            self.inbox.count_bytes(len(line))
            self._take(message, chunk)
        elif not among_output:
            self.report_problem("malformed", f"not a message: {_shown(line)}", chunk=chunk)
        return message is not None

    def report_problem(self, kind: str, text: str, *, chunk: int | None = None) -> None:
        """Name a fault that was stepped over, in the report and in the run's log."""
        problem = SessionProblem(kind, redact(text), self._writer, chunk)
        if self.inbox.add_problem(problem):
            self.say(logging.WARNING, str(problem))

    def say(self, level: int, text: str, error: BaseException | None = None) -> None:
        """Write into the run's log, marked as ours. Never raises."""
        try:
            self._context.log.log(level, "[pipes] %s", text, exc_info=error)
        except Exception as again:  # noqa: BLE001 - the caller's logger; the report still tells of it
            problem = SessionProblem("handler", f"the run's logger failed: {_described(again)}", self._writer)
            self.inbox.add_problem(problem)

    def report_pipes_framework_exception(self, origin: str, exc_info: ExcInfo) -> None:
        """A message reader failed in a way that nobody expected."""
        error = exc_info[1]
        self._report_failure("reader", f"{origin} failed", error)

    def on_launched(self, launched_payload: Mapping[str, Any]) -> None:
        """Tell the reader what is known of the process since it was launched."""
        self.inbox.launched.update(launched_payload)
        self._message_reader.on_launched(launched_payload)

    @property
    def context(self) -> RunContext:
        """The run."""
        return self._context

    @property
    def writer(self) -> int:
        """Which of several writers this handler takes messages of, from 0."""
        return self._writer

    @property
    def received_opened_message(self) -> bool:
        """At least one external process has opened."""
        return self.inbox.any_opened

    @property
    def received_closed_message(self) -> bool:
        """Every expected external process has closed; for a child: its own one has."""
        return self.inbox.is_closed(self._writer) if self._is_child else self.inbox.all_closed

    # --- what the session calls -----------------------------------------------------------------------

    def get_reported_results(self) -> Sequence[PipesExecutionResult]:
        """What was reported so far, in order of arrival."""
        return self.inbox.results_after(0)

    def get_custom_messages(self) -> Sequence[Any]:
        """The payloads of the custom messages so far, in order of arrival."""
        return self.inbox.custom_messages()

    @contextmanager
    def observed_by(self, observer: Callable[[PipesEvent], None]) -> Iterator[None]:
        """Show every message from now on to `observer` too, until the block ends."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    # --- one message ----------------------------------------------------------------------------------

    def _take(self, message: PipesMessage, chunk: int | None) -> None:
        try:
            payload = parse_payload(message)
        except MalformedMessageError as error:
            if message["method"] in _RESULT_METHODS:
                self.inbox.result_failed()
            self.report_problem("malformed", error.message, chunk=chunk)
            return
        with self._serial:
            self._handle(message["method"], payload, chunk)

    def _handle(self, method: str, payload: Payload, chunk: int | None) -> None:
        if self.inbox.is_closed(self._writer) and not isinstance(payload, (Opened, ExternalStream)):
            self.report_problem("unwanted", f"{method} came after closed")  # official writers add captured output
        is_result = isinstance(payload, _RESULTS)
        self.inbox.count(method)
        with self.isolated(f"handling {method}", is_result=is_result):
            self.perform(payload)
        for observer in tuple(self._observers):
            with self.isolated(f"the observer of {method}", is_result=is_result):
                observer(PipesEvent(payload, self._writer, chunk))
        if isinstance(payload, Closed):  # last, because whoever waits for it may leave at once
            self.inbox.closed(self._writer, payload.exception)

    def perform(self, payload: Payload) -> None:
        """Do what a good message says. May raise: that is reported, and what follows is not affected.

        Another orchestrator's adapter does it otherwise, in a subclass.
        """
        match payload:
            case Opened():
                self._say_opened(self.note_opened(payload))
            case Closed():
                self._log_exception(payload)
            case Log():
                self._context.log.log(payload.level, "%s", payload.message)
            case ExternalStream():
                _copy_to_own_stream(payload)
            case AssetMaterialization():
                self._add(MaterializeResult(payload.asset_key, payload.metadata, payload.data_version))
            case AssetCheck():
                self._add(_check_result(payload))
            case CustomMessage():
                self.inbox.add_custom(payload.payload)

    def note_opened(self, payload: Opened) -> int:
        """Keep what the process told, and tell the reader; the how manyth process of this writer it is, from 1."""
        number = self.inbox.opened(self._writer)
        self.opened_payload = {"extras": payload.extras}
        self._message_reader.on_opened(self.opened_payload)
        return number

    def _say_opened(self, number: int) -> None:
        if number == 1:
            self.say(logging.INFO, "external process successfully opened dagster pipes.")
        else:
            self.say(logging.WARNING, f"external process number {number} in this place has opened.")

    def _log_exception(self, payload: Closed) -> None:
        if payload.exception is not None:
            tree = format_exception_tree(payload.exception)
            self.say(logging.ERROR, f"external process closed with an exception:\n{tree}")

    def _add(self, result: PipesExecutionResult) -> None:
        if self.inbox.add_result(result, self._writer) is Added.DROPPED:
            text = f"a restarted process reported {result.asset_key} again, after the first report was taken"
            self.report_problem("repeated", text)

    # --- failures on our side -------------------------------------------------------------------------

    @contextmanager
    def isolated(self, doing: str, *, is_result: bool) -> Iterator[None]:
        """What the block raises is reported, and counted if it was about a result; it goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the caller's code; it must not stop what follows
            if is_result:
                self.inbox.result_failed()
            self._report_failure("handler", f"{doing} failed", error)

    def _report_failure(self, kind: str, what: str, error: BaseException | None) -> None:
        text = redact(f"{what}: {_described(error)}")
        if self.inbox.add_problem(SessionProblem(kind, text, self._writer)):
            ours = isinstance(error, BlobpipesError)  # its text says all, and without secrets
            self.say(logging.ERROR, text, None if ours else error)


def _check_result(payload: AssetCheck) -> AssetCheckResult:
    return AssetCheckResult(
        payload.asset_key, payload.check_name, payload.passed, payload.severity, metadata=payload.metadata
    )


def _copy_to_own_stream(payload: ExternalStream) -> None:
    stream = sys.stdout if payload.stream == "stdout" else sys.stderr
    stream.write(payload.text)
    stream.flush()


def _described(error: BaseException | None) -> str:
    if error is None:
        return "unknown error"
    text = error.message if isinstance(error, BlobpipesError) else str(error)
    return f"{type(error).__name__}: {text.strip().splitlines()[0] if text.strip() else ''}".rstrip(": ")


def _shown(line: bytes | str) -> str:
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.strip()
    return repr(text[:_SHOWN] + ("..." if len(text) > _SHOWN else ""))
