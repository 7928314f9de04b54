"""What every `Store` promises, as a class of pytest tests.

Subclass it and provide a `store` fixture. `other` is a second handle on the same place, by default the same
object; give a really separate one (another instance, another process's view) to check that nothing is cached.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Store:
            return MyStore(...)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from blobpipes.errors import StoreUnavailableError
from blobpipes.storage.store import Store

ODD_KEYS = (
    "a b.json",
    "ü/é.json",
    "100%25.json",
    "a+b=c@d:e,f;g&h.json",
    "(x)[y]{z}'~!$.json",
    "2024-01-01T00:00:00+00:00/1.json",
)
NOT_KEYS = ("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b")


class StoreContract:
    """The promises of `blobpipes.storage.store.Store`."""

    racers = 6  # threads that want the same key
    races = 10  # keys they want

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError("a contract needs a `store` fixture: an empty store")

    @pytest.fixture
    def other(self, store: Store) -> Store:
        return store

    # --- get and put --------------------------------------------------------------------------------

    def test_a_missing_key_is_an_answer(self, store: Store) -> None:
        assert store.get("absent.json") is None
        assert store.get("absent/deeper.json") is None

    def test_what_was_put_is_read_back_byte_for_byte(self, store: Store, other: Store) -> None:
        data = bytes(range(256)) * 3 + b"\r\n\n"
        store.put("a/b/1.json", data)
        assert other.get("a/b/1.json") == data

    def test_an_empty_object_is_not_a_missing_one(self, store: Store) -> None:
        store.put("empty", b"")
        assert store.get("empty") == b""
        assert store.put_if_absent("empty", b"x") is False

    def test_a_large_object_is_read_back(self, store: Store) -> None:
        data = bytes(range(256)) * (4 * 4096)  # 4 MiB, the largest chunk
        assert store.put_if_absent("large", data) is True
        assert store.get("large") == data

    def test_put_replaces(self, store: Store, other: Store) -> None:
        store.put("k", b"first, and longer")
        assert other.get("k") == b"first, and longer"
        store.put("k", b"second")
        assert other.get("k") == b"second"

    def test_an_absence_is_not_remembered(self, store: Store, other: Store) -> None:
        assert other.get("s/1.json") is None
        assert [info.key for info in other.list("s/")] == []
        assert store.put_if_absent("s/1.json", b"now") is True
        assert other.get("s/1.json") == b"now"
        assert [info.key for info in other.list("s/")] == ["s/1.json"]

    def test_the_front_of_a_key_is_not_an_object(self, store: Store) -> None:
        store.put("a/b/c", b"x")
        assert store.get("a/b") is None
        assert store.get("a") is None

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_an_odd_key_is_kept_as_it_is(self, store: Store, other: Store, key: str) -> None:
        assert store.put_if_absent(key, b"odd") is True
        assert store.put_if_absent(key, b"again") is False
        assert other.get(key) == b"odd"
        assert [info.key for info in other.list()] == [key]
        store.delete(key)
        assert other.list() == []

    @pytest.mark.parametrize("key", NOT_KEYS)
    def test_what_is_no_key_is_refused_before_anything_is_asked(self, store: Store, key: str) -> None:
        asked: list[Callable[[], object]] = [
            lambda: store.get(key),
            lambda: store.put(key, b""),
            lambda: store.put_if_absent(key, b""),
            lambda: store.delete(key),
        ]
        for ask in asked:
            with pytest.raises(ValueError, match="is not a key"):
                ask()

    # --- put_if_absent ------------------------------------------------------------------------------

    def test_a_free_key_is_taken_once(self, store: Store, other: Store) -> None:
        assert store.put_if_absent("1.json", b"mine") is True
        assert store.put_if_absent("1.json", b"again") is False
        assert other.put_if_absent("1.json", b"theirs") is False
        assert store.get("1.json") == b"mine"

    def test_a_deleted_key_is_free_again(self, store: Store) -> None:
        store.put("k", b"old")
        store.delete("k")
        assert store.put_if_absent("k", b"new") is True
        assert store.get("k") == b"new"

    def test_of_several_writers_exactly_one_wins(self, store: Store, other: Store) -> None:
        gate = threading.Barrier(self.racers)

        def race(racer: int) -> list[bool]:
            handle = (store, other)[racer % 2]
            wins = []
            for number in range(self.races):
                gate.wait(timeout=60)
                wins.append(handle.put_if_absent(f"race/{number}", b"racer %d" % racer))
            return wins

        with ThreadPoolExecutor(self.racers) as pool:
            results = list(pool.map(race, range(self.racers)))
        for number in range(self.races):
            winners = [racer for racer, wins in enumerate(results) if wins[number]]
            assert len(winners) == 1, f"key {number} was won by {winners}"
            assert store.get(f"race/{number}") == b"racer %d" % winners[0]

    def test_no_reader_sees_half_an_object(self, store: Store, other: Store) -> None:
        small, large = b"s" * 10, b"l" * 500_000
        store.put("k", small)
        done = threading.Event()

        def look() -> set[bytes | None]:
            seen: set[bytes | None] = set()
            while not done.is_set():
                with suppress(StoreUnavailableError):  # it may fail (moto does), but never lie
                    seen.add(other.get("k"))
            return seen

        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look)
            try:
                for _ in range(15):
                    store.put("k", large)
                    store.put("k", small)
            finally:
                done.set()
            assert looking.result(timeout=60) <= {small, large}

    # --- start_get ----------------------------------------------------------------------------------

    def test_gets_can_be_started_and_awaited_later(self, store: Store) -> None:
        for number in range(20):
            store.put(f"{number}.json", b"%d" % number)
        futures = [store.start_get(f"{number}.json") for number in range(25)]
        found = [future.result(timeout=60) for future in futures]
        assert found == [b"%d" % number for number in range(20)] + [None] * 5

    # --- list ---------------------------------------------------------------------------------------

    def test_an_empty_place_lists_nothing(self, store: Store) -> None:
        assert list(store.list()) == []
        assert list(store.list("no/such/")) == []

    def test_a_listing_is_deep_sorted_and_sized(self, store: Store, other: Store) -> None:
        sizes = {"1.json": 1, "10.json": 2, "2.json": 3, "_bp/session.json": 4, "lanes/0/1.json": 5}
        for key in reversed(sizes):
            store.put(key, b"x" * sizes[key])
        assert {info.key: info.size for info in other.list()} == sizes
        assert [info.key for info in other.list()] == sorted(sizes)

    def test_a_prefix_may_end_anywhere(self, store: Store) -> None:
        for key in ("a/1", "a/10", "a/2", "ab", "b/a/1"):
            store.put(key, b"")
        keys = {prefix: [info.key for info in store.list(prefix)] for prefix in ("a/", "a/1", "a", "b/a/", "c")}
        assert keys == {
            "a/": ["a/1", "a/10", "a/2"],
            "a/1": ["a/1", "a/10"],
            "a": ["a/1", "a/10", "a/2", "ab"],
            "b/a/": ["b/a/1"],
            "c": [],
        }

    def test_a_rewritten_object_has_another_version(self, store: Store, other: Store) -> None:
        store.put("k", b"first")
        (before,) = other.list("k")
        store.put("k", b"other")  # the same size
        (after,) = other.list("k")
        assert before.version is None or before.version != after.version

    def test_a_prefix_cannot_leave_the_root(self, store: Store) -> None:
        with pytest.raises(ValueError, match="is not a key"):
            store.list("../")

    # --- delete -------------------------------------------------------------------------------------

    def test_deleting_removes_and_may_be_repeated(self, store: Store, other: Store) -> None:
        store.put("a/k", b"x")
        assert [info.key for info in other.list()] == ["a/k"]
        store.delete("a/k")
        store.delete("a/k")
        store.delete("never/there")
        assert other.get("a/k") is None
        assert list(other.list()) == []

    # --- the whole ----------------------------------------------------------------------------------

    def test_many_threads_may_share_it(self, store: Store) -> None:
        def work(worker: int) -> list[bytes | None]:
            keys = [f"{worker}/{number}" for number in range(10)]
            for key in keys:
                store.put(key, key.encode())
            return [store.get(key) for key in keys]

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(8)))
        assert results == [[b"%d/%d" % (worker, number) for number in range(10)] for worker in range(8)]
        assert len(store.list()) == 80

    def test_its_url_can_be_shown(self, store: Store) -> None:
        assert "://" in store.url
        assert "?" not in store.url
        assert store.url in repr(store) or store.url.partition("://")[2] in repr(store)
