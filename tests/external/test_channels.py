"""The channels that need no store: bytes, order and what happens when something cannot be written."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import dagster_pipes
import pytest

from blobpipes.errors import DagsterPipesError, UnserializableError
from blobpipes.external.channels import (
    PipesBufferedStreamMessageWriterChannel,
    PipesFileMessageWriterChannel,
    PipesMessageWriterChannel,
    PipesStreamMessageWriterChannel,
)
from blobpipes.wire.messages import PipesMessage, closed, custom, log, opened
from tests.external.launching import messages_of

EXCHANGE: list[PipesMessage] = [opened(), log("hé"), closed()]
GOLDEN = (  # an exchange of the official package: docs/protocol.md
    '{"__dagster_pipes_version": "0.1", "method": "opened", "params": {"extras": {}}}\n'
    '{"__dagster_pipes_version": "0.1", "method": "log", "params": {"message": "h\\u00e9", "level": "INFO"}}\n'
    '{"__dagster_pipes_version": "0.1", "method": "closed", "params": {}}\n'
)


def test_a_file_gets_the_official_bytes_and_is_made_if_missing(tmp_path: Path) -> None:
    channel = PipesFileMessageWriterChannel(str(tmp_path / "messages"))
    for message in EXCHANGE:
        channel.write_message(message)
    assert (tmp_path / "messages").read_bytes() == GOLDEN.encode()


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "messages").write_text("before\n")
    PipesFileMessageWriterChannel(str(tmp_path / "messages")).write_message(opened())
    assert (tmp_path / "messages").read_text().startswith("before\n{")


def test_a_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    channel = PipesFileMessageWriterChannel(str(tmp_path / "absent" / "messages"))
    with pytest.raises(DagsterPipesError, match="folder does not exist"):
        channel.write_message(opened())


def test_a_stream_gets_the_official_bytes_each_message_at_once() -> None:
    binary = io.BytesIO()
    stream = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
    channel = PipesStreamMessageWriterChannel(stream)
    channel.write_message(EXCHANGE[0])
    assert binary.getvalue().decode() == GOLDEN.splitlines(keepends=True)[0]
    for message in EXCHANGE[1:]:
        channel.write_message(message)
    assert binary.getvalue().decode() == GOLDEN


def test_a_buffered_stream_gets_everything_at_the_flush() -> None:
    stream = io.StringIO()
    channel = PipesBufferedStreamMessageWriterChannel(stream)
    for message in EXCHANGE:
        channel.write_message(message)
    assert stream.getvalue() == ""
    channel.flush()
    channel.flush()
    assert stream.getvalue() == GOLDEN


@pytest.fixture(params=["file", "stream", "buffered"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> PipesMessageWriterChannel:
    if request.param == "file":
        return PipesFileMessageWriterChannel(str(tmp_path / "messages"))
    if request.param == "stream":
        return PipesStreamMessageWriterChannel(io.StringIO())
    return PipesBufferedStreamMessageWriterChannel(io.StringIO())


def written(channel: Any) -> str:
    if isinstance(channel, PipesFileMessageWriterChannel):
        path = Path(channel._path)
        return path.read_text() if path.exists() else ""
    if isinstance(channel, PipesBufferedStreamMessageWriterChannel):
        channel.flush()
    return channel._stream.getvalue()


def test_a_message_that_cannot_become_json_raises_and_leaves_nothing_behind(
    channel: PipesMessageWriterChannel,
) -> None:
    channel.write_message(EXCHANGE[0])
    with pytest.raises(UnserializableError, match=r"payload\['a'\]\[1\] \(object\)"):
        channel.write_message(custom({"a": [1, object()]}))
    for message in EXCHANGE[1:]:
        channel.write_message(message)
    assert written(channel) == GOLDEN


def test_nothing_is_written_after_closed(channel: PipesMessageWriterChannel) -> None:
    for message in EXCHANGE:
        channel.write_message(message)
    with pytest.raises(DagsterPipesError, match="after `closed`"):
        channel.write_message(log("late"))
    assert written(channel) == GOLDEN


def test_messages_of_many_threads_are_whole_and_in_order_per_thread(channel: PipesMessageWriterChannel) -> None:
    def report(thread: int) -> None:
        for number in range(50):
            channel.write_message(log(f"{thread} {number} {'x' * 500}"))

    threads = [threading.Thread(target=report, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [each["params"]["message"].split() for each in messages_of(written(channel).splitlines())]
    for thread_number in range(8):
        assert [int(n) for t, n, _ in texts if int(t) == thread_number] == list(range(50))


def test_sources_are_stopped_once_and_the_newest_first(channel: PipesMessageWriterChannel) -> None:
    stopped: list[str] = []
    channel.add_source(lambda: stopped.append("first"))
    channel.add_source(lambda: stopped.append("second"))
    channel.stop_sources()
    channel.stop_sources()
    assert stopped == ["second", "first"]


def test_the_official_file_channel_writes_the_same_bytes(tmp_path: Path) -> None:
    messages: list[Any] = [
        *EXCHANGE,
        custom({"nan": float("nan"), "surrogate": "\ud800", "emoji": "😀", "n": [1.0, 1]}),
    ]
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for message in messages[::-1]:
        dagster_pipes.PipesFileMessageWriterChannel(str(theirs)).write_message(message)
        PipesFileMessageWriterChannel(str(ours)).write_message(message)
    assert ours.read_bytes() == theirs.read_bytes()
