from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from blobpipes.orchestration.handler import PipesEvent, PipesMessageHandler
from blobpipes.orchestration.problems import MAX_KEPT
from blobpipes.orchestration.results import AssetCheckResult, MaterializeResult
from blobpipes.wire.messages import PipesMessage, encode_message, make_message
from tests.orchestration.jobs import (
    HandFedReader,
    Recorder,
    checked,
    closed,
    custom,
    external_stream,
    failed,
    line,
    log,
    made,
    opened,
    recorded_run,
)


def handler_and_log(**options: Any) -> tuple[PipesMessageHandler, Recorder]:
    context, recorder = recorded_run()
    return PipesMessageHandler(context, HandFedReader(), **options), recorder


def feed(handler: PipesMessageHandler, *messages: PipesMessage) -> None:
    for message in messages:
        handler.handle_message(message)


def kinds(handler: PipesMessageHandler) -> list[str]:
    return [problem.kind for problem in handler.inbox.problems.kept]


def test_results_come_out_typed_and_in_order_of_arrival() -> None:
    handler, _ = handler_and_log()
    feed(handler, opened(), checked(), made(rows=3), checked(passed=False), made("other"), closed())
    first, second, third, fourth = handler.get_reported_results()
    assert first == AssetCheckResult("orders", "not_empty", True)
    assert second == MaterializeResult("orders", {"rows": {"type": "__infer__", "raw_value": 3}})
    assert isinstance(third, AssetCheckResult)
    assert not third.passed
    assert isinstance(fourth, MaterializeResult)
    assert kinds(handler) == []


def test_the_jobs_log_messages_reach_the_runs_logger_with_their_level() -> None:
    handler, recorder = handler_and_log()
    feed(handler, log("100% of %s", "WARNING"), log("note", 25))
    assert [(r.levelno, r.getMessage()) for r in recorder.records] == [(30, "100% of %s"), (20, "note")]


def test_captured_output_reaches_our_own_streams(capsys: pytest.CaptureFixture[str]) -> None:
    handler, _ = handler_and_log()
    feed(
        handler, external_stream("stdout", "out\nmo"), external_stream("stdout", "re\n"), external_stream("stderr", "e")
    )
    assert capsys.readouterr() == ("out\nmore\n", "e")


def test_custom_payloads_are_kept_as_they_are() -> None:
    handler, _ = handler_and_log()
    feed(handler, custom({"a": [1]}), custom(None))
    assert handler.get_custom_messages() == ({"a": [1]}, None)


def test_opened_and_closed_are_remembered() -> None:
    handler, recorder = handler_and_log()
    assert not handler.received_opened_message
    feed(handler, opened({"pid": 7}))
    assert handler.received_opened_message
    assert handler.opened_payload == {"extras": {"pid": 7}}
    assert not handler.received_closed_message
    feed(handler, closed())
    assert handler.received_closed_message
    assert "successfully opened" in recorder.text


def test_the_exception_that_a_job_closed_with_is_logged_as_python_prints_it() -> None:
    handler, recorder = handler_and_log()
    feed(handler, opened(), failed("no rows"))
    assert "ERROR [pipes] external process closed with an exception:\n" in recorder.text
    assert "ValueError: no rows" in recorder.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"__dagster_pipes_version": "0.1", "method": "dance", "params": {}}', "unknown method"),
        (b'{"__dagster_pipes_version": "0.1", "method": "log"}', "params"),
        (b'{"__dagster_pipes_version": "0.1", "method": "log", "params": {"message": 1}}', "log: `message`"),
        (b'{"__dagster_pipes_version": "0.1", "method": "log", "params": {"message": "m", "level": "LOUD"}}', "LOUD"),
        (b'{"__dagster_pipes_version": "0.1", "method": "report_asset_check", "params": {}}', "report_asset_check"),
        (b"[1, 2]", r"not a message: '\[1, 2\]'"),
        (b"7", "not a message: '7'"),
        (b'{"a": 1}', "not a message"),
        (b'{"__dagster_pipes_ver', "not a message"),
        (b"\xff\xfe", "not a message"),
        (b"plain output " + b"x" * 500, r"plain output x+\.\.\.'$"),
    ],
)
def test_a_malformed_line_is_named_and_stops_nothing(text: bytes, said: str) -> None:
    handler, recorder = handler_and_log()
    handler.handle_line(text, chunk=4)
    handler.handle_line(line(made()))
    [problem] = handler.inbox.problems.kept
    assert problem.kind == "malformed"
    assert problem.chunk == 4
    assert re.search(said, problem.text)
    assert "WARNING [pipes] malformed (chunk 4)" in recorder.text
    assert len(handler.get_reported_results()) == 1


def test_blank_lines_and_carriage_returns_are_nothing_special() -> None:
    handler, _ = handler_and_log()
    for text in (b"", b"\r", b"  ", line(log("a")).rstrip() + b"\r", line(log("b")).decode().rstrip()):
        handler.handle_line(text)
    assert handler.inbox.counts == {"log": 2}
    assert kinds(handler) == []


def test_among_output_only_broken_messages_are_reported() -> None:
    handler, _ = handler_and_log()
    handler.handle_line(b"ordinary output", among_output=True)
    handler.handle_line(b'{"__dagster_pipes_version": "0.1", "method": "dance", "params": {}}', among_output=True)
    assert kinds(handler) == ["malformed"]


def test_a_flood_of_problems_is_counted_but_neither_kept_nor_logged() -> None:
    handler, recorder = handler_and_log()
    for _ in range(MAX_KEPT + 900):
        handler.handle_line(b"noise")
    assert handler.inbox.problems.total == MAX_KEPT + 900
    assert len(handler.inbox.problems.kept) == MAX_KEPT
    assert len(recorder.records) == MAX_KEPT


def test_a_message_after_closed_is_handled_and_reported_unless_it_is_captured_output() -> None:
    handler, _ = handler_and_log()
    feed(handler, opened(), closed(), external_stream("stdout", ""), made())
    assert kinds(handler) == ["unwanted"]
    assert len(handler.get_reported_results()) == 1


# --- a process that was restarted ---------------------------------------------------------------------


def test_a_restarted_process_is_announced_and_opens_the_session_again() -> None:
    handler, recorder = handler_and_log()
    feed(handler, opened(), failed(), opened())
    assert not handler.received_closed_message
    assert "external process number 2" in recorder.text


def test_a_result_that_a_restarted_process_repeats_takes_the_place_of_the_first() -> None:
    handler, _ = handler_and_log()
    feed(handler, opened(), made(rows=1), checked(passed=False), made("other"), opened(), made(rows=2), checked())
    made_result, check, other = handler.get_reported_results()
    assert made_result.values == {"rows": 2}
    assert isinstance(check, AssetCheckResult)
    assert check.passed
    assert other.asset_key == "other"


def test_a_result_that_was_taken_already_is_not_replaced_but_reported() -> None:
    handler, _ = handler_and_log()
    feed(handler, opened(), made(rows=1))
    handler.get_reported_results()
    feed(handler, opened(), made(rows=2), made("other"))
    assert [result.values for result in handler.get_reported_results()] == [{"rows": 1}, {}]
    assert kinds(handler) == ["repeated"]


def test_what_one_process_reports_twice_is_kept_twice() -> None:
    handler, _ = handler_and_log()
    feed(handler, opened(), made(rows=1), made(rows=2), checked(), checked())
    assert len(handler.get_reported_results()) == 4


# --- code of the caller that fails --------------------------------------------------------------------


def test_observers_see_every_good_message_with_its_writer() -> None:
    seen: list[PipesEvent] = []
    handler, _ = handler_and_log(on_event=seen.append)
    feed(handler, opened(), made(), closed())
    handler.handle_line(b"noise")
    assert [type(event.payload).__name__ for event in seen] == ["Opened", "AssetMaterialization", "Closed"]


def test_observers_are_told_which_chunk_brought_a_message() -> None:
    seen: list[PipesEvent] = []
    handler, _ = handler_and_log(on_event=seen.append)
    handler.handle_line(encode_message(opened()), chunk=1)
    handler.handle_line(encode_message(closed()), chunk=7)
    handler.handle_message(log("from no chunk"))
    assert [event.chunk for event in seen] == [1, 7, None]


def test_an_observer_that_fails_is_reported_and_stops_nothing() -> None:
    def fail(event: PipesEvent) -> None:
        raise KeyError("password=geheim")

    handler, recorder = handler_and_log(on_event=fail)
    feed(handler, opened(), log("a"), closed())
    assert kinds(handler) == ["handler"] * 3
    assert "KeyError" in recorder.text
    assert "geheim" not in recorder.text
    assert handler.inbox.failed_results == 0


def test_a_result_that_an_observer_failed_on_counts_against_the_session() -> None:
    def fail(event: PipesEvent) -> None:
        raise RuntimeError("database is down")

    handler, _ = handler_and_log(on_event=fail)
    feed(handler, made(), checked(), log("a"))
    assert handler.inbox.failed_results == 2
    assert len(handler.get_reported_results()) == 2


def test_a_logger_that_fails_is_reported_and_stops_nothing() -> None:
    class Broken(logging.Logger):
        def log(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("disk full")

    context, _ = recorded_run()
    handler = PipesMessageHandler(type(context)(log=Broken("broken")), HandFedReader())
    feed(handler, opened(), log("a"), made(), closed())
    assert set(kinds(handler)) == {"handler"}
    assert len(handler.get_reported_results()) == 1
    assert handler.received_closed_message


def test_our_own_streams_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> None:
            raise ValueError("I/O operation on closed file")

    handler, _ = handler_and_log()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Closed())
        feed(handler, external_stream("stdout", "text"))
    feed(handler, made())
    assert kinds(handler) == ["handler"]
    assert len(handler.get_reported_results()) == 1


def test_a_reader_hook_that_fails_is_reported() -> None:
    class Fragile(HandFedReader):
        def on_opened(self, opened_payload: Any) -> None:
            raise LookupError(opened_payload["extras"]["job"])

    context, _ = recorded_run()
    handler = PipesMessageHandler(context, Fragile())
    feed(handler, make_message("opened", {"extras": {}}), made())
    assert kinds(handler) == ["handler"]
    assert handler.received_opened_message
