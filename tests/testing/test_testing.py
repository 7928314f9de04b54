"""The tools for users' tests do what their documentation says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from blobpipes.errors import StoreDeniedError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.testing import FAULTS, FaultyStore, ManualClock, MemoryStore


def faulty(*puts: str | None, late_by: int | None = None) -> tuple[FaultyStore, MemoryStore]:
    inner = MemoryStore()
    return FaultyStore(inner, puts=puts, late_by=late_by), inner


def test_a_lost_request_did_nothing_and_a_lost_reply_did() -> None:
    store, inner = faulty("request lost", "reply lost")
    with pytest.raises(StoreUnavailableError):
        store.put_if_absent("a", b"1")
    assert inner.get("a") is None
    with pytest.raises(StoreUnavailableError):
        store.put_if_absent("a", b"1")
    assert inner.get("a") == b"1"
    assert store.put_if_absent("a", b"2") is False


def test_a_late_put_lands_when_told() -> None:
    store, inner = faulty("late", "late")
    for key in ("a", "b"):
        with pytest.raises(StoreUnavailableError):
            store.put(key, b"1")
    assert list(inner.list()) == []
    assert store.land() == 2
    assert [info.key for info in inner.list()] == ["a", "b"]
    assert store.land() == 0


def test_a_late_put_lands_by_itself_after_so_many_calls() -> None:
    store, _ = faulty("late", late_by=2)
    with pytest.raises(StoreUnavailableError):
        store.put_if_absent("a", b"late")
    assert store.get("a") is None
    assert store.get("a") == b"late"


def test_a_late_create_that_finds_the_name_taken_changes_nothing() -> None:
    store, inner = faulty("late")
    with pytest.raises(StoreUnavailableError):
        store.put_if_absent("a", b"late")
    assert store.put_if_absent("a", b"early") is True
    store.land()
    assert inner.get("a") == b"early"


def test_conflicts_refusals_and_missing_places_do_nothing_and_say_so() -> None:
    store, inner = faulty("conflict", "denied", "place missing", "false exists")
    with pytest.raises(StoreUnavailableError) as caught:
        store.put_if_absent("a", b"1")
    assert caught.value.reason == "conflict"
    with pytest.raises(StoreDeniedError):
        store.put("a", b"1")
    with pytest.raises(StorePlaceMissingError):
        store.put("a", b"1")
    assert store.put_if_absent("a", b"1") is False
    assert list(inner.list()) == []


def test_reads_can_be_torn_or_see_nothing() -> None:
    inner = MemoryStore()
    inner.put("a", b"123456")
    store = FaultyStore(inner, gets=["torn", "false absent", "denied"], lists=["false absent", "request lost"])
    assert store.get("a") == b"123"
    assert store.get("a") is None
    assert isinstance(store.start_get("a").exception(), StoreDeniedError)
    assert store.get("a") == b"123456"
    assert list(store.list()) == []
    with pytest.raises(StoreUnavailableError):
        store.list()
    assert [info.key for info in store.list()] == ["a"]
    assert store.calls[0] == ("get", "a")


def test_a_lost_delete_may_have_been_done() -> None:
    inner = MemoryStore()
    inner.put("a", b"")
    store = FaultyStore(inner, deletes=["request lost", "reply lost"])
    for left in (1, 0):
        with pytest.raises(StoreUnavailableError):
            store.delete("a")
        assert len(inner.list()) == left


def test_a_fault_that_nobody_knows_is_a_mistake_in_the_test() -> None:
    store, _ = faulty("request losst")
    with pytest.raises(ValueError, match="unknown fault 'request losst'; known: request lost"):
        store.put("a", b"")
    assert all(FAULTS.values())


def test_a_manual_clock_moves_when_told() -> None:
    clock = ManualClock()
    began, shown = clock.monotonic(), clock.wall()
    clock.advance(2.5)
    assert (clock.monotonic() - began, clock.wall() - shown) == (2.5, 2.5)
    clock.sleep(1)
    assert clock.slept == [1]
    clock.set_wall(5)
    assert clock.wall() == 5
    assert clock.monotonic() - began == 3.5
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)


def test_a_memory_store_tells_times_by_its_clock() -> None:
    clock = ManualClock(wall=42)
    store = MemoryStore(clock=clock)
    store.put("a", b"")
    assert [info.modified for info in store.list()] == [42]


def test_pytest_is_loaded_only_for_the_contract() -> None:
    program = """
import sys, blobpipes.testing
assert "pytest" not in sys.modules
from blobpipes.testing import StoreContract
assert "pytest" in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import blobpipes.testing

    with pytest.raises(AttributeError, match="no attribute 'MemoryStor'"):
        _ = blobpipes.testing.MemoryStor
