"""Messages as numbered chunks: the bytes, the options, and users' own channels."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import (
    DagsterPipesError,
    FencedError,
    InvalidOptionError,
    LogSealedError,
    UndeliveredError,
    UnserializableError,
)
from blobpipes.external.blob_store_channel import (
    PipesBlobStoreMessageWriterChannel,
    PipesBufferedFilesystemMessageWriterChannel,
    _is_urgent,
)
from blobpipes.external.context import PipesContext
from blobpipes.external.context_loaders import PipesDefaultContextLoader
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter, PipesMessageWriter
from blobpipes.wire.messages import (
    PipesMessage,
    asset_check,
    asset_materialization,
    closed,
    custom,
    external_stream,
    log,
    opened,
)
from tests.external.launching import chunks_in, loader, messages_in, messages_of, methods, negotiated
from tests.external.test_channels import GOLDEN


def write_exchange(writer: PipesMessageWriter[Any], params: dict[str, Any]) -> None:
    with writer.open(params) as channel:
        for message in (opened(writer.get_opened_extras()), log("hé"), closed()):
            channel.write_message(message)


def test_with_an_official_reader_and_strict_bytes_not_one_byte_is_ours(tmp_path: Path) -> None:
    write_exchange(PipesBlobStoreMessageWriter(strict_bytes=True), {"path": str(tmp_path)})
    assert "\n".join(chunks_in(tmp_path)) == GOLDEN.removesuffix("\n")


def test_with_an_official_reader_only_ignored_keys_are_added(tmp_path: Path) -> None:
    write_exchange(PipesBlobStoreMessageWriter(), {"path": str(tmp_path), "include_stdio_in_messages": False})
    first, *others = messages_in(tmp_path)
    own = first["params"]["extras"].pop("blobpipes")
    assert set(own) == {"v", "w", "host", "pid"}
    assert first.pop("__blobpipes")["w"] == own["w"]
    for each in others:
        each.pop("__blobpipes", None)
    assert [first, *others] == [json.loads(line) for line in GOLDEN.splitlines()]


def test_with_our_own_reader_chunks_have_headers_and_opened_tells_nothing_extra(tmp_path: Path) -> None:
    write_exchange(PipesBlobStoreMessageWriter(), negotiated(tmp_path))
    headers = [json.loads(chunk.split("\n")[0])["blobpipes"] for chunk in chunks_in(tmp_path)]
    assert headers[0]["fl"][0:] == ["open"] or headers[0]["fl"] == ["end", "open"]
    assert "end" in headers[-1]["fl"]
    assert messages_in(tmp_path) == [json.loads(line) for line in GOLDEN.splitlines()]


def test_a_close_with_an_exception_is_flagged_as_failed(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any]().open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        channel.write_message(closed({"message": "x", "stack": [], "name": "X", "cause": None, "context": None}))
    assert "fail" in json.loads(chunks_in(tmp_path)[-1].split("\n")[0])["blobpipes"]["fl"]


def test_a_message_that_cannot_become_json_raises_and_harms_no_other(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any]().open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        channel.write_message(log("before"))
        with pytest.raises(UnserializableError, match=r"payload\['socket'\]"):
            channel.write_message(custom({"socket": object()}))
        channel.write_message(log("after"))
        channel.write_message(closed())
    assert methods(messages_in(tmp_path)) == ["opened", "log", "log", "closed"]


def test_a_mutable_payload_is_sent_as_it_was_when_it_was_reported(tmp_path: Path) -> None:
    payload = {"rows": 1}
    with PipesBlobStoreMessageWriter[Any]().open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        channel.write_message(custom(payload))
        payload["rows"] = 2
        channel.write_message(closed())
    assert messages_in(tmp_path)[1]["params"]["payload"] == {"rows": 1}


def test_opened_is_stored_at_once(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any](interval="1h").open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        assert channel._writer is not None
        assert channel._writer.flush(20.0)
        assert methods(messages_in(tmp_path)) == ["opened"]
        channel.write_message(closed())


@pytest.mark.parametrize(
    ("message", "urgent"),
    [
        (asset_materialization("a"), True),
        (asset_check("a", "c", True), True),
        (log("x", "ERROR"), True),
        (log("x", "CRITICAL"), True),
        (log("x", "WARNING"), False),
        (log("x"), False),
        (custom({}), False),
        (external_stream("stderr", "x"), False),
    ],
)
def test_results_and_errors_are_urgent_and_nothing_else(message: PipesMessage, urgent: bool) -> None:
    assert _is_urgent(message) is urgent


def test_a_channel_left_without_closed_stores_what_it_took_and_invents_nothing(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any]().open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        channel.write_message(log("last"))
    assert methods(messages_in(tmp_path)) == ["opened", "log"]


def test_a_channel_can_only_be_written_while_its_loop_runs(tmp_path: Path) -> None:
    channel = PipesBufferedFilesystemMessageWriterChannel(str(tmp_path))
    with pytest.raises(DagsterPipesError, match="not open"):
        channel.write_message(opened())
    with channel.buffered_upload_loop():
        channel.write_message(opened())
    with pytest.raises(DagsterPipesError, match="not open"):
        channel.write_message(log("late"))
    assert methods(messages_in(tmp_path)) == ["opened"]


def test_nothing_is_taken_after_closed(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any]().open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        channel.write_message(closed())
        with pytest.raises(DagsterPipesError, match="after `closed`"):
            channel.write_message(log("late"))
    assert methods(messages_in(tmp_path)) == ["opened", "closed"]


def test_a_log_that_has_ended_refuses_a_second_process(tmp_path: Path) -> None:
    write_exchange(PipesBlobStoreMessageWriter(), negotiated(tmp_path))
    with pytest.raises(LogSealedError):
        write_exchange(PipesBlobStoreMessageWriter(), negotiated(tmp_path))
    assert methods(messages_in(tmp_path)) == ["opened", "log", "closed"]


def test_many_threads_keep_their_order(tmp_path: Path) -> None:
    writer = PipesBlobStoreMessageWriter[Any](max_messages=64)

    def report(channel: Any, thread: int) -> None:
        for number in range(100):
            channel.write_message(custom([thread, number]))

    with writer.open(negotiated(tmp_path)) as channel:
        channel.write_message(opened())
        threads = [threading.Thread(target=report, args=(channel, thread)) for thread in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        channel.write_message(closed())
    payloads = [each["params"]["payload"] for each in messages_in(tmp_path)[1:-1]]
    for thread_number in range(6):
        assert [n for t, n in payloads if t == thread_number] == list(range(100))


def test_the_interval_is_known_once_the_params_are(tmp_path: Path) -> None:
    writer = PipesBlobStoreMessageWriter[Any]()
    assert writer.interval == 10.0
    with writer.open(negotiated(tmp_path, options={"interval": 2.5})) as channel:
        assert writer.interval == 2.5
        assert channel.options.interval == 2.5


def test_an_argument_wins_over_the_params(tmp_path: Path) -> None:
    with PipesBlobStoreMessageWriter[Any](interval=3).open(negotiated(tmp_path, options={"interval": 2})) as channel:
        assert channel.options.interval == 3


@pytest.mark.parametrize("arguments", [{"url": "s3://?intervall=1s"}, {"interval": "soon"}, {"heartbeet": 1}])
def test_a_wrong_option_is_refused_at_construction(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        PipesBlobStoreMessageWriter(**arguments)


def test_what_a_process_could_not_deliver_is_delivered_by_the_next_one_of_the_same_log(tmp_path: Path) -> None:
    (tmp_path / "away").write_text("a file where the folder of the chunks should be")
    params = negotiated(tmp_path / "away")
    with pytest.raises(UndeliveredError):
        write_exchange(PipesBlobStoreMessageWriter(close_timeout=0.1), params)
    (tmp_path / "away").unlink()
    write_exchange(PipesBlobStoreMessageWriter(), params)
    assert methods(messages_in(tmp_path / "away")) == 2 * ["opened", "log", "closed"]


# --- users' own channels, as the official guide writes them ---------------------------------------------


class Cloud:
    """A service that somebody has a client for."""

    def __init__(self, *faults: BaseException | None) -> None:
        self.objects: dict[str, str] = {}
        self.calls: list[str] = []
        self._faults = iter(faults)

    def write(self, key: str, text: str) -> None:
        self.calls.append(key)
        fault = next(self._faults, None)
        if fault is not None:
            raise fault
        self.objects[key] = text


class CloudWriter(PipesBlobStoreMessageWriter["CloudChannel"]):
    def __init__(self, cloud: Cloud) -> None:  # does not call the base's
        self.cloud = cloud

    def make_channel(self, params: Any) -> CloudChannel:
        return CloudChannel(self.cloud, key_prefix=params["key_prefix"])


class CloudChannel(PipesBlobStoreMessageWriterChannel):
    def __init__(self, cloud: Cloud, key_prefix: str) -> None:
        super().__init__()
        self.cloud = cloud
        self.key_prefix = key_prefix

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        self.cloud.write(f"{self.key_prefix}/{index}.json", payload.read())


def test_the_guides_hooks_store_chunks() -> None:
    cloud = Cloud()
    context = PipesContext(loader({"key_prefix": "p"}), PipesDefaultContextLoader(), CloudWriter(cloud))
    with context:
        context.log.info("hé")
    assert sorted(cloud.objects) == [f"p/{n}.json" for n in range(1, len(cloud.objects) + 1)]
    lines = "\n".join(text for _, text in sorted(cloud.objects.items())).split("\n")
    assert methods(messages_of(lines)) == ["opened", "log", "closed"]
    assert not any(line.startswith('{"blobpipes"') for line in lines)


def test_a_hook_that_fails_is_called_again_with_the_same_chunk() -> None:
    cloud = Cloud(ConnectionError("reset"), ConnectionError("reset"))
    write_exchange(CloudWriter(cloud), {"key_prefix": "p"})
    assert cloud.calls[:3] == ["p/1.json"] * 3
    lines = "\n".join(text for _, text in sorted(cloud.objects.items())).split("\n")
    assert methods(messages_of(lines)) == ["opened", "log", "closed"]


def test_a_lost_reply_of_a_create_only_service_is_no_foreign_chunk() -> None:
    class LostReply(Cloud):
        def write(self, key: str, text: str) -> None:
            if key in self.objects:
                raise FileExistsError(key)
            super().write(key, text)
            if key == "p/1.json":
                raise TimeoutError("no reply")

    cloud = LostReply()
    write_exchange(CloudWriter(cloud), {"key_prefix": "p"})
    lines = "\n".join(text for _, text in sorted(cloud.objects.items())).split("\n")
    assert methods(messages_of(lines)) == ["opened", "log", "closed"]


def test_a_foreign_chunk_under_the_first_number_is_an_error() -> None:
    class Taken(Cloud):
        def write(self, key: str, text: str) -> None:
            raise FileExistsError(key)

    with pytest.raises(FencedError):
        write_exchange(CloudWriter(Taken()), {"key_prefix": "p"})


def test_a_hook_that_always_fails_ends_in_an_error_that_counts_and_does_not_show_secrets() -> None:
    class Broken(Cloud):
        def write(self, key: str, text: str) -> None:
            raise RuntimeError("https://host/x?sig=canary&a=b password=canary")

    class ImpatientWriter(CloudWriter):
        _given = {"close_timeout": 0.2}

    with pytest.raises(UndeliveredError) as caught:
        write_exchange(ImpatientWriter(Broken()), {"key_prefix": "p"})
    assert caught.value.count == 3
    assert "RuntimeError" in str(caught.value.__cause__)
    assert "canary" not in f"{caught.value} {caught.value.__cause__}"


def test_a_channel_can_be_used_by_a_writer_of_ones_own(tmp_path: Path) -> None:
    class Writer(PipesMessageWriter[PipesBlobStoreMessageWriterChannel]):
        @contextmanager
        def open(self, params: Any) -> Iterator[PipesBlobStoreMessageWriterChannel]:
            channel = PipesBufferedFilesystemMessageWriterChannel(params["path"], interval=1.0)
            with channel.buffered_upload_loop():
                yield channel

        def get_opened_extras(self) -> dict[str, Any]:
            return {"machine": "big"}

    write_exchange(Writer(), {"path": str(tmp_path)})
    messages = messages_in(tmp_path)
    assert methods(messages) == ["opened", "log", "closed"]
    assert messages[0]["params"]["extras"]["machine"] == "big"
