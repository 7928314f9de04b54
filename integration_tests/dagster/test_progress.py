"""A step that still reads after its job has ended says how far it is, and reads on for as long as it takes."""

import logging
import threading
from pathlib import Path

import dagster as dg
import pytest

from blobpipes.dagster import progress
from blobpipes.dagster.progress import DrainProgress
from blobpipes.orchestration.file_readers import PipesTempFileMessageReader
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.testing import ManualClock
from blobpipes.wire.messages import log
from integration_tests.dagster.steps import command, failure, run_one, texts
from tests.orchestration.jobs import recorded_run


class Woken:
    """A scheduler that only counts."""

    def __init__(self) -> None:
        self.times = 0

    def wake(self, task: object) -> None:
        self.times += 1


def test_it_says_how_many_and_how_fast_after_each_pause_and_nothing_before_the_first() -> None:
    context, records = recorded_run()
    handler = PipesMessageHandler(context, PipesTempFileMessageReader())
    clock, scheduler = ManualClock(), Woken()
    shown = DrainProgress(handler, pause=10.0, scheduler=scheduler, clock=clock)
    assert shown.step() is None, "the job has not ended"
    handler.handle_message(log("one", "INFO"))
    shown.start()
    assert scheduler.times == 1
    assert shown.step() == clock.monotonic() + 10.0
    for _ in range(2000):
        handler.handle_message(log("more", "DEBUG"))
    clock.advance(10.0)
    shown.step()
    shown.stop()
    assert shown.step() is None
    said = [record.getMessage() for record in records.records if record.getMessage().startswith("[pipes]")]
    assert said == ["[pipes] the external process has ended; reading on: 2,001 messages so far, 200 per second"]


def test_a_slow_event_log_is_waited_for_and_the_run_says_so(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow log stops at one message until the run has told of its progress."""
    monkeypatch.setattr(progress, "PAUSE", 0.2)
    has_told = threading.Event()

    class SlowLog(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "reading on" in record.getMessage():
                has_told.set()
            elif "message 7" in record.getMessage():
                assert has_told.wait(90), "nobody said that the run reads on"

    monkeypatch.setattr(instance, "get_handlers", lambda get=instance.get_handlers: [*get(), SlowLog()])
    result = run_one(
        instance,
        tmp_path,
        command("""
            for number in range(20):
                pipes.log.info("message %d", number)
            pipes.report_asset_materialization()
        """),
    )
    assert result.success, failure(result)
    assert [text for text in texts(instance, result) if text.startswith("message")] == [
        f"message {number}" for number in range(20)
    ]
    assert has_told.is_set()
