from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clock import SYSTEM_CLOCK
from blobpipes.errors import (
    DagsterPipesError,
    FencedError,
    InvalidUrlError,
    LogSealedError,
    StoreDeniedError,
    UndeliveredError,
)
from blobpipes.orchestration.blob_store_reader import PipesBlobStoreMessageReader
from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.message_readers import PipesCompositeMessageReader
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.session import PipesSession
from blobpipes.storage.open import open_store
from blobpipes.wire.messages import encode_message
from blobpipes.wire.params import PipesParams
from tests.orchestration.jobs import (
    WAIT,
    chunk_writer,
    closed,
    custom,
    failed,
    in_thread,
    line,
    log,
    made,
    opened,
    put_chunks,
    recorded_run,
    whole_job,
)


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file://{tmp_path}/lake" if request.param == "file" else f"memory://{tmp_path.name}"


def opened_with(reader: Any, **options: Any) -> Any:
    return open_pipes_session(recorded_run()[0], PipesEnvContextInjector(), reader, **options)


def official_chunk(*messages: Any) -> bytes:
    return b"".join(line(message) for message in messages)[:-1]


# --- by URL ---------------------------------------------------------------------------------------------


def test_messages_come_in_order_whatever_the_chunks_are(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url)) as session:
        put_chunks(session.message_reader_params, *map(custom, range(500)), max_messages=7)
    assert session.get_custom_messages() == tuple(range(500))
    assert session.report.verdict == "complete"
    assert session.report.chunks in (72, 73)  # `opened` may already have gone alone


def test_several_thousand_waiting_chunks_are_read_to_the_end_whatever_the_interval_is(tmp_path: Path) -> None:
    with opened_with(PipesBlobStoreMessageReader(f"file://{tmp_path}", interval="1h")) as session:
        place = Path(session.message_reader_params["path"])
        messages = whole_job(*map(custom, range(5000)))
        for number, message in enumerate(messages, 1):
            (place / f"{number}.json").write_bytes(line(message))
    assert session.get_custom_messages() == tuple(range(5000))
    assert session.report.verdict == "complete"
    assert session.report.chunks == 5002


def test_results_are_there_while_the_job_runs(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url, interval="50ms")) as session:
        writer = chunk_writer(session.message_reader_params)
        writer.open(encode_message(opened()))
        results = session.iter_results()
        writer.write(encode_message(made(rows=1)), urgent=True)
        assert next(results).values == {"rows": 1}
        writer.write(encode_message(made("other")))
        writer.close(encode_message(closed()))
        assert [result.asset_key for result in results] == ["other"]


def test_a_job_that_failed_and_one_that_died_are_told_apart(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url)) as session:
        writer = chunk_writer(session.message_reader_params)
        writer.open(encode_message(opened()))
        writer.close(encode_message(failed()), failed=True)
    assert session.report.verdict == "failed"
    with opened_with(PipesBlobStoreMessageReader(url), on_incomplete="warn") as session:
        writer = chunk_writer(session.message_reader_params)
        writer.open(encode_message(opened()))
        writer.write(encode_message(made()), urgent=True)
        assert next(session.iter_results()).asset_key == "orders"
    assert session.report.verdict == "truncated"
    assert "is number 2" in session.report.detail
    with pytest.raises((FencedError, UndeliveredError)):  # the reader has ended the log, so nobody is misled
        writer.close(encode_message(closed()))


def test_a_process_that_comes_after_the_end_is_refused(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url)) as session:
        params = session.message_reader_params
        put_chunks(params)
    late = chunk_writer(params, close_timeout=WAIT)
    late.open(encode_message(opened()))
    with pytest.raises(LogSealedError):
        late.close(encode_message(closed()))


def test_a_restart_continues_the_log_if_it_was_announced(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url, restarts=1)) as session:
        params = session.message_reader_params
        assert params["blobpipes"]["restarts"] == 1
        first = chunk_writer(params)
        first.open(encode_message(opened()))
        first.write(encode_message(made(rows=1)))
        results = session.iter_results()
        first.close(encode_message(failed()), failed=True)
        in_thread(lambda: put_chunks(params, made(rows=2), made("other")))
        *_, last = results
        assert last.asset_key == "other"
    assert session.report.verdict == "complete"
    assert len(session.get_results()) == 2
    assert session.report.writers[0].opened == 2


def our_threads() -> int:
    return sum("blobpipes" in thread.name for thread in threading.enumerate())


def test_one_reader_serves_many_sessions_at_once_and_threads_do_not_grow_with_them(tmp_path: Path) -> None:
    reader = PipesBlobStoreMessageReader(f"file://{tmp_path}", interval="100ms")

    @contextmanager
    def several(count: int) -> Iterator[list[PipesSession]]:
        if count == 0:
            yield []
            return
        with opened_with(reader) as session, several(count - 1) as others:
            yield [session, *others]

    before = our_threads()  # of other tests
    with several(8) as few:
        for session in few:
            put_chunks(session.message_reader_params)
    with several(50) as sessions:
        assert len({session.name for session in sessions}) == 50
        for number, session in enumerate(sessions):
            put_chunks(session.message_reader_params, custom(number))
            assert session.wait_for_close(WAIT)
        # 1 poller and at most 8 + 8 shared workers, of which the first sessions have started some
        assert our_threads() - before <= 17
    assert [session.get_custom_messages() for session in sessions] == [(number,) for number in range(50)]


def test_what_the_store_can_do_is_asked_once_per_process(tmp_path: Path) -> None:
    puts = []
    for _ in range(3):
        with opened_with(PipesBlobStoreMessageReader(f"file://{tmp_path}/x")) as session:
            put_chunks(session.message_reader_params)
        puts.append(session.report.requests["put"])
    assert puts == [2, 1, 1]


def test_a_malformed_message_in_a_chunk_is_named_with_its_chunk(tmp_path: Path) -> None:
    with opened_with(PipesBlobStoreMessageReader(f"file://{tmp_path}")) as session:
        place = Path(session.message_reader_params["path"])
        (place / "1.json").write_bytes(line(opened()) + b'{"__dagster_pipes_version": "0.1", "method": "dance"}\n7')
        (place / "2.json").write_bytes(line(made()) + line(closed()))
    assert [problem.chunk for problem in session.report.problems if problem.kind == "malformed"] == [1, 1]
    assert session.report.verdict == "complete"
    assert len(session.get_results()) == 1


def test_chunks_of_the_official_writer_are_read_as_they_are(url: str) -> None:
    with opened_with(PipesBlobStoreMessageReader(url)) as session:
        store = open_store(session.url or "")
        store.put("1.json", official_chunk(opened(), made()))
        store.put("2.json", official_chunk(log("a"), closed()))
        store.put("3.json", official_chunk(log("captured late")))
    assert session.report.verdict == "complete"
    assert session.report.messages == 5


def test_a_store_that_disappears_is_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "lake").touch()
    with pytest.raises(Exception, match="lake") as caught, opened_with(PipesBlobStoreMessageReader(f"{tmp_path}/lake")):
        pytest.fail("the block must not be entered")
    assert type(caught.value).__module__ == "blobpipes.errors"


def test_a_reader_without_url_and_hooks_is_refused() -> None:
    with pytest.raises(InvalidUrlError):
        PipesBlobStoreMessageReader()


def test_a_store_without_atomic_create_is_told_to_the_job(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from blobpipes.storage import capabilities

    monkeypatch.setattr(capabilities, "promises_atomic_create", lambda store: False)
    context, recorder = recorded_run()
    reader = PipesBlobStoreMessageReader(f"{url}/weak")
    with open_pipes_session(context, PipesEnvContextInjector(), reader) as session:
        assert session.message_reader_params["blobpipes"]["create"] is False
        put_chunks(session.message_reader_params)
    assert "single-writer guarantees only" in recorder.text
    assert session.report.verdict == "complete"


def test_an_empty_session_adds_little_to_starting_python(tmp_path: Path) -> None:
    def seconds() -> float:
        start = SYSTEM_CLOCK.monotonic()
        with opened_with(PipesBlobStoreMessageReader(f"file://{tmp_path}")) as session:
            put_chunks(session.message_reader_params)
        assert session.report.verdict == "complete"
        return SYSTEM_CLOCK.monotonic() - start

    assert min(seconds() for _ in range(5)) < 3  # about 0.01 on a quiet machine; whoever waits for a look waits for 10


# --- by hooks -------------------------------------------------------------------------------------------


class Shelf(PipesBlobStoreMessageReader):
    """A custom reader as the guide writes it: chunks in a place that no URL names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.chunks: dict[tuple[str, int], str] = {}
        self.asked: list[int] = []
        self.made = 0

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        self.made += 1
        yield {"key_prefix": f"shelf-{self.made}"}

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        self.asked.append(index)
        return self.chunks.get((params["key_prefix"], index))

    def put(self, params: PipesParams, index: int, *messages: Any) -> None:
        self.chunks[params["key_prefix"], index] = official_chunk(*messages).decode()

    def no_messages_debug_text(self) -> str:
        return "Looked on the shelf."


def test_a_custom_reader_of_the_guide_works_as_it_is() -> None:
    shelf = Shelf(interval=0.05)
    with opened_with(shelf) as session:
        shelf.put(session.message_reader_params, 1, opened(), made(rows=1))
        assert next(session.iter_results()).values == {"rows": 1}
        for number in range(2, 40):
            shelf.put(session.message_reader_params, number, custom(number))
        shelf.put(session.message_reader_params, 40, closed())
    assert session.report.verdict == "complete"
    assert session.get_custom_messages() == tuple(range(2, 40))
    assert session.message_reader_params == {"key_prefix": "shelf-1"}


def test_a_custom_reader_serves_several_sessions() -> None:
    shelf = Shelf(interval=0.05)
    with opened_with(shelf) as first, opened_with(shelf) as second:
        shelf.put(second.message_reader_params, 1, *whole_job(custom("second")))
        shelf.put(first.message_reader_params, 1, *whole_job(custom("first")))
    assert (first.get_custom_messages(), second.get_custom_messages()) == (("first",), ("second",))


def test_a_hook_that_fails_is_asked_again_and_reported() -> None:
    class Fragile(Shelf):
        failures = 2

        def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
            if self.failures:
                self.failures -= 1
                raise TimeoutError("?sig=geheim&x=1")
            return super().download_messages_chunk(index, params)

    shelf = Fragile(interval=0.05)
    with opened_with(shelf) as session:
        shelf.put(session.message_reader_params, 1, *whole_job(made()))
    assert session.report.verdict == "complete"
    [problem] = session.report.problems
    assert problem.kind == "store"
    assert "download_messages_chunk of Fragile failed at chunk 1: TimeoutError" in problem.text
    assert "geheim" not in problem.text


def test_a_hook_is_given_what_the_launcher_told() -> None:
    seen: list[PipesParams] = []

    class Looks(Shelf):
        def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
            seen.append(params)
            return official_chunk(*whole_job()).decode() if "job_id" in params and index == 1 else None

    with opened_with(Looks(interval=0.05)) as session:
        session.report_launched({"job_id": "j-1"})
        assert session.wait_for_close(WAIT)
    assert seen[-1] == {"key_prefix": "shelf-1", "job_id": "j-1"}


def test_a_subclass_without_get_params_is_told_so() -> None:
    class Half(PipesBlobStoreMessageReader):
        def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
            return None

    with pytest.raises(DagsterPipesError, match="Half has neither a URL nor get_params"), opened_with(Half()):
        pytest.fail("the block must not be entered")


def test_params_can_be_added_to_those_of_a_url(url: str) -> None:
    class Tagged(PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self) -> Iterator[PipesParams]:
            with super().get_params() as params:
                yield {**params, "tag": "x"}

    with opened_with(Tagged(url)) as session:
        assert session.message_reader_params["tag"] == "x"
        put_chunks(session.message_reader_params)
    assert session.report.verdict == "complete"


# --- several writers ------------------------------------------------------------------------------------


def test_several_writers_each_have_their_own_params_and_close_by_themselves(url: str) -> None:
    reader = PipesCompositeMessageReader([PipesBlobStoreMessageReader(url), PipesBlobStoreMessageReader(url)])
    with opened_with(reader) as session:
        first, second = session.message_reader_params["dagster_pipes_composite_writers"]
        assert len(session.get_per_writer_bootstrap_env_vars()) == 2
        assert session.get_per_writer_bootstrap_env_vars()[0] != session.get_per_writer_bootstrap_env_vars()[1]
        put_chunks(first, made("a"))
        assert not session.wait_for_close(0.0)
        in_thread(lambda: put_chunks(second, made("b"), made("a")))
        assert session.wait_for_close(WAIT)
    assert session.report.verdict == "complete"
    assert sorted(result.asset_key for result in session.get_results()) == ["a", "a", "b"]
    assert [writer.opened for writer in session.report.writers] == [1, 1]
    assert session.report.requests["put"] >= 2  # each writes a descriptor, and both count


def test_of_several_writers_the_worst_decides_and_is_named(url: str) -> None:
    reader = PipesCompositeMessageReader([PipesBlobStoreMessageReader(url) for _ in range(3)])
    with opened_with(reader, on_incomplete="warn") as session:
        first, second, third = session.message_reader_params["dagster_pipes_composite_writers"]
        put_chunks(first)
        writer = chunk_writer(second)
        writer.open(encode_message(opened()))
        writer.close(encode_message(failed()), failed=True)
        put_chunks(third, close=False)
        writer.close(encode_message(closed()))
    assert [writer.verdict for writer in session.report.writers][:2] == ["complete", "failed"]
    assert session.report.verdict == "truncated"
    assert session.report.detail.startswith("Writer 2: ")
    assert json.dumps(session.report.to_dict())


def test_each_reader_of_several_hears_of_its_own_process_only() -> None:
    heard: list[tuple[str, Any]] = []

    class Listens(Shelf):
        def on_opened(self, opened_payload: Any) -> None:
            heard.append((self.tag, opened_payload["extras"]))

        tag = ""

    shelves = [Listens(interval=0.05), Listens(interval=0.05)]
    for tag, shelf in zip("ab", shelves, strict=True):
        shelf.tag = tag
    with opened_with(PipesCompositeMessageReader(shelves)) as session:
        for shelf, params in zip(
            shelves, session.message_reader_params["dagster_pipes_composite_writers"], strict=True
        ):
            shelf.put(params, 1, opened({"of": shelf.tag}), closed())
    assert sorted(heard) == [("a", {"of": "a"}), ("b", {"of": "b"})]


def test_composing_nothing_or_composites_is_refused() -> None:
    with pytest.raises(DagsterPipesError, match="at least one"):
        PipesCompositeMessageReader([])
    inner = PipesCompositeMessageReader([Shelf(), Shelf()])
    with pytest.raises(DagsterPipesError, match="readers of one writer"):
        PipesCompositeMessageReader([inner])


def test_a_refused_store_is_said_before_the_block(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from blobpipes.orchestration import blob_store_reader

    def refuse(*args: Any) -> Any:
        raise StoreDeniedError("cannot put _bp/session.json: AccessDenied")

    monkeypatch.setattr(blob_store_reader, "probe", refuse)
    with pytest.raises(StoreDeniedError), opened_with(PipesBlobStoreMessageReader(f"{url}/refused")):
        pytest.fail("the block must not be entered")
