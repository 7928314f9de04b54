from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.file_readers import PipesFileMessageReader, PipesTempFileMessageReader, _following
from blobpipes.orchestration.file_tail import FIRST_PAUSE, LONGEST_PAUSE, FileTail
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.testing import ManualClock
from tests.orchestration.jobs import (
    WAIT,
    HandDriven,
    append,
    closed,
    custom,
    in_thread,
    line,
    log,
    made,
    opened,
    recorded_run,
    whole_job,
)


class Tail:
    """A file, its tail, and what the tail has delivered."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = path
        self.lines: list[bytes] = []
        self.problems: list[str] = []
        self.clock = ManualClock()
        self.tail = FileTail(
            path, scheduler=HandDriven(), deliver=self.lines.append, report=self.problems.append, clock=self.clock
        )

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def step(self) -> float | None:
        return self.tail.step()


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Tail]:
    tail = Tail(tmp_path / "messages")
    yield tail
    tail.tail.stop()


def test_a_line_counts_once_its_newline_has_come(tail: Tail) -> None:
    for piece in (b"one\ntw", b"", b"o", b"\n", b"three"):
        tail.write(piece)
        tail.step()
    assert tail.lines == [b"one", b"two"]


def test_at_the_end_a_last_line_without_newline_counts_too(tail: Tail) -> None:
    tail.write(b"one\ntwo")
    tail.tail.process_gone()
    while tail.step() is not None:
        pass
    assert tail.lines == [b"one", b"two"]
    assert tail.tail.is_ended


def test_lines_are_cut_at_newlines_only(tail: Tail) -> None:
    tail.write("a\u2028b\u0085c\rd\r\n\ne\n".encode())
    tail.step()
    assert tail.lines == ["a\u2028b\u0085c\rd\r".encode(), b"", b"e"]


def test_a_line_of_ten_megabytes_that_comes_in_pieces_stays_whole(tail: Tail) -> None:
    whole = os.urandom(5 << 20).hex().encode()
    for start in range(0, len(whole), 3_000_000):
        tail.write(whole[start : start + 3_000_000])
        tail.step()
    tail.write(b"\n")
    for _ in range(20):
        tail.step()
    assert tail.lines == [whole]


def test_looks_become_rarer_while_nothing_comes_and_frequent_again_when_something_does(tail: Tail) -> None:
    def pause() -> float:
        moment = tail.step()
        assert moment is not None
        return moment - tail.clock.monotonic()

    pauses = [pause() for _ in range(12)]
    assert pauses[0] == pytest.approx(FIRST_PAUSE)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)
    tail.write(b"one\n")
    assert pause() == 0.0
    assert pause() == pytest.approx(FIRST_PAUSE)


def test_a_file_that_became_shorter_is_read_again_and_reported(tail: Tail) -> None:
    tail.write(b"one\ntwo\nthr")
    tail.step()
    tail.path.write_bytes(b"new\n")
    tail.step()
    assert tail.lines == [b"one", b"two", b"new"]
    assert "shorter" in tail.problems[0]


def test_a_session_over_a_temporary_file_takes_everything_and_leaves_nothing() -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader(True)) as session:
        params = session.message_reader_params
        assert params["include_stdio_in_messages"] is True
        append(params, *whole_job(made(rows=1), custom(2)))
    assert session.report.verdict == "complete"
    assert session.report.messages == 4
    assert session.report.bytes == sum(len(line(m)) - 1 for m in whole_job(made(rows=1), custom(2)))
    assert len(session.get_results()) == 1
    assert not Path(params["path"]).parent.exists()


def test_a_named_file_is_emptied_before_and_removed_after(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_bytes(line(made("old")))
    context, _ = recorded_run()
    reader = PipesFileMessageReader(path)
    with open_pipes_session(context, PipesEnvContextInjector(), reader) as session:
        append(session.message_reader_params, *whole_job(made("new")))
    assert [result.asset_key for result in session.get_results()] == ["new"]
    assert not path.exists()


def test_a_named_file_may_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    context, _ = recorded_run()
    reader = PipesFileMessageReader("messages", cleanup_file=False)
    with open_pipes_session(context, PipesEnvContextInjector(), reader) as session:
        assert session.message_reader_params["path"] == str(tmp_path / "messages")
        append(session.message_reader_params, *whole_job())
    assert (tmp_path / "messages").read_bytes().count(b"\n") == 2


def test_results_are_there_while_the_job_runs(tmp_path: Path) -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader()) as session:
        results = session.iter_results()
        append(session.message_reader_params, opened(), made(rows=1))
        assert next(results).values == {"rows": 1}
        append(session.message_reader_params, made("other"), closed())
        assert [result.asset_key for result in results] == ["other"]


def test_a_cut_last_line_is_reported_and_everything_before_it_counts() -> None:
    context, _ = recorded_run()
    reader = PipesTempFileMessageReader()
    with open_pipes_session(context, PipesEnvContextInjector(), reader, on_incomplete="warn") as session:
        append(session.message_reader_params, opened(), made(), line(log("cut"))[:40])
    assert session.report.verdict == "truncated"
    assert [problem.kind for problem in session.report.problems] == ["malformed"]
    assert len(session.get_results()) == 1


def test_a_backlog_of_many_thousand_lines_is_read_to_the_end() -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader()) as session:
        append(session.message_reader_params, *whole_job(*[custom(i) for i in range(30_000)]))
    assert session.get_custom_messages() == tuple(range(30_000))


def test_one_reader_serves_several_sessions_at_once_and_again() -> None:
    reader, context = PipesTempFileMessageReader(), recorded_run()[0]

    def run(name: str) -> list[str]:
        with open_pipes_session(context, PipesEnvContextInjector(), reader) as session:
            append(session.message_reader_params, *whole_job(made(name)))
            assert session.wait_for_close(WAIT)
        return [result.asset_key for result in session.get_results()]

    with open_pipes_session(context, PipesEnvContextInjector(), reader) as outer:
        assert run("inner") == ["inner"]
        append(outer.message_reader_params, *whole_job(made("outer")))
    assert [result.asset_key for result in outer.get_results()] == ["outer"]
    assert run("again") == ["again"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_cannot_be_read_is_reported_and_waited_for_no_longer() -> None:
    context, _ = recorded_run()
    handler = PipesMessageHandler(context, PipesTempFileMessageReader())
    with _following(Path("/proc/self/mem"), handler):
        pass
    assert [str(problem) for problem in handler.inbox.problems.kept] == [
        "reader: cannot read /proc/self/mem: Input/output error"
    ]
    assert handler.inbox.wait(handler.inbox.is_finished, WAIT)


def test_a_writer_in_another_thread_is_followed_line_by_line() -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader()) as session:
        params = session.message_reader_params
        thread = in_thread(lambda: [append(params, message) for message in whole_job(*map(custom, range(300)))])
        assert session.wait_for_close(WAIT)
        thread.join(WAIT)
    assert session.get_custom_messages() == tuple(range(300))
