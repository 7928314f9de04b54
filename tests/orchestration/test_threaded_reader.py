from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.log_readers import LogReading, PipesChunkedLogReader, PipesLogReader
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.stdio import (
    PipesStdioMessageReader,
    extract_message_or_forward_to_file,
    extract_message_or_forward_to_stdout,
    forward_lines,
)
from blobpipes.orchestration.threaded_reader import GRACE, HookReading, PipesThreadedMessageReader
from blobpipes.testing import ManualClock
from blobpipes.wire.params import PipesParams
from tests.orchestration.jobs import (
    WAIT,
    HandDriven,
    closed,
    custom,
    line,
    made,
    opened,
    recorded_run,
    whole_job,
)


class LogService(PipesThreadedMessageReader):
    """A custom reader: lines in a list, of which the cursor counts how many were taken."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"interval": 0.05, **options})
        self.lines: list[str] = []
        self.is_there = True
        self.params_seen: PipesParams = {}

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        yield {"stdio": "stdout"}

    def messages_are_readable(self, params: PipesParams) -> bool:
        self.params_seen = params
        return self.is_there

    def download_messages(self, cursor: int | None, params: PipesParams) -> tuple[int, str] | None:
        start = cursor or 0
        new = self.lines[start : start + 100]
        return (start + len(new), "\n".join(new)) if new else None

    def no_messages_debug_text(self) -> str:
        return "Looked into the log service."

    def add(self, *messages: Any) -> None:
        self.lines += [m if isinstance(m, str) else line(m).decode().rstrip() for m in messages]


def opened_with(reader: Any, **options: Any) -> Any:
    return open_pipes_session(recorded_run()[0], PipesEnvContextInjector(), reader, **options)


def test_a_custom_reader_with_a_cursor_works_as_the_guide_writes_it() -> None:
    service = LogService()
    with opened_with(service) as session:
        service.add("ordinary output", opened(), "more of it", made(rows=1))
        assert next(session.iter_results()).values == {"rows": 1}
        service.add(*map(custom, range(1000)), closed())
    assert session.get_custom_messages() == tuple(range(1000))
    assert session.report.verdict == "complete"
    assert session.report.problem_total == 0


def test_what_the_launcher_tells_is_among_the_params() -> None:
    service = LogService()
    service.is_there = False
    with opened_with(service) as session:
        session.report_launched({"job_id": "j-1"})
        service.add(*whole_job())
        service.is_there = True
        assert session.wait_for_close(WAIT)
    assert service.params_seen == {"stdio": "stdout", "job_id": "j-1"}
    assert service.launched_payload == {"job_id": "j-1"}
    assert service.opened_payload == {"extras": {}}


class Stepped:
    """One session of a reader, stepped by the test."""

    def __init__(self, service: LogService) -> None:
        self.clock = ManualClock()
        self.handler = PipesMessageHandler(recorded_run()[0], service)
        self.reading = HookReading(service, {}, self.handler, HandDriven(), clock=self.clock)

    def pause(self) -> float | None:
        moment = self.reading.step()
        return None if moment is None else moment - self.clock.monotonic()


def test_it_looks_again_at_once_while_something_comes_and_after_the_interval_when_nothing_does() -> None:
    service = LogService(interval=10.0)
    stepped = Stepped(service)
    service.add(opened(), *map(custom, range(150)))
    assert [stepped.pause() for _ in range(3)] == [0.0, 0.0, 10.0]


def test_until_there_is_something_to_read_it_asks_every_second() -> None:
    service = LogService(interval=10.0)
    service.is_there = False
    assert Stepped(service).pause() == 1.0


def test_after_closed_it_looks_until_nothing_more_comes_and_ends_without_waiting() -> None:
    service = LogService(interval=10.0)
    stepped = Stepped(service)
    service.add(opened(), closed())
    assert stepped.pause() == 0.0
    assert stepped.pause() is None
    assert stepped.reading.is_ended


def test_without_closed_it_gives_late_lines_some_time_after_the_end() -> None:
    service = LogService(interval=10.0)
    stepped = Stepped(service)
    service.add(opened())
    stepped.pause()
    stepped.reading.process_gone()
    assert stepped.pause() == 1.0
    stepped.clock.advance(GRACE - 1)
    service.add(custom("late"))
    assert stepped.pause() == 0.0
    stepped.clock.advance(1)
    assert stepped.pause() is None
    assert stepped.handler.get_custom_messages() == ("late",)


def test_a_hook_that_fails_is_reported_and_asked_again() -> None:
    class Fragile(LogService):
        def download_messages(self, cursor: int | None, params: PipesParams) -> tuple[int, str] | None:
            if not stepped.handler.inbox.problems.total:
                raise ConnectionError("reset")
            return super().download_messages(cursor, params)

    service = Fragile(interval=10.0)
    stepped = Stepped(service)
    service.add(*whole_job())
    assert stepped.pause() == 10.0
    stepped.pause()
    assert stepped.handler.received_closed_message
    [problem] = stepped.handler.inbox.problems.kept
    assert str(problem) == "reader: Fragile failed: ConnectionError: reset"


# --- log readers ----------------------------------------------------------------------------------------


class Tape(PipesChunkedLogReader):
    """A log as a list of pieces; each session reads it from the beginning."""

    def __init__(self, pieces: list[str], stream: io.StringIO, **options: Any) -> None:
        super().__init__(**{"interval": 0.02, "grace": 0.0, **options}, target_stream=stream)
        self.pieces = pieces
        self.position = 0
        self.is_there = True

    def target_is_readable(self, params: PipesParams) -> bool:
        return self.is_there

    def download_log_chunk(self, params: PipesParams) -> str | None:
        new = self.pieces[self.position :]
        self.position += len(new)
        return "".join(new)


def test_logs_are_copied_beside_the_messages_to_their_end() -> None:
    out, pieces = io.StringIO(), ["one\n", "two\n"]
    service = LogService(log_readers=[Tape(pieces, out)])
    with opened_with(service) as session:
        service.add(*whole_job())
        assert session.wait_for_close(WAIT)
        pieces.append("three\n")
    assert out.getvalue() == "one\ntwo\nthree\n"


def test_each_session_copies_the_log_from_its_beginning() -> None:
    out = io.StringIO()
    service = LogService(log_readers=[Tape(["a\n"], out)])
    service.add(*whole_job())
    for _ in range(2):
        with opened_with(service) as session:
            pass
    assert out.getvalue() == "a\na\n"
    assert session.report.verdict == "complete"


def test_a_log_can_be_added_while_the_session_is_open() -> None:
    out = io.StringIO()
    service = LogService()
    with opened_with(service):
        service.add_log_reader(Tape(["late\n"], out))
        service.add(*whole_job())
    assert out.getvalue() == "late\n"


def test_a_log_that_fails_or_never_comes_is_reported_and_stops_nothing() -> None:
    class Fragile(Tape):
        def download_log_chunk(self, params: PipesParams) -> str | None:
            raise PermissionError("no access")

    problems: list[tuple[str, str]] = []

    def report(kind: str, text: str) -> None:
        problems.append((kind, text))

    never = Tape([], io.StringIO(), debug_info="look at the console")
    never.is_there = False
    reading = LogReading([Fragile([], io.StringIO()), never], dict, report, late=0.0)
    reading.finish()
    assert ("log", "Fragile: PermissionError: no access") in problems
    assert ("log", "Tape: the log was still not there 0 s after the end\nDebug info: look at the console") in problems


def test_a_log_reader_of_the_users_own_thread_is_started_and_stopped() -> None:
    calls: list[str] = []

    class Own(PipesLogReader):
        thread: threading.Thread

        def start(self, params: PipesParams, is_session_closed: threading.Event) -> None:
            self.thread = threading.Thread(target=is_session_closed.wait, args=(WAIT,), daemon=True)
            self.thread.start()
            calls.append("start")

        def stop(self) -> None:
            self.thread.join(WAIT)
            calls.append("stop")

        def is_running(self) -> bool:
            return "stop" not in calls

        def target_is_readable(self, params: PipesParams) -> bool:
            return params.get("extras") is not None  # known since `opened`

    service = LogService(log_readers=[Own()])
    with opened_with(service):
        service.add(*whole_job())
    assert calls == ["start", "stop"]


# --- messages on a job's own stream ---------------------------------------------------------------------


def test_lines_of_a_job_are_told_apart_into_messages_and_output(capsys: pytest.CaptureFixture[str]) -> None:
    reader = PipesStdioMessageReader("stderr", buffered=True)
    with opened_with(reader) as session:
        handler = session.message_handler
        assert session.message_reader_params == {"buffered_stdio": "stderr"}
        out = io.StringIO()
        extract_message_or_forward_to_file(handler, "plain", out)
        extract_message_or_forward_to_file(handler, b"bytes \xff\n", out)
        extract_message_or_forward_to_file(handler, 'text before {"__dagster_pipes_version": "0.1"}', out)
        extract_message_or_forward_to_file(handler, line(opened()), out)
        forward_lines(handler, [line(made()), b"in between\n", line(closed()).decode()], out)
        extract_message_or_forward_to_stdout(handler, "printed")
    assert out.getvalue() == ('plain\nbytes \ufffd\ntext before {"__dagster_pipes_version": "0.1"}\nin between\n')
    assert capsys.readouterr().out == "printed\n"
    assert session.report.verdict == "complete"
    assert len(session.get_results()) == 1


def test_a_stream_has_one_of_two_names() -> None:
    with pytest.raises(ValueError, match="'stdout' or 'stderr'"):
        PipesStdioMessageReader("stdin")  # type: ignore[arg-type]
