"""One job of this machine under one session: its output and its messages as events, and the verdict."""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from typing import Any, Final

from blobpipes.cli import exit_codes
from blobpipes.cli.drawing import Line, Piece
from blobpipes.cli.events import Event, event_of, problem_event
from blobpipes.cli.job_output import JobOutput
from blobpipes.cli.printers import Printer
from blobpipes.cli.stopping import Terminated, termination_raised
from blobpipes.cli.tally import Tally
from blobpipes.cli.wording import counted, duration, stopwatch
from blobpipes.clients.launch import Command, Process, how_it_ended, interrupt
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import NeverOpenedError
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.messages import Closed, ExternalStream

TICK: Final = 0.2  # seconds between two looks at the process
GRACE: Final = 20.0  # seconds that an interrupted job has until it is killed


class RunningJob:
    """Runs one command and says everything. Used once.

    Args:
        capture: ask the job to put its output into the session, too.
    """

    def __init__(self, printer: Printer, *, capture: bool = False, clock: Clock = SYSTEM_CLOCK) -> None:
        self._printer = printer
        self._capture = capture
        self._clock = clock
        self._tally = Tally()
        self._began = clock.monotonic()
        self._session: PipesSession | None = None
        self._process: Process | None = None
        self._problems_said = 0
        self._lock = threading.Lock()
        self._output_is_said = False
        self._closed: Event | None = None  # came before all output was said
        self.logger = logging.Logger("blobpipes.run")  # noqa: LOG001 - apart from all others: what it gets, we say
        self.logger.addHandler(_Told(self._say_problems))

    def run(self, command: Sequence[str], context: RunContext, *, url: str, session: str | None, **options: Any) -> int:
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
                    **options,
                )
                self._session = stack.enter_context(opened)
                self._say_session(self._session)
                self._process = self._start(command, self._session)
                self._watch(self._process)
        except KeyboardInterrupt:
            stopped = exit_codes.INTERRUPTED
        except Terminated:
            stopped = exit_codes.TERMINATED
        return self._judge(command[0], stopped)

    # --- the process ----------------------------------------------------------------------------------

    def _start(self, command: Sequence[str], session: PipesSession) -> Process:
        env = {"PYTHONUNBUFFERED": "1", **os.environ}  # else a Python job's output comes only at its end
        job = Command(tuple(command), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return job.start(session.get_bootstrap_env_vars())

    def _watch(self, process: Process) -> None:
        """Until the process has ended and its output is read; if we are to stop, it is told first."""
        streams = [JobOutput(process.stdout, "stdout", self._say), JobOutput(process.stderr, "stderr", self._say)]
        try:
            while process.poll() is None:
                self._printer.status(self._status())
                with suppress(subprocess.TimeoutExpired):
                    process.wait(TICK)
        except (KeyboardInterrupt, Terminated):
            self._printer.note([Piece("stopping the job; Ctrl-C again kills it", "warning")])
            interrupt(process, GRACE, group=True)
            raise
        finally:
            for stream in streams:
                stream.finish()
            self._output_said()
            self._printer.status([Piece("reading to the end", "dim")])

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

    def _judge(self, program: str, stopped: int | None) -> int:
        """Say the verdict; the exit code."""
        self._printer.status(None)
        if self._session is None or self._process is None or not self._session.is_ended:
            return stopped or exit_codes.INTERRUPTED  # stopped before the job began, or twice
        report, returncode = self._session.report, self._process.returncode
        self._say_problems()
        self._printer.results(self._tally)
        self._say("end", end_fields(report, self._tally, program=program, returncode=returncode))
        if stopped is not None:
            return stopped
        return exit_codes.of_process(returncode) if returncode else exit_codes.of_verdict(report.verdict)


def checked_command(job: Sequence[str] | None) -> list[str]:
    """The command after `--`, if it can be started: said before a session is opened for it.

    Raises:
        CommandError: there is none, or no such program.
    """
    if not job:
        raise exit_codes.CommandError(
            "no command was given", remedy="Put it after --, as in: blobpipes run --url URL -- python job.py"
        )
    if shutil.which(job[0]) is None:
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


def end_fields(report: PipesSessionReport, tally: Tally, *, program: str, returncode: int) -> dict[str, Any]:
    """What an `end` event says of a session that this process has opened."""
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
        "exit_code": exit_codes.of_process(returncode),
        "process": how_it_ended(program, returncode)[0] if returncode else None,
        "remedy": NeverOpenedError.remedy if never_opened else None,
    }


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
