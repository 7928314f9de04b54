"""One job under one session: its output and its messages as events, and the verdict."""

from __future__ import annotations

import codecs
import io
import logging
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from typing import Any, Final

from blobpipes.cli import exit_codes
from blobpipes.cli.drawing import Line, Piece
from blobpipes.cli.events import Event, event_of, problem_event
from blobpipes.cli.printers import Printer
from blobpipes.cli.stopping import Terminated, termination_raised
from blobpipes.cli.tally import Tally
from blobpipes.cli.wording import counted, duration, stopwatch
from blobpipes.clients.job import Job
from blobpipes.clients.local_place import LocalPlace
from blobpipes.clients.loop import running
from blobpipes.clients.output import STREAMS
from blobpipes.clients.place import Cause, JobEnd, JobSpec, Stream, TakeOutput, token_of
from blobpipes.clients.place_client import PipesPlaceClient, nudging, require_reachable
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import JobFailedError, NeverOpenedError
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.messages import Closed, ExternalStream
from blobpipes.wire.params import CONTEXT_ENV_VAR, MESSAGES_ENV_VAR

TICK: Final = 0.2  # seconds between two words about how it goes
SHOWN_SESSION: Final = "session"  # stands for the name that a session would have
GRACE: Final = 20.0  # seconds that an interrupted job has until it is killed


class RunningJob:
    """Runs one command and says everything. Used once.

    Args:
        client: of the place that runs it; by default this machine.
        capture: ask the job to put its output into the session, too.
    """

    def __init__(
        self,
        printer: Printer,
        *,
        client: PipesPlaceClient[Any] | None = None,
        capture: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client or PipesPlaceClient(LocalPlace())
        self._printer = printer
        self._capture = capture
        self._clock = clock
        self._tally = Tally()
        self._began = clock.monotonic()
        self._session: PipesSession | None = None
        self._job: Job[Any] | None = None
        self._problems_said = 0
        self._lock = threading.Lock()
        self._output_is_said = False
        self._closed: Event | None = None  # came before all output was said
        self.logger = logging.Logger("blobpipes.run")  # noqa: LOG001 - apart from all others: what it gets, we say
        self.logger.addHandler(_Told(self._say_problems))

    def run(self, spec: JobSpec, context: RunContext, *, url: str, session: str | None, **options: Any) -> int:
        """Run the command to its end, and judge it; the exit code.

        Raises:
            BlobpipesError: the session could not be opened, or the command not be started.
        """
        stopped: int | None = None
        try:
            with ExitStack() as stack:
                stack.enter_context(termination_raised())
                if self._capture:  # the session copies captured output to ours; the process itself was faster
                    stack.enter_context(redirect_stdout(_Nowhere()))
                    stack.enter_context(redirect_stderr(_Nowhere()))
                opened = open_pipes_session(
                    context,
                    url=url,
                    session=session,
                    include_stdio_in_messages=self._capture,
                    on_incomplete="warn",
                    on_event=self._say_message,
                    **{**self._client.session_options, **options},
                )
                self._session = stack.enter_context(opened)
                self._say_session(self._session)
                self._watch(self._session, spec, attach=bool(options.get("attach")))
        except KeyboardInterrupt:
            stopped = exit_codes.INTERRUPTED
        except Terminated:
            stopped = exit_codes.TERMINATED
        return self._judge(stopped)

    def spec(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str | None) -> JobSpec:
        """What to run."""
        # Else a Python job's output comes only at its end.
        is_set = "PYTHONUNBUFFERED" in os.environ and self._client.place.prints_here
        return self._client.spec(command, env={**({} if is_set else {"PYTHONUNBUFFERED": "1"}), **env}, cwd=cwd)

    def show(self, spec: JobSpec) -> int:
        """Print what would be launched, with a word for each value that a session gives or that may be secret."""
        shown = {name: value if name == "PYTHONUNBUFFERED" else "***" for name, value in spec.env.items()}
        shown |= dict.fromkeys((CONTEXT_ENV_VAR, MESSAGES_ENV_VAR), "(of the session)")
        token = token_of(SHOWN_SESSION)
        text = self._client.place.preview(replace(spec, env=shown, token=token))
        for line in text.splitlines():
            self._printer.note([line])
        self._say("preview", {"place": self._client.place.name, "text": text})
        return exit_codes.OK

    # --- the job --------------------------------------------------------------------------------------

    def _watch(self, session: PipesSession, spec: JobSpec, *, attach: bool) -> None:
        """Until the job has ended and its output is read; if we are to stop, it is told first."""
        place = self._client.place
        require_reachable(session.url)
        spec = spec.of_session(
            token_of(session.name or session.context.run_id, session.url),
            {name: self._taking(name) for name in STREAMS} if place.delivers_output else {},
        )
        try:
            policy = replace(self._client.policy, termination_timeout=GRACE)
            loop = running(place, spec, session, policy=policy, attach=attach, warn=self._warn)
            with (
                suppress(JobFailedError),  # judged in the end
                loop as self._job,
                session.message_handler.observed_by(nudging(self._job)),
            ):
                self._wait(self._job)
        finally:
            self._output_said()
            self._printer.status([Piece("reading to the end", "dim")])

    def _wait(self, job: Job[Any]) -> None:
        try:
            while not job.wait(TICK):
                self._printer.status(self._status())
        except (KeyboardInterrupt, Terminated):
            self._printer.note([Piece("stopping the job; Ctrl-C again kills it", "warning")])
            raise

    def _warn(self, text: str) -> None:
        self._printer.note([Piece(text, "bad")])

    def _taking(self, name: Stream) -> TakeOutput:
        """Says what comes on one of the job's streams."""
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode

        def take(piece: bytes) -> None:
            text = decode(piece, final=not piece)
            if text:
                self._say("output", {"stream": name, "text": text})

        return take

    # --- what is said ---------------------------------------------------------------------------------

    def _say(self, kind: str, fields: Mapping[str, Any]) -> None:
        """An event of this moment."""
        self._printer.event(Event(kind, self._name, self._clock.wall(), fields))

    @property
    def _name(self) -> str | None:
        return None if self._session is None else self._session.name

    def _say_session(self, session: PipesSession) -> None:
        context = session.context
        known = {"run_id": context.run_id, "job_name": context.job_name, "partition_key": context.partition_key}
        self._say("session", {"url": session.url, **known})

    def _say_message(self, message: PipesEvent) -> None:
        event = event_of(message.payload, session=self._name, at=self._clock.wall())
        self._tally.add(event, self._clock.monotonic(), chunk=message.chunk)
        if isinstance(message.payload, ExternalStream):
            return  # the process's own output was faster
        with self._lock:
            if isinstance(message.payload, Closed) and not self._output_is_said:
                self._closed = event
                return
        self._printer.event(event)

    def _output_said(self) -> None:
        """`closed` is shown after all output, the traceback of the same exception included."""
        with self._lock:
            self._output_is_said = True
            closed = self._closed
        if closed is not None:
            self._printer.event(closed)

    def _say_problems(self) -> None:
        """Those that are new. The session logs each as it finds it."""
        kept = self._session.message_handler.inbox.problems.kept if self._session else []
        for problem in kept[self._problems_said :]:
            self._problems_said += 1
            self._printer.event(problem_event(problem, session=self._name, at=self._clock.wall()))

    def _status(self) -> Line | None:
        if not self._printer.is_live:
            return None
        now = self._clock.monotonic()
        quiet = self._tally.quiet(now)
        last = "no message yet" if quiet is None else f"last message {duration(quiet)} ago"
        counts = f"{counted(self._tally.messages, 'message')}, {counted(self._tally.chunk, 'chunk')}"
        return [Piece(f"{stopwatch(now - self._began)}  {counts}, {last}", "dim")]

    # --- the end --------------------------------------------------------------------------------------

    def _judge(self, stopped: int | None) -> int:
        """Say the verdict; the exit code."""
        self._printer.status(None)
        if self._session is None or self._job is None or not self._session.is_ended:
            return stopped or exit_codes.INTERRUPTED  # stopped before the job began, or twice
        report, end = self._session.report, self._job.state.end
        self._say_problems()
        self._printer.results(self._tally)
        self._say("end", end_fields(report, self._tally, end))
        if stopped is not None:
            return stopped
        return code_of(end) or exit_codes.of_verdict(report.verdict)


def checked_command(job: Sequence[str] | None, *, here: bool = True) -> list[str]:
    """The command after `--`, if it can be started: said before a session is opened for it. Elsewhere nobody knows.

    Raises:
        CommandError: there is none, or no such program.
    """
    if not job:
        raise exit_codes.CommandError(
            "no command was given", remedy="Put it after --, as in: blobpipes run --url URL -- python job.py"
        )
    if here and shutil.which(job[0]) is None:
        if os.path.isfile(job[0]):  # noqa: PTH113 - as the shell sees it
            raise exit_codes.CommandError(
                f"{job[0]!r} is not executable",
                exit_code=exit_codes.NOT_EXECUTABLE,
                remedy=f"Run it by its interpreter, or `chmod +x {job[0]}`.",
            )
        raise exit_codes.CommandError(
            f"command not found: {job[0]!r}",
            exit_code=exit_codes.NOT_FOUND,
            remedy="Check its spelling and the PATH, or give its path.",
        )
    return list(job)


def end_fields(report: PipesSessionReport, tally: Tally, end: JobEnd | None) -> dict[str, Any]:
    """What an `end` event says of a session that this process has opened, and whose job ended so."""
    never_opened = report.verdict == "truncated" and not report.messages
    return {
        "url": report.url,
        "state": report.verdict,
        "detail": report.detail,
        **tally.as_fields(),
        "problems": report.problem_total,
        "chunks": report.chunks,
        "missing": report.missing,
        "requests": dict(report.requests),
        "seconds": round(report.duration, 3),
        "exit_code": code_of(end),
        "process": None if end is None or end.is_success else end.detail,
        "remedy": NeverOpenedError.remedy if never_opened else None,
    }


def code_of(end: JobEnd | None) -> int:
    """The code for how a job ended, as a shell would tell it: 128 and the number of the signal that killed it."""
    if end is None or end.exit_code is None:
        return exit_codes.OK if end is None or end.cause is Cause.UNKNOWN else exit_codes.FAILED
    return end.exit_code if end.exit_code >= 0 else 128 - end.exit_code


class _Told(logging.Handler):
    """Tells of each record of the session's own, instead of writing it."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("[pipes]"):  # else it is the job's, which was a message already
            self._tell()


class _Nowhere(io.TextIOBase):
    """Takes text and keeps none."""

    def write(self, text: str) -> int:
        return len(text)
