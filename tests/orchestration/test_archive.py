"""A finished session in one compressed object: read as before, and whole wherever folding it may stop."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.chunklog.layout import ARCHIVE_KEY, SESSION_KEY, SessionDescriptor, chunk_key, is_chunk
from blobpipes.errors import (
    DamagedArchiveError,
    FencedError,
    InvalidOptionError,
    NotArchivedError,
    SessionNotFoundError,
)
from blobpipes.orchestration import archive_file
from blobpipes.orchestration.archive import DEFAULT_AGE, Archived, archive, fold
from blobpipes.orchestration.archive_file import ArchiveBuilder, ArchiveFile
from blobpipes.orchestration.archived_store import open_archive
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.orchestration.cleanup import collect
from blobpipes.orchestration.follow import Followed, SessionFollower
from blobpipes.orchestration.onlooker_store import OnlookerStore
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.metered import Meter
from blobpipes.storage.open import open_store
from blobpipes.storage.store import ObjectInfo, Store
from blobpipes.testing import ManualClock, MemoryStore
from blobpipes.wire.messages import closed, custom, encode_message, opened
from tests.cli.sessions import CREATED, StoredSession, complete, killed, raised, running
from tests.orchestration.jobs import WAIT, chunk_writer, put_chunks

LATER = CREATED + DEFAULT_AGE + 1000.0
DAY = 86_400.0


def long_session(root: Path, name: str = "night", chunks: int = 40) -> StoredSession:
    session = StoredSession(root, name).describe(run_id="run-1")
    session.chunk(opened(), marks=[Flag.OPEN])
    for number in range(chunks):
        session.chunk(*(custom({"step": number, "row": row, "text": "the same words " * 4}) for row in range(20)))
    return session.chunk(closed(), marks=[Flag.END])


def read(root: Path, name: str) -> tuple[list[object], str, str]:
    """Every message and problem as an onlooker gets it, how the log ended, and how the session stands."""
    with SessionFollower(SessionCatalog(str(root)).find(name), wait=False) as follower:
        items = [item for item in follower.items() if item is not None]
        assert follower.end is not None
        return items, follower.end.verdict, follower.standing.state


def archived(root: Path, **options: object) -> list[Archived]:
    return list(archive(str(root), clock=ManualClock(wall=LATER), **options))  # type: ignore[arg-type]


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


# --- what an archive is ------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [complete, long_session, raised, killed])
def test_an_archived_session_reads_like_the_original(
    tmp_path: Path, write: Callable[[Path, str], StoredSession]
) -> None:
    write(tmp_path, "night")
    before = read(tmp_path, "night")
    [done] = archived(tmp_path)
    assert done.folded is not None
    assert files(tmp_path / "night") == ["1.json", ARCHIVE_KEY, SESSION_KEY]
    assert read(tmp_path, "night") == before
    assert all(each.stored_at is not None for each in before[0] if isinstance(each, Followed))


def test_a_listing_shows_the_same_but_for_the_size(tmp_path: Path) -> None:
    long_session(tmp_path)
    catalog = SessionCatalog(str(tmp_path), clock=ManualClock(wall=LATER))
    [before] = catalog.summaries()
    [done] = archived(tmp_path)
    [after] = catalog.summaries()
    for name in ("name", "url", "standing", "created", "last_at", "chunks", "messages"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.archived_at is not None
    assert done.folded is not None
    assert done.folded.objects_before == 43
    assert done.folded.objects_after == 3
    assert after.bytes < before.bytes / 10


def test_a_listing_of_archives_costs_one_get_for_each(tmp_path: Path) -> None:
    for number in range(3):
        long_session(tmp_path, f"s{number}", chunks=3)
    archived(tmp_path)
    meter = Meter()
    SessionCatalog(str(tmp_path), meter=meter).summaries()
    assert meter.snapshot().requests == {"list": 1, "get": 3, "put": 0, "delete": 0}


def test_reading_an_archive_costs_one_list_and_three_gets(tmp_path: Path) -> None:
    long_session(tmp_path)
    archived(tmp_path)
    meter = Meter()
    found = SessionCatalog(str(tmp_path), meter=meter).find("night")
    with SessionFollower(found, wait=False, meter=meter) as follower:
        assert len(list(follower.items())) == 802
    assert meter.snapshot().requests == {"list": 1, "get": 3, "put": 0, "delete": 0}


def test_any_tool_opens_an_archive(tmp_path: Path) -> None:
    session = complete(tmp_path, "s")
    originals = {path.name: path.read_bytes() for path in session.folder.glob("*.json")}
    archived(tmp_path)
    with tarfile.open(tmp_path / "s" / ARCHIVE_KEY) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert found == originals


def test_what_official_writers_wrote_is_archived_once_it_is_closed(tmp_path: Path) -> None:
    StoredSession(tmp_path, "done").official_chunk(opened(), custom(1)).official_chunk(closed())
    StoredSession(tmp_path, "open").official_chunk(opened(), custom(1))
    before = read(tmp_path, "done")
    folded = {each.name: each.folded is not None for each in archived(tmp_path)}
    assert folded == {"done": True, "open": False}
    assert read(tmp_path, "done") == before


def test_lanes_are_folded_with_their_session(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    lane = StoredSession(tmp_path, "s/lanes/7").chunk(opened(), marks=[Flag.OPEN]).chunk(closed(), marks=[Flag.END])
    originals = [path.read_bytes() for path in sorted(lane.folder.glob("*.json"))]
    archived(tmp_path)
    assert files(tmp_path / "s") == ["1.json", ARCHIVE_KEY, SESSION_KEY, "lanes/7/1.json"]
    store = open_archive(open_store(f"file://{tmp_path}/s"))
    assert store is not None
    assert [store.get(f"lanes/7/{number}.json") for number in (1, 2)] == originals


def test_a_new_orchestration_process_reads_an_archive_from_its_first_message(tmp_path: Path) -> None:
    url = f"file://{tmp_path}?interval=100ms"
    with open_pipes_session(RunContext(), url=url, session="night", cleanup="archive") as first:
        put_chunks(first.message_reader_params, *map(custom, range(20)), max_messages=3)
    assert files(tmp_path / "night") == ["1.json", ARCHIVE_KEY, SESSION_KEY]
    with open_pipes_session(RunContext(), url=url, session="night", attach=True) as again:
        assert again.wait_for_close(WAIT)
    assert again.get_custom_messages() == first.get_custom_messages() == tuple(range(20))
    assert again.report is not None
    assert again.report.verdict == "complete"


def test_lanes_too_are_read_from_an_archive(tmp_path: Path) -> None:
    url = f"file://{tmp_path}?interval=100ms"
    with open_pipes_session(RunContext(), url=url, session="night", lanes=2, cleanup="archive") as first:
        params = first.message_reader_params
        lane = {**params["blobpipes"], "url": params["blobpipes"]["url"] + "/lanes/1"}
        put_chunks(params, custom(0))
        put_chunks({**params, "blobpipes": lane, "path": params["path"] + "/lanes/1"}, custom(1))
    assert files(tmp_path / "night") == ["1.json", ARCHIVE_KEY, SESSION_KEY, "lanes/1/1.json"]
    with open_pipes_session(RunContext(), url=url, session="night", lanes=2, attach=True) as again:
        assert again.wait_for_close(WAIT)
    assert sorted(again.get_custom_messages()) == sorted(first.get_custom_messages()) == [0, 1]


def test_a_process_that_wakes_up_late_is_told_whether_its_messages_arrived(tmp_path: Path) -> None:
    url = f"file://{tmp_path}?interval=100ms"
    with open_pipes_session(RunContext(), url=url, session="night", on_incomplete="warn") as session:
        writer = chunk_writer(session.message_reader_params)
        writer.open(encode_message(opened()))
        assert writer.flush(WAIT)
    [done] = archive(f"file://{tmp_path}", older_than=0)
    assert done.folded is not None
    with pytest.raises(FencedError):
        writer.close(encode_message(closed()))
    assert read(tmp_path, "night")[1] == "truncated"


def test_who_follows_goes_on_in_the_archive_if_the_session_is_folded_meanwhile(tmp_path: Path) -> None:
    original = long_session(tmp_path, chunks=3)
    url = f"file://{tmp_path}/night"
    third = (original.folder / "3.json").read_bytes()
    onlooker = OnlookerStore(open_store(url), ManualClock())
    assert onlooker.get("2.json") is not None
    fold(open_store(url))
    assert onlooker.start_get("3.json").result() is None
    assert [info.key for info in onlooker.list("")] == [f"{number}.json" for number in range(1, 6)]
    assert onlooker.start_get("3.json").result() == third


# --- what is left as it is ---------------------------------------------------------------------------


def test_what_has_not_ended_is_left_alone(tmp_path: Path) -> None:
    running(tmp_path, "s")
    StoredSession(tmp_path, "waiting").describe()
    before = files(tmp_path)
    assert [each.folded for each in archived(tmp_path)] == [None, None]
    assert files(tmp_path) == before
    with pytest.raises(NotArchivedError, match="has not ended") as refused:
        fold(open_store(f"file://{tmp_path}/s"))
    assert "once it has ended" in refused.value.remedy


def test_a_failure_that_may_be_tried_again_has_not_ended(tmp_path: Path) -> None:
    session = raised(tmp_path, "s")
    (session.folder / chunk_key(session.chunks)).unlink()  # its reader's seal
    [left] = archived(tmp_path)
    assert (left.folded, left.state) == (None, "failed")
    assert "a process may still write to it" in left.reason


def test_a_lane_that_is_still_written_keeps_its_session(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    StoredSession(tmp_path, "s/lanes/7").chunk(opened(), marks=[Flag.OPEN])
    [left] = archived(tmp_path)
    assert "lane 7" in left.reason


def test_a_torn_last_chunk_keeps_its_session(tmp_path: Path) -> None:
    running(tmp_path, "s").raw_chunk(b'{"blobpipes":{"v":1,"w":"a"}}\n{"half')
    [left] = archived(tmp_path)
    assert "cannot be read" in left.reason


def test_a_young_session_is_left_until_its_readers_are_done(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    soon = ManualClock(wall=CREATED + 3600.0)
    assert [each.folded for each in archive(str(tmp_path), clock=soon)] == [None]
    assert [each.folded is not None for each in archive(str(tmp_path), clock=soon, older_than=0)] == [True]


def test_a_session_too_large_for_one_object_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long_session(tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr("blobpipes.orchestration.archive.MAX_ARCHIVE", 1000)
    [left] = archived(tmp_path)
    assert "too large for one object" in left.reason
    assert files(tmp_path) == before


def test_other_objects_beside_the_session_are_neither_folded_nor_removed(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    (tmp_path / "s/plots").mkdir()
    (tmp_path / "s/plots/1.json").write_text("mine")
    complete(tmp_path, "s/nested")
    archived(tmp_path, session="s")
    assert (tmp_path / "s/plots/1.json").read_text() == "mine"
    assert read(tmp_path, "s/nested")[1] == "complete"
    gone = collect(str(tmp_path), clock=ManualClock(wall=LATER + 30 * DAY))
    assert {each.name for each in gone} == {"s", "s/nested"}
    assert (tmp_path / "s/plots/1.json").read_text() == "mine"


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    long_session(tmp_path)
    before = files(tmp_path)
    [planned] = archived(tmp_path, dry_run=True)
    assert files(tmp_path) == before
    [done] = archived(tmp_path)
    assert planned.folded is not None
    assert done.folded is not None
    assert planned.folded.objects_after == done.folded.objects_after
    assert planned.folded.bytes_before == done.folded.bytes_before


def test_one_session_can_be_named(tmp_path: Path) -> None:
    complete(tmp_path, "a")
    complete(tmp_path, "b")
    assert [each.name for each in archived(tmp_path, session="b")] == ["b"]
    assert "a/2.json" in files(tmp_path)
    with pytest.raises(SessionNotFoundError):
        archived(tmp_path, session="c")
    with pytest.raises(InvalidOptionError, match="negative"):
        archived(tmp_path, older_than=-1.0)


def test_archiving_twice_changes_nothing(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    archived(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    [again] = archived(tmp_path)
    assert again.folded is not None
    assert again.folded.action == "already"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# --- retention ---------------------------------------------------------------------------------------


def test_archives_go_by_age_like_all_sessions(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    archived(tmp_path)  # its tombstone is of today
    url = str(tmp_path)
    now = ManualClock(wall=(tmp_path / "s/1.json").stat().st_mtime + 60)
    assert [(each.action, each.objects) for each in collect(url, clock=now)] == [("emptied", 1)]
    assert files(tmp_path / "s") == ["1.json", SESSION_KEY]
    assert SessionCatalog(url).summaries()[0].standing.state == "cleaned"


def test_an_archive_whose_tombstone_has_stood_for_long_is_removed_at_once(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    archived(tmp_path)
    later = ManualClock(wall=(tmp_path / "s/1.json").stat().st_mtime + 8 * DAY)
    assert [(each.action, each.objects) for each in collect(str(tmp_path), clock=later)] == [("removed", 3)]
    assert files(tmp_path) == []


# --- crashes -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: no handler runs."""


class MortalStore:
    """`inner`, for a process that dies at its request number `last`: before the store has done it, or after."""

    def __init__(self, inner: Store, last: int, *, done: bool) -> None:
        self.inner = inner
        self.asked = 0
        self._last, self._done = last, done

    @property
    def url(self) -> str:
        return self.inner.url

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._live(lambda: self.inner.put_if_absent(key, data))

    def put(self, key: str, data: bytes) -> None:
        self._live(lambda: self.inner.put(key, data))

    def get(self, key: str) -> bytes | None:
        return self._live(lambda: self.inner.get(key))

    def start_get(self, key: str) -> Future[bytes | None]:
        return self._live(lambda: self.inner.start_get(key))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        return self._live(lambda: self.inner.list(prefix))

    def delete(self, key: str) -> None:
        self._live(lambda: self.inner.delete(key))

    def _live(self, request: Callable[[], object]) -> object:  # type: ignore[misc]
        self.asked += 1
        if self.asked == self._last and not self._done:
            raise Killed
        answer = request()
        if self.asked == self._last:
            raise Killed
        return answer


def stored(root: Path) -> MemoryStore:
    """A session with a lane, in memory."""
    complete(root, "s")
    StoredSession(root, "s/lanes/7").chunk(opened(), marks=[Flag.OPEN]).chunk(closed(), marks=[Flag.END])
    store = MemoryStore(clock=ManualClock(wall=CREATED))
    for path in sorted((root / "s").rglob("*.json")):
        store.put(str(path.relative_to(root / "s")), path.read_bytes())
    return store


def chunks_of(store: Store) -> dict[str, bytes | None]:
    """The chunks as a reader sees them, in whichever form they are there."""
    session = open_archive(store) or store
    return {info.key: session.get(info.key) for info in session.list("") if is_chunk(info.key)}


def test_wherever_folding_stops_every_chunk_is_there_and_the_next_run_finishes(tmp_path: Path) -> None:
    original = chunks_of(stored(tmp_path))
    assert len(original) == 5
    counting = MortalStore(stored(tmp_path), 0, done=False)
    fold(counting)
    assert counting.asked > 10
    for last in range(1, counting.asked + 1):
        for done in (False, True):
            store = stored(tmp_path)
            with pytest.raises(Killed):
                fold(MortalStore(store, last, done=done))
            assert chunks_of(store) == original, f"killed at request {last}"
            fold(store)
            assert chunks_of(store) == original
            assert [info.key for info in store.list("")] == ["1.json", ARCHIVE_KEY, SESSION_KEY, "lanes/7/1.json"]


def test_a_listing_names_no_damage_wherever_folding_stopped(tmp_path: Path) -> None:
    originals = {path: path.read_bytes() for path in long_session(tmp_path, chunks=3).folder.rglob("*.json")}
    for last in range(1, 30):
        for path in [each for each in tmp_path.rglob("*") if each.is_file()]:
            path.unlink()
        for path, data in originals.items():
            path.write_bytes(data)
        try:
            fold(MortalStore(open_store(f"file://{tmp_path}/night"), last, done=True))
        except Killed:
            [shown] = SessionCatalog(str(tmp_path)).summaries()
            assert (shown.standing.state, shown.messages, shown.chunks) == ("complete", 62, 5), last
            assert read(tmp_path, "night")[1] == "complete"
        else:
            assert last > 10
            return
    pytest.fail("it never came to its end")


def test_an_archive_that_the_store_does_not_keep_removes_nothing(tmp_path: Path) -> None:
    class Forgetful(MortalStore):
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data[:-20] if key == ARCHIVE_KEY else data)

    store = stored(tmp_path)
    original = chunks_of(store)
    with pytest.raises(DamagedArchiveError, match="damaged"):
        fold(Forgetful(store, 0, done=False))
    assert chunks_of(store) == original
    assert fold(store).action == "archived"


def test_a_chunk_that_changes_while_it_is_read_stops_the_folding(tmp_path: Path) -> None:
    class Shifting(MortalStore):
        def start_get(self, key: str) -> Future[bytes | None]:
            if key == "2.json":
                self.inner.delete(key)
            return super().start_get(key)

    with pytest.raises(NotArchivedError, match=r"2\.json .* changed while it was read"):
        fold(Shifting(stored(tmp_path), 0, done=False))


# --- archives that are not what they should be -------------------------------------------------------


def damage(tmp_path: Path, change: Callable[[bytes], bytes | None]) -> None:
    complete(tmp_path, "s")
    archived(tmp_path)
    path = tmp_path / "s" / ARCHIVE_KEY
    changed = change(path.read_bytes())
    path.unlink() if changed is None else path.write_bytes(changed)


def tar_of(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(data), kind
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda data: data[:-4], "damaged"),
        (lambda data: data[:40] + b"\xff\xff" + data[42:], "damaged"),
        (lambda data: b"", "damaged"),
        (lambda data: b"no archive at all", "damaged"),
        (lambda data: gzip.compress(b"no tar"), "damaged"),
        (lambda data: tar_of(("1.json", b"{}"), ("/etc/passwd", b"root")), "'/etc/passwd', which is no chunk"),
        (lambda data: tar_of(("../1.json", b"{}")), "which is no chunk"),
        (lambda data: tar_of(("1.json", b""), kind=tarfile.SYMTYPE), "which is no chunk"),
        (lambda data: tar_of(("1.json", b"{}"), ("1.json", b"{}")), "1.json is one too many"),
        (lambda data: tar_of(("1.json", b"{}")), "does not hold what was put into it"),
    ],
)
def test_a_damaged_or_foreign_archive_is_named(tmp_path: Path, change: Callable[[bytes], bytes], text: str) -> None:
    damage(tmp_path, change)
    with pytest.raises(DamagedArchiveError) as caught:
        read(tmp_path, "s")
    assert text in caught.value.message
    assert ARCHIVE_KEY in caught.value.message
    assert "backup" in caught.value.remedy


def test_a_missing_archive_is_damage_and_not_an_empty_session(tmp_path: Path) -> None:
    damage(tmp_path, lambda data: None)
    [shown] = SessionCatalog(str(tmp_path)).summaries()
    assert (shown.standing.state, shown.standing.detail) == (
        "damaged",
        "It was folded into an archive, which is missing.",
    )
    items, verdict, state = read(tmp_path, "s")
    assert (items, verdict, state) == ([], "truncated", "damaged")
    assert not any(isinstance(each, SessionProblem) for each in items)
    with pytest.raises(DamagedArchiveError, match="is missing"):
        open_archive(open_store(f"file://{tmp_path}/s"))


def test_what_an_archive_expands_to_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "MAX_OBJECT", 1 << 20)
    monkeypatch.setattr(archive_file, "MAX_CONTENT", 4 << 20)
    with pytest.raises(DamagedArchiveError, match="2,097,152 bytes"):
        ArchiveFile(tar_of(("1.json", bytes(2 << 20))), "there")
    many = tar_of(*((f"{number}.json", bytes(1 << 20)) for number in range(1, 9)))
    assert len(many) < 20_000
    with pytest.raises(DamagedArchiveError, match="expands to more than"):
        ArchiveFile(many, "there")
    monkeypatch.setattr(archive_file, "MAX_ENTRIES", 2)
    with pytest.raises(DamagedArchiveError, match="one too many"):
        ArchiveFile(tar_of(("1.json", b""), ("2.json", b""), ("3.json", b"")), "there")


def test_objects_come_back_in_any_order_with_their_times() -> None:
    builder = ArchiveBuilder()
    objects = {f"{number}.json": bytes([number]) * number * 700 for number in range(1, 20)}
    for key, data in objects.items():
        builder.add(key, data, 1_700_000_000.25 + len(data))
    builder.add("lanes/3/1.json", b"", None)
    archive = ArchiveFile(builder.finish(), "there")
    for key in reversed(objects):
        assert archive.read(key) == objects[key]
    assert archive.read("lanes/3/1.json") == b""
    assert archive.read("20.json") is None
    assert archive.entries["2.json"].modified == 1_700_000_000.25 + 1400
    assert archive.entries["lanes/3/1.json"].modified is None


def test_a_descriptor_of_a_nested_session_is_not_taken_for_its_own(tmp_path: Path) -> None:
    complete(tmp_path, "s/nested")
    archived(tmp_path)
    store = open_store(f"file://{tmp_path}/s")
    store.put(SESSION_KEY, SessionDescriptor(name="s", created=CREATED).encode())
    states = {each.name: each.standing.state for each in SessionCatalog(str(tmp_path)).summaries()}
    assert states == {"s": "waiting", "s/nested": "complete"}
