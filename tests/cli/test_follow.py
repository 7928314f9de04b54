"""A session read from outside: all of it, in order, to its end, and without leaving a trace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.errors import StoreDeniedError
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.orchestration.follow import MAX_WAITING, Followed, Item, SessionFollower
from blobpipes.orchestration.onlooker_store import OnlookerStore
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.metered import Meter
from blobpipes.storage.store import ObjectInfo
from blobpipes.testing import ManualClock, MemoryStore
from blobpipes.wire.messages import closed, log, opened
from tests.cli.sessions import CREATED, StoredSession, complete, failed, killed, raised, running


def read(root: Path, *, wait: bool, meter: Meter | None = None) -> tuple[list[Item], SessionFollower]:
    session = SessionCatalog(f"{root}?interval=50ms").find()
    with SessionFollower(session, wait=wait, meter=meter) as follower:
        return [item for item in follower.items() if item is not None], follower


def said(items: list[Item]) -> list[str]:
    return [type(item.payload).__name__ if isinstance(item, Followed) else item.kind for item in items]


EVERYTHING = [
    *("Opened", "Log", "ExternalStream", "ExternalStream", "AssetCheck", "AssetCheck", "AssetMaterialization"),
    *("CustomMessage", "Closed"),
]


@pytest.mark.parametrize("wait", [True, False])
def test_everything_comes_in_order_with_the_time_at_which_the_store_got_it(tmp_path: Path, wait: bool) -> None:
    complete(tmp_path, "s")
    items, follower = read(tmp_path, wait=wait)
    assert said(items) == EVERYTHING
    good = [item for item in items if isinstance(item, Followed)]
    assert [item.seq for item in good] == list(range(1, 10))
    assert [item.chunk for item in good] == [1] * 3 + [2] * 5 + [3]
    assert [item.stored_at for item in good] == [CREATED + 10] * 3 + [CREATED + 20] * 5 + [CREATED + 30]
    assert follower.end is not None
    assert (follower.end.verdict, follower.end.chunks) == ("complete", 3)
    assert follower.standing.state == "complete"


@pytest.mark.parametrize("wait", [True, False])
def test_a_follower_only_looks(tmp_path: Path, wait: bool) -> None:
    session = raised(tmp_path, "s")
    before = sorted(session.folder.rglob("*"))
    meter = Meter()
    items, follower = read(tmp_path, wait=wait, meter=meter)
    assert said(items) == ["Opened", "Closed"]
    assert follower.end is not None
    assert follower.end.verdict == "failed"
    assert sorted(session.folder.rglob("*")) == before
    assert meter.snapshot().requests["put"] == 0


def test_a_process_that_vanished_is_truncated_as_its_own_reader_found(tmp_path: Path) -> None:
    killed(tmp_path, "s")
    _, follower = read(tmp_path, wait=True)
    assert follower.end is not None
    assert (follower.end.verdict, follower.standing.state) == ("truncated", "truncated")


def test_what_is_there_now_is_read_without_waiting_for_more(tmp_path: Path) -> None:
    session = running(tmp_path, "s")
    items, follower = read(tmp_path, wait=False)
    assert said(items) == ["Opened", "Log"]
    assert follower.standing.state == "silent"  # it was written years ago
    assert sorted(path.name for path in session.folder.glob("*.json")) == ["1.json"]  # nobody sealed it


def test_a_follower_goes_on_until_the_log_ends(tmp_path: Path) -> None:
    stored = running(tmp_path, "s")
    session = SessionCatalog(f"{tmp_path}?interval=50ms").find()
    seen: list[str] = []
    with SessionFollower(session) as follower:
        for item in follower.items():
            assert isinstance(item, Followed)
            seen += said([item])
            if seen == ["Opened", "Log"]:
                assert follower.end is None
                stored.chunk(log("step 2", "INFO"))
            elif seen == ["Opened", "Log", "Log"]:
                stored.chunk(closed(), marks=[Flag.END])
    assert seen == ["Opened", "Log", "Log", "Closed"]
    assert follower.end is not None
    assert follower.end.verdict == "complete"


def test_while_nothing_comes_the_pauses_are_told(tmp_path: Path) -> None:
    stored = running(tmp_path, "s")
    session = SessionCatalog(f"{tmp_path}?interval=50ms").find()
    with SessionFollower(session) as follower:
        items = follower.items(0.01)
        while next(items) is not None:
            pass
        assert (follower.chunks, follower.last_chunk_at, follower.trouble) == (1, CREATED + 10, None)
        stored.chunk(closed(), marks=[Flag.END])
        assert said([item for item in items if item is not None]) == ["Closed"]


def test_what_is_no_message_is_named_and_passed_over(tmp_path: Path) -> None:
    session = StoredSession(tmp_path, "s").describe()
    session.chunk(opened(), b"noise", b'{"__dagster_pipes_version": "0.1", "method": "dance", "params": {}}')
    session.chunk(closed(), marks=[Flag.END])
    items, _ = read(tmp_path, wait=True)
    assert said(items) == ["Opened", "malformed", "malformed", "Closed"]
    assert isinstance(items[2], SessionProblem)
    assert (items[2].chunk, items[2].text) == (1, "unknown method 'dance'")


def test_a_damaged_chunk_is_named_at_once_when_only_what_is_there_counts(tmp_path: Path) -> None:
    session = complete(tmp_path, "s")
    (session.folder / "2.json").write_bytes((session.folder / "2.json").read_bytes()[:-7])
    items, follower = read(tmp_path, wait=False)
    assert said(items) == ["Opened", "Log", "ExternalStream", "corrupt", "Closed"]
    assert follower.end is not None
    assert (follower.end.verdict, follower.end.missing) == ("truncated", 5)


def test_official_sessions_are_followed_too(tmp_path: Path) -> None:
    StoredSession(tmp_path, "s").official_chunk(opened(), log("a", "INFO")).official_chunk(failed())
    items, follower = read(tmp_path, wait=False)
    assert said(items) == ["Opened", "Log", "Closed"]
    assert follower.end is not None
    assert follower.end.verdict == "failed"


def test_who_may_get_but_not_list_can_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers 403, and not 404, for what is absent."""
    stored = running(tmp_path, "s")
    get = LocalStore.get

    def get_or_refuse(store: LocalStore, key: str) -> bytes:
        data = get(store, key)
        if data is None:
            raise StoreDeniedError(f"{key} is refused")
        return data

    def refuse(store: LocalStore, prefix: str = "") -> Sequence[ObjectInfo]:
        raise StoreDeniedError("lists are refused")

    monkeypatch.setattr(LocalStore, "get", get_or_refuse)
    monkeypatch.setattr(LocalStore, "list", refuse)
    session = SessionCatalog(f"{tmp_path}?interval=50ms").find("s")
    with SessionFollower(session) as follower:
        items = follower.items(0.01)
        assert [said([item]) for item in (next(items), next(items)) if item is not None] == [["Opened"], ["Log"]]
        while next(items) is not None or follower.trouble is None:
            pass
        stored.chunk(closed(), marks=[Flag.END])
        assert said([item for item in items if item is not None]) == ["Closed"]
    assert follower.end is not None
    assert follower.end.verdict == "complete"


def test_reading_waits_for_whoever_takes_the_messages(tmp_path: Path) -> None:
    session = StoredSession(tmp_path, "s").describe()
    per_chunk = MAX_WAITING // 2
    for _ in range(5):
        session.chunk(*[log("x", "INFO")] * per_chunk)
    session.chunk(closed(), marks=[Flag.END])
    found = SessionCatalog(str(tmp_path)).find()
    with SessionFollower(found) as follower:
        items = follower.items()
        next(items)
        assert follower.end is None
        assert sum(1 for _ in items) == 5 * per_chunk


def test_leaving_early_ends_the_reading(tmp_path: Path) -> None:
    running(tmp_path, "s")
    with SessionFollower(SessionCatalog(str(tmp_path)).find()) as follower:
        next(follower.items())
    assert said([item for item in follower.items() if item is not None]) == ["Log"]  # had been read; then it is over
    assert follower.end is None


# --- the store that only looks ------------------------------------------------------------------------


def test_an_onlookers_store_refuses_to_write() -> None:
    store = OnlookerStore(MemoryStore(), ManualClock())
    for write in (lambda: store.put("a", b""), lambda: store.put_if_absent("a", b""), lambda: store.delete("a")):
        with pytest.raises(StoreDeniedError, match="only looked at"):
            write()


def test_an_onlookers_store_remembers_the_last_two_chunks_in_whatever_order_they_come() -> None:
    inner = MemoryStore()
    store = OnlookerStore(inner, ManualClock(wall=7.0))
    for number in (1, 2, 3, 4):
        inner.put(f"{number}.json", b"%d" % number)
    for number in (1, 4, 2, 3, 5):
        store.start_get(f"{number}.json").result()
    assert (store.last_two, store.chunks, store.last_number) == ((b"4", b"3"), 4, 4)
    assert (store.seen_at(3), store.seen_at(5)) == (7.0, None)
