"""What goes wrong with an official writer, provoked with it: our reader takes all there is and names the rest.

The official package loses messages and says nothing; what it never stored no reader can bring back. What a reader can
do is to stop at nothing, and never to call complete what is not.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster_pipes
import pytest

from blobpipes import (
    PipesBlobStoreContextInjector,
    PipesBlobStoreMessageReader,
    PipesCompositeMessageReader,
    PipesEvent,
    PipesSession,
    open_pipes_session,
)
from blobpipes.wire.payloads import CustomMessage, Log
from integration_tests.servers.clouds import Cloud, CloudServer
from tests.orchestration.jobs import recorded_run

WAIT = 60.0  # seconds for something that another process does
pytestmark = pytest.mark.timeout(300)

JOB = """
import os, sys, time
import boto3, dagster_pipes
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.1)
writer = dagster_pipes.PipesS3MessageWriter(boto3.client("s3"), interval=0)
loader = dagster_pipes.PipesS3ContextLoader(boto3.client("s3"))
with dagster_pipes.open_dagster_pipes(context_loader=loader, message_writer=writer) as pipes:
    exec(sys.argv[1])
"""


class Seen:
    """What has arrived so far, to be waited for."""

    def __init__(self) -> None:
        self.logs: list[str] = []
        self.custom: list[Any] = []
        self._changed = threading.Condition()

    def note(self, event: PipesEvent) -> None:
        with self._changed:
            if isinstance(event.payload, Log):
                self.logs.append(event.payload.message)
            elif isinstance(event.payload, CustomMessage):
                self.custom.append(event.payload.payload)
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.logs, WAIT), f"{text!r} never came, only {self.logs}"


@pytest.fixture
def place(s3: CloudServer, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An empty bucket; this process and its children can reach it."""
    place = s3.fresh()
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def seen() -> Seen:
    return Seen()


@contextmanager
def opening(place: Cloud, seen: Seen, **options: Any) -> Iterator[PipesSession]:
    context, _ = recorded_run(asset_keys=["orders"])
    url = f"{place.url}?interval=200ms"
    with open_pipes_session(context, url=url, on_incomplete="warn", on_event=seen.note, **options) as session:
        yield session


def start(session: PipesSession, program: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, **session.get_bootstrap_env_vars()}
    return subprocess.Popen([sys.executable, "-c", JOB, program], env=env)


def run(session: PipesSession, program: str) -> None:
    process = start(session, program)
    assert process.wait(WAIT) == 0


def channel(session: PipesSession) -> Callable[..., None]:
    """The official upload of one chunk, at the test's pace: `upload(number, message, ...)`."""
    import boto3

    params: Any = session.get_bootstrap_params()["DAGSTER_PIPES_MESSAGES"]
    made = dagster_pipes.PipesS3MessageWriterChannel(boto3.client("s3"), params["bucket"], params["key_prefix"])

    def upload(number: int, *messages: Any) -> None:
        made.upload_messages_chunk(io.StringIO("\n".join(json.dumps(message) for message in messages)), number)

    return upload


def message(method: str, **params: Any) -> Any:
    return dagster_pipes._make_message(method, params)  # type: ignore[arg-type]


def log(text: str) -> Any:
    return message("log", message=text, level="INFO")


OPENED = message("opened", extras={})
CLOSED = message("closed")


def problems(session: PipesSession) -> list[str]:
    return [problem.kind for problem in session.report.problems]


# --- all there is -------------------------------------------------------------------------------------


def test_a_backlog_of_sixty_chunks_is_read_to_its_end_after_the_job_has_ended(place: Cloud, seen: Seen) -> None:
    with opening(place, seen) as session:
        upload = channel(session)
        for number in range(2, 62):  # nothing can be read before chunk 1 is there
            upload(number, log(f"message {number}"))
        upload(62, CLOSED)
        upload(1, OPENED)
    assert seen.logs == [f"message {number}" for number in range(2, 62)]
    assert (session.report.verdict, session.report.chunks, problems(session)) == ("complete", 62, [])


def test_one_reader_object_reads_the_logs_of_several_official_jobs(place: Cloud, seen: Seen) -> None:
    injector = PipesBlobStoreContextInjector(place.url)
    reader = PipesBlobStoreMessageReader(place.url, interval=0.2)
    for name in ("first", "second"):
        context, _ = recorded_run(asset_keys=["orders"])
        with open_pipes_session(context, injector, reader, on_event=seen.note) as session:
            run(session, f"pipes.log.info('{name}')")
        assert session.report.verdict == "complete"
    assert seen.logs == ["first", "second"]


def test_official_jobs_of_a_composite_reader_each_write_to_a_place_of_their_own(place: Cloud, seen: Seen) -> None:
    readers = [PipesBlobStoreMessageReader(place.url, interval=0.2) for _ in range(2)]
    context, _ = recorded_run(asset_keys=["orders"])
    injector = PipesBlobStoreContextInjector(place.url)
    with open_pipes_session(context, injector, PipesCompositeMessageReader(readers), on_event=seen.note) as session:
        processes = []
        for number, variables in enumerate(session.get_per_writer_bootstrap_env_vars()):
            command = [sys.executable, "-c", JOB, f"pipes.log.info('writer {number}')"]
            processes.append(subprocess.Popen(command, env={**os.environ, **variables}))
        assert [process.wait(WAIT) for process in processes] == [0, 0]
    assert sorted(seen.logs) == ["writer 0", "writer 1"]
    assert [writer.verdict for writer in session.report.writers] == ["complete", "complete"]


def test_output_that_comes_in_a_chunk_after_closed_arrives_before_the_end(
    place: Cloud, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    with opening(place, seen) as session:
        upload = channel(session)
        upload(1, OPENED, log("working"), CLOSED)
        upload(2, message("log_external_stream", stream="stdout", text="late\n", extras={}))
    assert capsys.readouterr().out == "late\n"
    assert (session.report.verdict, problems(session)) == ("complete", [])


# --- and the rest by name -----------------------------------------------------------------------------


def test_a_killed_job_is_truncated_and_what_it_had_stored_is_there(place: Cloud, seen: Seen) -> None:
    with opening(place, seen) as session:
        process = start(session, "pipes.log.info('stored'); time.sleep(600)")
        seen.wait_for("stored")
        process.send_signal(signal.SIGKILL)
        process.wait(WAIT)
    assert session.report.verdict == "truncated"
    assert "ended without closing" in session.report.detail
    assert not session.report.closed


def test_a_chunk_that_somebody_deleted_is_a_gap_and_all_others_arrive(place: Cloud, seen: Seen) -> None:
    import boto3

    with opening(place, seen) as session:
        upload = channel(session)
        for number in (2, 3, 4):
            upload(number, log(f"message {number}"))
        params: Any = session.get_bootstrap_params()["DAGSTER_PIPES_MESSAGES"]
        boto3.client("s3").delete_object(Bucket=params["bucket"], Key=f"{params['key_prefix']}/3.json")
        upload(5, CLOSED)
        upload(1, OPENED)
    assert seen.logs == ["message 2", "message 4"]
    assert problems(session) == ["gap"]
    assert "chunk 3 is missing, though chunk 4 exists" in session.report.problems[0].text
    assert session.report.verdict == "truncated"


def test_a_job_that_is_started_again_writes_over_its_own_chunks_and_is_read_again(place: Cloud, seen: Seen) -> None:
    with opening(place, seen) as session:
        process = start(session, "pipes.log.info('first life'); time.sleep(600)")
        seen.wait_for("first life")
        process.kill()
        process.wait(WAIT)
        run(session, "pipes.log.info('the second life')")
    assert seen.logs == ["first life", "the second life"]
    assert "overwritten" in problems(session)
    assert session.report.verdict == "truncated"  # what the first life stored later may be gone


def test_two_jobs_that_write_to_one_place_are_never_called_complete(place: Cloud, seen: Seen) -> None:
    with opening(place, seen) as session:
        first, second = channel(session), channel(session)
        first(1, OPENED, log("one"))
        seen.wait_for("one")
        second(1, OPENED, log("the other"))
        first(2, log("one goes on"), CLOSED)
        second(2, log("the other goes on"), CLOSED)
    assert "overwritten" in problems(session)
    assert session.report.verdict == "truncated"
    assert {"one", "the other", "the other goes on"} <= set(seen.logs)


def test_what_an_official_job_cannot_serialize_is_a_missing_end(place: Cloud, seen: Seen, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with opening(place, seen) as session:
        process = start(
            session, f"pipes.log.info('good'); wait_for({str(told)!r}); pipes.report_custom_message(object())"
        )
        seen.wait_for("good")
        told.touch()
        process.wait(WAIT)  # it says that all went well
    assert process.returncode == 0
    assert seen.logs == ["good"]
    assert session.report.verdict == "truncated"


# --- odd messages -------------------------------------------------------------------------------------

ODD = {
    "no object": "[1, 2]",
    "no JSON": '{"__dagster_pipes_version": "0.1", "method": "log", "par',
    "no version": '{"method": "log", "params": {"message": "unversioned", "level": "INFO"}}',
    "an unknown method": message("dance"),
    "a missing key": message("report_custom_message"),
    "an extra key": message("log", message="a", level="INFO", colour="red"),
    "an unknown level": message("log", message="a", level="NOTICE"),
    "an unknown severity": message(
        "report_asset_check", asset_key="orders", check_name="c", passed=True, severity="MILD", metadata=None
    ),
    "an unknown metadata type": message(
        "report_asset_materialization",
        asset_key="orders",
        data_version=None,
        metadata={"a": {"raw_value": 1, "type": "job"}},
    ),
    "an unknown stream": message("log_external_stream", stream="stdlog", text="a", extras={}),
}


def test_each_odd_message_is_named_and_stepped_over(place: Cloud, seen: Seen) -> None:
    import boto3

    with opening(place, seen) as session:
        params: Any = session.get_bootstrap_params()["DAGSTER_PIPES_MESSAGES"]
        lines = [json.dumps(OPENED)]
        for name, odd in ODD.items():
            lines += [odd if isinstance(odd, str) else json.dumps(odd), json.dumps(log(f"after {name}"))]
        lines += ["", "  ", json.dumps(log("after blank lines")) + "\r", json.dumps(CLOSED), ""]
        body = "\n".join(lines).encode()
        boto3.client("s3").put_object(Bucket=params["bucket"], Key=f"{params['key_prefix']}/1.json", Body=body)
    assert seen.logs == [*(f"after {name}" for name in ODD), "after blank lines"]
    assert problems(session) == ["malformed"] * len(ODD)
    assert session.report.closed


def test_a_custom_level_of_an_official_job_costs_that_line_alone(place: Cloud, seen: Seen) -> None:
    with opening(place, seen) as session:
        run(
            session,
            "import logging; pipes.log.log(25, 'unnamed'); logging.addLevelName(26, 'NOTICE')\n"
            "pipes.log.log(26, 'named'); pipes.log.info('plain')",
        )
    assert seen.logs == ["unnamed", "plain"]
    assert [problem.text for problem in session.report.problems] == ["log: `level`: unknown log level: 'NOTICE'"]


# --- other languages ----------------------------------------------------------------------------------

V = '"__dagster_pipes_version":"0.1"'
JAVA = (
    f'{{{V},"method":"opened","params":{{"extras":{{}}}}}}\n'
    f'{{{V},"method":"report_custom_message","params":{{"payload":"NaN"}}}}\n'
    f'{{{V},"method":"log","params":{{"message":"é \u2028 \u0085 🙂","level":"INFO"}}}}\n'
    f'{{{V},"method":"closed","params":{{"exception":{{"message":"m","stack":["s"],"name":"a.b.C",'
    '"cause":{"message":"n","stack":null,"name":"D","cause":null,"context":[]},"context":[]}}}\n'
)
RUST = (
    f'{{"params":{{"extras":{{}}}},"method":"opened",{V}}}\n'
    f'{{"method":"log",{V},"params":{{"level":"INFO","message":"é \u2028 \u0085 🙂"}}}}\n'
    f'{{"params":null,"method":"closed",{V}}}\n'
)
TYPESCRIPT = (
    f'{{{V},"method":"opened","params":{{"extras":{{}}}}}}\n'
    f'{{{V},"method":"log","params":{{"message":"é \u2028 \u0085 🙂","level":"INFO"}}}}\n'
    f'{{{V},"method":"closed","params":{{"exception":{{"message":"Error","stack":[],"name":null,"cause":null,'
    '"context":null}}}\n'
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [(JAVA, "failed"), (RUST, "complete"), (TYPESCRIPT, "failed")],
    ids=["Java", "Rust", "TypeScript"],
)
def test_the_bytes_of_other_languages_are_read(text: str, verdict: str, place: Cloud, seen: Seen) -> None:
    """As their packages write them: compact, raw UTF-8, any order of keys, a newline after the last message."""
    import boto3

    with opening(place, seen) as session:
        params: Any = session.get_bootstrap_params()["DAGSTER_PIPES_MESSAGES"]
        key = f"{params['key_prefix']}/1.json"
        boto3.client("s3").put_object(Bucket=params["bucket"], Key=key, Body=text.encode())
    assert seen.logs == ["é \u2028 \u0085 🙂"]
    assert (session.report.verdict, problems(session)) == (verdict, [])
