"""Messages on local disk: order, limits, torn records, full disks, and what a killed process leaves."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blobpipes.chunklog.header import reader_seal
from blobpipes.chunklog.journal import Journal, JournalFullError
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import Left, Spool, default_spool_root, spool_directory
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.chunklog.writer_buffer import Record, WriterBuffer
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import LogSealedError, StoreUnavailableError, UndeliveredError
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.store import Store
from blobpipes.testing import FaultyStore, ManualClock
from tests.chunklog.test_shells import CLOSED, OPENED, Broken, Reading
from tests.chunklog.world import message


def journal_of(tmp_path: Path, *lines: bytes, segment_bytes: int = 1 << 20) -> Journal:
    journal = Journal(tmp_path / "spool", segment_bytes=segment_bytes)
    for seq, line in enumerate(lines, 1):
        journal.append(seq, line)
    return journal


def test_a_journal_gives_back_what_was_written_after_a_number(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, b"one", b"", b"three\nlines", segment_bytes=20)
    assert [record.line for record in journal.read(0)] == [b"one", b"", b"three\nlines"]
    assert [record.seq for record in journal.read(1)] == [2, 3]


@pytest.mark.parametrize("cut", range(1, 21))
def test_a_torn_record_costs_only_itself(tmp_path: Path, cut: int) -> None:
    journal = journal_of(tmp_path, b"first", b"second")
    journal.close(keep=True)
    segment = next((tmp_path / "spool").glob("*.seg"))
    segment.write_bytes(segment.read_bytes()[:-cut])
    again = Journal(tmp_path / "spool")
    assert [record.line for record in again.read(0)] == [b"first"]
    assert again.last == 1


def test_a_damaged_record_ends_the_segment(tmp_path: Path) -> None:
    journal_of(tmp_path, b"first", b"second").close(keep=True)
    segment = next((tmp_path / "spool").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[-2] ^= 1
    segment.write_bytes(data)
    assert [record.line for record in Journal(tmp_path / "spool").read(0)] == [b"first"]


def test_confirmed_segments_are_removed_and_an_empty_journal_leaves_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, *[b"x" * 50] * 10, segment_bytes=100)
    before = journal.size
    journal.forget(5)
    assert journal.size < before
    assert [record.seq for record in journal.read(5)] == [6, 7, 8, 9, 10]
    journal.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_belongs_to_one_process(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, b"first")
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "spool")
    journal.close(keep=True)
    Journal(tmp_path / "spool").close(keep=True)


def test_a_journal_has_a_limit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spool", limit=100)
    journal.append(1, b"x" * 50)
    with pytest.raises(JournalFullError):
        journal.append(2, b"x" * 50)
    assert [record.seq for record in journal.read(0)] == [1]


@example(mode="wal", steps=[0, 35, 57, None, 0, 0], limit=63)  # memory, disk, memory again, disk again
@given(
    mode=st.sampled_from(["spill", "wal"]),
    steps=st.lists(st.one_of(st.integers(0, 60), st.none()), max_size=60),
    limit=st.integers(1, 200),
)
def test_the_buffer_keeps_order_through_memory_and_disk(
    tmp_path_factory: pytest.TempPathFactory, mode: str, steps: list[int | None], limit: int
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "log", mode, limit=1 << 20)  # type: ignore[arg-type]
    spool.begin({"stream": "w1"})
    buffer = WriterBuffer(backlog=spool)
    sent: list[bytes] = []
    taken: list[bytes] = []
    for step in steps:
        if step is None:
            batch = buffer.take(100, 5, 0.0)
            assert batch.first == len(taken) + 1
            taken += batch.lines
            buffer.forget(len(taken))
        else:
            sent.append(b"%d:" % len(sent) + b"x" * step)
            buffer.add(sent[-1], 0.0, urgent=False, limit=limit)
    assert buffer.size == sum(len(line) + 1 for line in sent[len(taken) :])
    while buffer.waiting is not None:
        taken += buffer.take(100, 5, 0.0).lines
    assert taken == sent
    spool.remove()


def test_an_outage_larger_than_memory_goes_to_disk_and_comes_back_in_order(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    broken = Broken(store, StoreUnavailableError("503"))
    spool = Spool(tmp_path / "spool" / "log", "spill", limit=64 << 20)
    options = LogOptions(max_buffer=65536, interval=0.05)
    writer = ChunkWriter(broken, negotiated=True, options=options, spool=spool, chance=lambda: 0.0)
    writer.open(OPENED)
    lines = [message("log", number, text="x" * 1000) for number in range(500)]
    for line in lines:
        writer.write(line)
    assert spool.kept is not None
    broken.error = None
    writer.close(CLOSED)
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, *lines, CLOSED]
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_close_could_not_deliver_stays_on_disk_and_a_later_writer_delivers_it(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    broken = Broken(store, StoreUnavailableError("no route to host"))
    directory = tmp_path / "spool" / "log"
    options = LogOptions(close_timeout=0.1)
    writer = ChunkWriter(
        broken, negotiated=True, options=options, spool=Spool(directory, "spill", limit=1 << 20)
    )  # fmt: skip
    writer.open(OPENED)
    writer.write(message("log", 1))
    with pytest.raises(UndeliveredError, match="are kept in") as caught:
        writer.close(CLOSED)
    assert (caught.value.count, caught.value.spool) == (3, directory)
    spool = Spool(directory, "spill", limit=1 << 20)
    assert spool.left == Left(writer.stream, 1, 3, "clean")
    again = ChunkWriter(store, negotiated=True, spool=spool)
    again.open(message("opened", 2))
    again.close(message("closed", 2))
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, message("log", 1), CLOSED, message("opened", 2), message("closed", 2)]
    assert not directory.exists()


@pytest.mark.parametrize("gone_before", [False, True], ids=["first overflow", "disk used before"])
def test_what_is_kept_of_memory_comes_before_what_waited_on_disk(tmp_path: Path, gone_before: bool) -> None:
    """Memory holds older messages than the disk, and is written there last."""
    spool = Spool(tmp_path / "log", "spill", limit=1 << 20)
    spool.begin({"stream": "w1"})
    buffer = WriterBuffer(backlog=spool)
    if gone_before:  # the segment that is written to begins with messages that left the buffer long ago
        for _ in range(4):
            buffer.add(b"x" * 40, 0.0, urgent=False, limit=60)
        buffer.take(1000, 100, 0.0)
    first = buffer.accepted + 1
    for _ in range(5):
        buffer.add(b"y" * 40, 0.0, urgent=False, limit=60)
    assert 0 < spool.waiting < 5
    assert spool.keep(buffer.in_memory()) == tmp_path / "log"
    journal = Journal(tmp_path / "log")
    assert [record.seq for record in journal.read(first - 1)] == list(range(first, first + 5))
    journal.close(keep=True)
    left = Spool(tmp_path / "log", "spill", limit=1 << 20).left
    assert left is not None
    assert left.last == first + 4


def test_what_is_left_in_the_end_is_kept_though_it_exceeds_the_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", "spill", limit=2000)
    spool.begin({"stream": "w1"})
    spool.admit(Record(1, b"x" * 500), memory_is_full=False)
    assert spool.keep([Record(1, b"x" * 5000)]) == tmp_path / "log"
    assert Spool(tmp_path / "log", "spill", limit=2000).left == Left("w1", 1, 1)


def test_what_another_process_has_left_meanwhile_is_not_mixed_with_our_own(tmp_path: Path) -> None:
    """Two processes with the same parameters give up one after the other; neither had used the disk before."""
    spools = [Spool(tmp_path / "log", "spill", limit=1 << 20) for _ in range(3)]
    kept = []
    for number, spool in enumerate(spools, 1):
        spool.begin({"stream": f"w{number}"})
        spool.admit(Record(1, b"%d" % number), memory_is_full=False)
        kept.append(spool.keep([Record(1, b"%d" % number)]))
    pid = os.getpid()
    assert kept == [tmp_path / "log", tmp_path / f"log-{pid}", tmp_path / f"log-{pid}-2"]
    for number, directory in enumerate(kept, 1):
        assert directory is not None
        assert Spool(directory, "spill", limit=1 << 20).left == Left(f"w{number}", 1, 1)


def test_two_live_processes_overflow_to_two_directories(tmp_path: Path) -> None:
    told: list[str] = []
    spools = [Spool(tmp_path / "log", "spill", limit=1 << 20, on_trouble=told.append) for _ in range(2)]
    for spool in spools:
        spool.begin({"stream": "w"})
        assert spool.admit(Record(1, b"{}"), memory_is_full=True)
    assert spools[0].kept != spools[1].kept
    assert told == []


def killed_with(tmp_path: Path, *lines: bytes) -> Path:
    """The journal of a process that was killed before its store took anything."""
    directory = tmp_path / "spool" / "log"
    journal = Journal(directory)
    journal.describe({"stream": "w1"})
    for seq, line in enumerate(lines, 1):
        journal.append(seq, line)
    journal.close(keep=True)
    return directory


def resumed(directory: Path, store: Store, clock: Clock = SYSTEM_CLOCK) -> ChunkWriter:
    spool = Spool(directory, "wal", limit=1 << 20)
    writer = ChunkWriter(store, negotiated=True, options=LogOptions(close_timeout=60), spool=spool, clock=clock)
    closing = spool.left.closing if spool.left else None
    writer.resume(closing)
    writer.finish(closing)
    return writer


def test_what_a_process_left_is_finished_in_its_name_with_the_end_that_it_gave(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    directory = killed_with(tmp_path, OPENED, message("log", 1), CLOSED)
    assert resumed(directory, store).stats.stored == 3
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, message("log", 1), CLOSED]
    assert not directory.exists()


def test_a_process_that_never_closed_is_not_closed_by_who_delivers_for_it(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    directory = killed_with(tmp_path, OPENED, message("log", 1))
    resumed(directory, store)
    assert not directory.exists()
    reading = Reading(store)
    assert reading.finish().verdict == "truncated"
    assert reading.lines == [OPENED, message("log", 1)]


def test_what_stands_in_a_log_that_its_reader_has_ended_is_delivered(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    resumed(killed_with(tmp_path, OPENED, message("log", 1)), store)
    assert Reading(store).finish().verdict == "truncated"
    directory = killed_with(tmp_path, OPENED, message("log", 1))  # its process died before it knew
    assert resumed(directory, store).stats.stored == 2
    assert not directory.exists()
    late = killed_with(tmp_path, OPENED, message("log", 1), message("log", 2))
    with pytest.raises(LogSealedError, match="1 messages were not delivered"):
        resumed(late, store)
    assert late.exists()


FAILED = b'{"method": "closed", "params": {"exception": {"message": "no"}}}'


@pytest.mark.parametrize("last", [CLOSED, FAILED])
def test_a_process_that_died_after_its_last_chunk_left_nothing_to_deliver(tmp_path: Path, last: bytes) -> None:
    store = LocalStore(str(tmp_path / "store"))
    resumed(killed_with(tmp_path, OPENED, last), store)
    directory = killed_with(tmp_path, OPENED, last)
    assert resumed(directory, store).stats.stored == 2
    assert not directory.exists()
    assert [info.key for info in store.list("")] == ["1.json"]


def test_a_store_that_fails_in_a_way_nobody_foresaw_loses_nothing_either(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    broken = Broken(store, ZeroDivisionError("a bug"))
    directory = tmp_path / "spool" / "log"
    spool = Spool(directory, "spill", limit=1 << 20)
    writer = ChunkWriter(broken, negotiated=True, spool=spool)
    writer.open(OPENED)
    with pytest.raises(UndeliveredError, match="the uploader failed with ZeroDivisionError: a bug") as caught:
        writer.flush(30)
    assert (caught.value.count, caught.value.spool, caught.value.__cause__) == (1, directory, broken.error)
    again = ChunkWriter(store, negotiated=True, spool=Spool(directory, "spill", limit=1 << 20))
    again.open(message("opened", 2))
    again.close(message("closed", 2))
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, message("opened", 2), message("closed", 2)]


class TakesForEver(FaultyStore):
    """Each request that gets no answer costs an hour."""

    def __init__(self, inner: Store, clock: ManualClock, gets: Iterable[str | None]) -> None:
        super().__init__(inner, gets=gets)
        self._clock = clock

    def get(self, key: str) -> bytes | None:
        try:
            return super().get(key)
        except StoreUnavailableError:
            self._clock.advance(3600)
            raise


def test_what_was_stored_but_not_looked_at_stays_on_disk_and_is_not_put_twice(tmp_path: Path) -> None:
    store, clock = LocalStore(str(tmp_path / "store")), ManualClock()
    resumed(killed_with(tmp_path, OPENED), store)
    directory = killed_with(tmp_path, OPENED, message("log", 1), CLOSED)
    silent = TakesForEver(store, clock, gets=[None, None, "request lost"])  # it tells where the log ends, and no more
    with pytest.raises(UndeliveredError, match="are kept in") as caught:
        resumed(directory, silent, clock)
    assert (caught.value.count, caught.value.spool) == (0, directory)
    resumed(directory, store)
    assert not directory.exists()
    reading = Reading(store)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [OPENED, message("log", 1), CLOSED]


def test_messages_that_come_after_the_end_of_the_log_stay_on_disk_and_are_counted(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    store.put_if_absent("1.json", reader_seal(1, "reader", {"w1": 1}, 1))
    directory = killed_with(tmp_path, OPENED, message("log", 1), CLOSED)
    with pytest.raises(LogSealedError, match="2 messages were not delivered"):
        resumed(directory, store)
    journal = Journal(directory)  # let go of, and whole
    assert [record.seq for record in journal.read(0)] == [1, 2, 3]
    journal.close(keep=True)


def test_a_disk_that_fails_is_told_once_and_memory_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    told: list[str] = []
    store = LocalStore(str(tmp_path / "store"))
    spool = Spool(blocked / "log", "wal", limit=1 << 20, on_trouble=told.append)
    writer = ChunkWriter(store, negotiated=True, spool=spool)
    writer.open(OPENED)
    writer.write(message("log", 1))
    writer.close(CLOSED)
    assert len(told) == 1
    assert "memory only" in told[0]
    assert Reading(store).finish().messages == 3


def test_a_second_live_process_of_the_same_log_gets_a_spool_of_its_own(tmp_path: Path) -> None:
    first = Spool(tmp_path / "log", "wal", limit=1 << 20)
    first.begin({"stream": "w1"})
    first.admit(Record(1, b"{}"), memory_is_full=False)
    second = Spool(tmp_path / "log", "wal", limit=1 << 20)
    assert second.left is None
    second.begin({"stream": "w2"})
    second.admit(Record(1, b"{}"), memory_is_full=False)
    assert second.kept == tmp_path / f"log-{os.getpid()}"


def test_each_log_has_a_directory_of_its_own_that_a_restart_finds_again(tmp_path: Path) -> None:
    root = default_spool_root({"BLOBPIPES_SPOOL_DIR": str(tmp_path)})
    assert root == tmp_path
    assert spool_directory(root, "s3://b/one") == spool_directory(root, "s3://b/one")
    assert spool_directory(root, "s3://b/one") != spool_directory(root, "s3://b/two")
    assert str(os.getuid()) in str(default_spool_root({}))


KILLED = """
import os, signal, sys
from pathlib import Path
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import Spool
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.storage.local_store import LocalStore
from tests.chunklog.world import message

root, how = Path(sys.argv[1]), sys.argv[2]
writer = ChunkWriter(
    LocalStore(str(root / "store")), negotiated=True, options=LogOptions(interval=600, max_messages=10),
    spool=Spool(root / "spool", "wal", limit=1 << 20, on_trouble=print),
)
writer.open(message("opened"))
writer.flush(10)
for number in range(50):
    writer.write(message("log", number, text="x" * 200))
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
writer.close(message("closed"))
"""


def run_job(tmp_path: Path, how: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(tmp_path), how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)  # type: ignore[call-overload,no-any-return]


def test_with_wal_a_restart_after_sigkill_delivers_everything_once(tmp_path: Path) -> None:
    assert run_job(tmp_path, "kill").returncode == -signal.SIGKILL
    reading = Reading(LocalStore(str(tmp_path / "store")))
    assert reading.some.wait(60)
    assert run_job(tmp_path, "close").returncode == 0
    assert reading.finish().verdict == "complete"
    logs = [line for line in reading.lines if b'"log"' in line]
    assert logs == [message("log", n, text="x" * 200) for n in range(50)] * 2  # each process said them once
    assert not (tmp_path / "spool").exists()


def test_a_full_disk_degrades_to_memory_and_nothing_is_lost(tmp_path: Path) -> None:
    def no_file_above_8_kib() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    (tmp_path / "store").mkdir()
    done = run_job(tmp_path, "close", preexec_fn=no_file_above_8_kib)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("memory only") == 1
    reading = Reading(LocalStore(str(tmp_path / "store")))
    assert (reading.finish().verdict, len(reading.lines)) == ("complete", 52)
