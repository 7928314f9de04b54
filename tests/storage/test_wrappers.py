"""Retrying, metering and probing, over a store that fails by script."""

from __future__ import annotations

import pytest

from blobpipes.errors import StoreDeniedError, StoreUnavailableError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.capabilities import Capabilities, probe, promises_atomic_create
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.storage.open import open_store
from blobpipes.storage.retrying import RetryingStore
from blobpipes.storage.usage import Usage
from blobpipes.testing import FaultyStore, MemoryStore

AT_ONCE = RetryPolicy(attempts=4, first_delay=0, max_delay=0)


# --- RetryingStore ------------------------------------------------------------------------------------


def test_an_object_stored_by_a_try_whose_reply_was_lost_is_ours() -> None:
    store = RetryingStore(FaultyStore(MemoryStore(), puts=["reply lost"]), AT_ONCE)
    assert store.put_if_absent("k", b"mine") is True


def test_a_late_put_that_lands_before_the_retry_is_ours() -> None:
    inner = MemoryStore()
    faulty = FaultyStore(inner, puts=["late"], late_by=1)
    assert RetryingStore(faulty, AT_ONCE).put_if_absent("k", b"mine") is True
    assert inner.get("k") == b"mine"


def test_somebody_else_s_object_is_not_ours_even_in_doubt() -> None:
    inner = MemoryStore()
    inner.put("k", b"theirs")
    store = RetryingStore(FaultyStore(inner, puts=["request lost"]), AT_ONCE)
    assert store.put_if_absent("k", b"mine") is False
    assert inner.get("k") == b"theirs"


def test_a_conflict_is_tried_again() -> None:
    store = RetryingStore(FaultyStore(MemoryStore(), puts=["conflict", "conflict"]), AT_ONCE)
    assert store.put_if_absent("k", b"mine") is True


def test_a_refusal_is_not_tried_again() -> None:
    faulty = FaultyStore(MemoryStore(), gets=["denied"])
    with pytest.raises(StoreDeniedError):
        RetryingStore(faulty, AT_ONCE).get("k")
    assert faulty.calls == [("get", "k")]


def test_the_last_error_says_how_often_was_tried() -> None:
    faulty = FaultyStore(MemoryStore(), lists=["request lost"] * 9)
    with pytest.raises(StoreUnavailableError, match=r"request lost; gave up after 4 tries in 0\.0 s"):
        RetryingStore(faulty, AT_ONCE).list()
    assert len(faulty.calls) == 4


def test_a_started_get_is_tried_again_in_the_background() -> None:
    inner = MemoryStore()
    inner.put("k", b"x")
    store = RetryingStore(FaultyStore(inner, gets=["request lost", "reply lost"]), AT_ONCE)
    assert store.start_get("k").result(timeout=30) == b"x"
    exhausted = RetryingStore(FaultyStore(inner, gets=["request lost"] * 9), AT_ONCE)
    with pytest.raises(StoreUnavailableError, match="gave up after 4 tries"):
        exhausted.start_get("k").result(timeout=30)
    refused = RetryingStore(FaultyStore(inner, gets=["denied"]), AT_ONCE)
    with pytest.raises(StoreDeniedError):
        refused.start_get("k").result(timeout=30)


# --- MeteredStore -------------------------------------------------------------------------------------


def test_every_request_is_counted_whatever_its_answer() -> None:
    meter = Meter()
    faulty = FaultyStore(MemoryStore(), puts=[None, "request lost"], gets=[None, "denied"])
    store = MeteredStore(faulty, meter)
    store.put_if_absent("k", b"12345")
    with pytest.raises(StoreUnavailableError):
        store.put("k", b"123")
    assert store.get("k") == b"12345"
    with pytest.raises(StoreDeniedError):
        store.get("k")
    assert store.get("absent") is None
    assert store.start_get("k").result() == b"12345"
    store.list()
    store.delete("k")
    expected = Usage({"put": 2, "get": 4, "list": 1, "delete": 1}, bytes_up=8, bytes_down=10, errors=2)
    assert meter.snapshot() == expected


def test_a_failed_started_get_is_an_error_too() -> None:
    meter = Meter()
    store = MeteredStore(FaultyStore(MemoryStore(), gets=["denied"]), meter)
    assert isinstance(store.start_get("k").exception(), StoreDeniedError)
    assert meter.snapshot().errors == 1


def test_a_long_listing_is_counted_by_pages() -> None:
    meter = Meter()
    inner = MemoryStore()
    for number in range(2001):
        inner.put(f"{number}", b"")
    MeteredStore(inner, meter).list()
    assert meter.snapshot().requests["list"] == 3


def test_retries_are_counted_where_the_meter_lies_below() -> None:
    meter = Meter()
    faulty = FaultyStore(MemoryStore(), gets=["request lost"] * 3)
    RetryingStore(MeteredStore(faulty, meter), AT_ONCE).get("k")
    assert meter.snapshot().requests["get"] == 4


def test_a_snapshot_does_not_change_and_usages_add_up() -> None:
    meter = Meter()
    before = meter.snapshot()
    meter.count_request("put", bytes_up=3)
    after = meter.snapshot()
    assert before.requests["put"] == 0
    assert (after + after).requests["put"] == 2
    assert (after + after).bytes_up == 6
    assert sum([after, after], Usage()) == after + after
    with pytest.raises(TypeError):
        after.requests["put"] = 7  # type: ignore[index]


# --- probe --------------------------------------------------------------------------------------------


class IgnoresTheCondition(MemoryStore):
    """As servers do that accept `If-None-Match` and overwrite."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True


def test_a_good_store_is_found_good_by_two_puts_and_two_gets() -> None:
    meter = Meter()
    store = MemoryStore()
    found = probe(MeteredStore(store, meter), "_bp/session.json", b"{}", "1.json")
    assert found == Capabilities(atomic_create=True, hides_absence=False)
    assert dict(meter.snapshot().requests) == {"put": 2, "get": 2, "list": 0, "delete": 0}
    assert store.get("_bp/session.json") == b"{}"


def test_a_store_that_ignores_the_condition_is_found_out_and_left_tidy() -> None:
    store = IgnoresTheCondition()
    assert probe(store, "s", b"{}", "1.json").atomic_create is False
    assert store.get("s") == b"{}"


def test_a_retrying_store_in_doubt_does_not_deceive_the_probe() -> None:
    faulty = FaultyStore(MemoryStore(), puts=["reply lost", None, "reply lost", None])
    assert probe(RetryingStore(faulty, AT_ONCE), "s", b"{}", "1.json").atomic_create is True
    ignoring = FaultyStore(IgnoresTheCondition(), puts=["reply lost"])
    assert probe(RetryingStore(ignoring, AT_ONCE), "s", b"{}", "1.json").atomic_create is False


def test_a_store_that_checks_first_and_writes_then_is_not_believed() -> None:
    weak = RetryingStore(MeteredStore(open_store("dir://sub::memory://probe-place"), Meter()), AT_ONCE)
    assert promises_atomic_create(weak) is False
    assert probe(weak, "s", b"{}", "1.json").atomic_create is False
    assert promises_atomic_create(open_store("memory://probe-place")) is True


def test_a_refused_look_for_what_is_absent_means_that_absence_is_hidden() -> None:
    store = FaultyStore(MemoryStore(), gets=[None, "denied"])
    assert probe(store, "s", b"{}", "1.json").hides_absence is True


def test_an_object_that_was_there_is_left_as_it_is() -> None:
    store = MemoryStore()
    store.put("s", b"of an earlier attempt")
    assert probe(store, "s", b"{}", "1.json").atomic_create is True
    assert store.get("s") == b"of an earlier attempt"


def test_a_refusal_of_the_probe_itself_is_an_error() -> None:
    with pytest.raises(StoreDeniedError):
        probe(FaultyStore(MemoryStore(), puts=["denied"]), "s", b"{}", "1.json")
    with pytest.raises(StoreDeniedError):
        probe(FaultyStore(MemoryStore(), gets=["denied"]), "s", b"{}", "1.json")
    with pytest.raises(StoreUnavailableError, match="is not there"):
        probe(FaultyStore(MemoryStore(), gets=["false absent"]), "s", b"{}", "1.json")
