"""The threads around the cores: real threads, real stores, events instead of sleeps."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from blobpipes.chunklog.layout import chunk_key
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader import LogReader
from blobpipes.chunklog.reader_types import Delivered, LogEnd, Problem, ReaderSettings
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.errors import (
    DagsterPipesError,
    FencedError,
    LogSealedError,
    StoreDeniedError,
    StoreUnavailableError,
    UndeliveredError,
)
from blobpipes.orchestration.poller import Poller
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.store import ObjectInfo, Store
from tests.chunklog.world import message

OPENED, CLOSED = message("opened"), message("closed")


class Broken:
    """A store that answers every put with `error` while there is one."""

    def __init__(self, inner: Store, error: Exception | None) -> None:
        self._inner = inner
        self.error = error

    @property
    def url(self) -> str:
        return self._inner.url

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.error is not None:
            raise self.error
        return self._inner.put_if_absent(key, data)

    def put(self, key: str, data: bytes) -> None:
        self._inner.put(key, data)

    def get(self, key: str) -> bytes | None:
        return self._inner.get(key)

    def start_get(self, key: str) -> Future[bytes | None]:
        return self._inner.start_get(key)

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        self._inner.delete(key)


class Reading:
    """A reader on a poller of its own, and what it delivered."""

    def __init__(self, store: Store, settings: ReaderSettings | None = None, poller: Poller | None = None) -> None:
        self.lines: list[bytes] = []
        self.problems: list[Problem] = []
        self.some = threading.Event()
        self.reader = LogReader(
            store,
            scheduler=poller or Poller(),
            deliver=self._deliver,
            report=self.problems.append,
            settings=settings or ReaderSettings(LogOptions(interval=0.05)),
        )
        self.reader.start()

    def _deliver(self, messages: Sequence[Delivered]) -> None:
        self.lines += [each.line for each in messages]
        self.some.set()

    def finish(self) -> LogEnd:
        self.reader.process_gone()
        end = self.reader.wait(60)
        assert end is not None
        return end


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def test_messages_from_many_threads_arrive_in_each_threads_order(store: LocalStore) -> None:
    reading = Reading(store)
    writer = ChunkWriter(store, negotiated=True, options=LogOptions(interval=0.05, max_chunk=4096))
    writer.open(OPENED)

    def say(name: int) -> None:
        for number in range(500):
            writer.write(message("log", number, thread=name))

    threads = [threading.Thread(target=say, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close(CLOSED)
    end = reading.finish()
    assert (end.verdict, end.messages) == ("complete", 2002)
    for name in range(4):
        own = [line for line in reading.lines if b'"thread": %d}' % name in line]
        assert own == [message("log", number, thread=name) for number in range(500)]


def test_messages_are_delivered_while_the_process_runs(store: LocalStore) -> None:
    reading = Reading(store)
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)
    assert reading.some.wait(60)
    assert reading.lines == [OPENED]
    writer.close(CLOSED)
    assert reading.finish().verdict == "complete"


def test_close_raises_with_the_count_when_the_store_stays_away(store: LocalStore) -> None:
    broken = Broken(store, StoreUnavailableError("no route to host"))
    writer = ChunkWriter(broken, negotiated=True, options=LogOptions(close_timeout=0.2))
    writer.open(OPENED)
    with pytest.raises(UndeliveredError, match="2 messages were not delivered") as caught:
        writer.close(CLOSED)
    assert caught.value.count == 2
    assert caught.value.__cause__ is broken.error


def test_an_outage_is_outlived_and_told_once(store: LocalStore) -> None:
    broken = Broken(store, StoreUnavailableError("503"))
    warned = threading.Event()
    warnings: list[str] = []
    chance = iter(lambda: 0.0, 1.0).__next__

    def warn(text: str) -> None:
        warnings.append(text)
        broken.error = None
        warned.set()

    writer = ChunkWriter(broken, negotiated=True, on_warning=warn, chance=chance)
    writer.open(OPENED)
    assert warned.wait(60)
    writer.close(CLOSED)
    assert len(warnings) == 1
    assert "503" in warnings[0]
    assert Reading(store).finish().verdict == "complete"


def test_refused_credentials_are_told_at_once_and_named_at_the_end(store: LocalStore) -> None:
    warnings: list[str] = []
    broken = Broken(store, StoreDeniedError("403 for put"))
    writer = ChunkWriter(
        broken, negotiated=True, on_warning=warnings.append, options=LogOptions(close_timeout=0.1)
    )  # fmt: skip
    writer.open(OPENED)
    with pytest.raises(UndeliveredError, match="credentials"):
        writer.close(CLOSED)
    assert len(warnings) == 1


def test_a_fenced_writer_tells_the_next_call(store: LocalStore) -> None:
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)
    assert writer.flush(10)
    Reading(store).finish()  # the platform lies: this process is not gone
    writer.write(message("log"))
    with pytest.raises(FencedError, match="gone"):
        writer.flush(10)
    with pytest.raises(FencedError):
        writer.write(message("log"))
    with pytest.raises(FencedError):
        writer.close(CLOSED)


def test_a_fenced_process_that_ends_without_closing_is_told_what_is_lost(store: LocalStore) -> None:
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)
    assert writer.flush(30)
    Reading(store).finish()
    writer.write(message("log"))
    with pytest.raises(FencedError):
        writer.flush(30)
    with pytest.raises(FencedError, match="1 messages were not delivered"):
        writer.expect_exit()


def test_a_writer_that_was_never_opened_has_nothing_to_say_at_the_exit(store: LocalStore) -> None:
    ChunkWriter(store, negotiated=True).expect_exit()
    assert store.list("") == []


def test_a_last_word_that_the_store_does_not_take_is_not_lost_in_silence(store: LocalStore) -> None:
    broken = Broken(store, None)
    writer = ChunkWriter(broken, negotiated=True, options=LogOptions(close_timeout=0.2))
    writer.open(OPENED)
    writer.flush(30)
    writer.expect_exit()
    broken.error = StoreUnavailableError("no route to host")
    with pytest.raises(UndeliveredError) as caught:
        writer.write(message("log"))
    assert caught.value.count == 1


def test_an_ended_log_refuses_a_new_process(store: LocalStore) -> None:
    first = ChunkWriter(store, negotiated=True)
    first.open(OPENED)
    first.close(CLOSED)
    first.close(CLOSED)  # a second close does nothing
    again = ChunkWriter(store, negotiated=True)
    again.open(OPENED)
    with pytest.raises(LogSealedError, match="already ended"):
        again.close(CLOSED)


def test_a_full_buffer_makes_the_caller_wait_until_the_store_is_back(store: LocalStore) -> None:
    broken = Broken(store, StoreUnavailableError("503"))
    writer = ChunkWriter(broken, negotiated=True, options=LogOptions(max_buffer=65536), chance=lambda: 0.0)
    writer.open(OPENED)
    big = message("log", text="x" * 70_000)
    writer.write(big)
    waiting = threading.Thread(target=writer.write, args=(message("log", 2),))
    waiting.start()
    assert writer.stats.accepted == 2
    broken.error = None
    waiting.join(60)
    assert not waiting.is_alive()
    writer.close(CLOSED)
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, big, message("log", 2), CLOSED]


def test_what_a_handler_raises_reaches_the_waiting_thread(store: LocalStore) -> None:
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)

    def fail(messages: Sequence[Delivered]) -> None:
        raise ZeroDivisionError

    reader = LogReader(store, scheduler=Poller(), deliver=fail, report=lambda problem: None)
    reader.start()
    with pytest.raises(ZeroDivisionError):
        reader.wait(60)
    writer.close(CLOSED)


def test_threads_do_not_grow_with_the_number_of_sessions(tmp_path: Path) -> None:
    poller = Poller()
    readings, writers = [], []
    before = threading.active_count()
    for number in range(60):
        store = LocalStore(str(tmp_path / str(number)))
        readings.append(Reading(store, poller=poller))
    readers_threads = threading.active_count() - before
    for number in range(60):
        writer = ChunkWriter(LocalStore(str(tmp_path / str(number))), negotiated=True)
        writer.open(OPENED)
        writers.append(writer)
    for writer in writers:
        writer.close(CLOSED)
    assert [reading.finish().verdict for reading in readings] == ["complete"] * 60
    assert readers_threads <= 25


def test_a_stopped_reader_leaves_the_log_as_it_is(store: LocalStore) -> None:
    reading = Reading(store)
    reading.reader.stop()
    assert reading.reader.wait(60) is None
    assert store.get(chunk_key(1)) is None


def test_a_log_is_read_on_after_the_main_thread_has_ended(store: LocalStore) -> None:
    poller = Poller()
    poller._workers.shutdown()  # as the interpreter does while threads that are no daemons still run
    reading = Reading(store, poller=poller)
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)
    writer.close(CLOSED)
    assert reading.finish().verdict == "complete"


def test_nothing_is_taken_after_the_close(store: LocalStore) -> None:
    writer = ChunkWriter(store, negotiated=True)
    writer.open(OPENED)
    writer.close(CLOSED)
    with pytest.raises(DagsterPipesError, match="after `closed`"):
        writer.write(message("log"))
    assert Reading(store).finish().messages == 2
