"""What each verb costs: the requests that really arrive, on each cloud."""

from __future__ import annotations

import pytest

from blobpipes.errors import StoreUnavailableError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.metered import Meter
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from integration_tests.servers.clouds import Cloud
from integration_tests.servers.proxy import Canned, Proxy


@pytest.fixture
def store(cloud: Cloud, proxy: Proxy) -> Store:
    """Used once, so that what belongs to the first request only (on gs: is the bucket there?) is over."""
    store = open_store(cloud.url)
    store.put("used", b"x")
    proxy.forget()
    return store


def methods(proxy: Proxy) -> list[str]:
    return [asked.method for asked in proxy.asked]


def test_a_get_of_what_is_there_is_one_request(store: Store, proxy: Proxy) -> None:
    assert store.get("used") == b"x"
    assert methods(proxy) == ["GET"]


def test_a_get_of_what_is_absent_is_one_request(store: Store, proxy: Proxy) -> None:
    assert store.get("absent") is None
    assert methods(proxy) == ["GET"]


def test_a_started_get_is_one_request(store: Store, proxy: Proxy) -> None:
    assert store.start_get("absent").result(timeout=30) is None
    assert methods(proxy) == ["GET"]


def test_a_put_is_one_request(store: Store, proxy: Proxy) -> None:
    store.put("k", b"x" * 100_000)
    assert len(proxy.asked) == 1


def test_a_put_if_absent_is_one_request_whether_it_wins_or_not(store: Store, proxy: Proxy) -> None:
    assert store.put_if_absent("k", b"x" * 100_000) is True
    assert store.put_if_absent("k", b"y") is False
    assert len(proxy.asked) == 2


def test_a_listing_is_one_request_per_page(store: Store, proxy: Proxy) -> None:
    assert [info.key for info in store.list()] == ["used"]
    assert list(store.list("nothing/here")) == []
    assert methods(proxy) == ["GET", "GET"]


def test_a_delete_is_one_request(store: Store, proxy: Proxy) -> None:
    store.delete("used")
    store.delete("used")
    assert methods(proxy) == ["DELETE", "DELETE"]


def test_the_first_absence_on_google_costs_one_listing_more_and_the_meter_counts_it(cloud: Cloud, proxy: Proxy) -> None:
    meter = Meter()
    store = open_store(cloud.url, meter=meter)
    assert store.get("absent") is None
    assert store.get("absent") is None
    lists = 1 if cloud.scheme == "gs" else 0
    assert dict(meter.snapshot().requests) == {"put": 0, "get": 2, "list": lists, "delete": 0}
    assert len(proxy.asked) == 2 + lists


def test_the_meter_counts_what_arrives(cloud: Cloud, proxy: Proxy) -> None:
    meter = Meter()
    store = open_store(cloud.url, meter=meter)
    store.put("k", b"12345")
    store.put_if_absent("k", b"123")
    store.get("k")
    store.get("absent")
    store.start_get("k").result(timeout=30)
    store.list()
    store.delete("k")
    usage = meter.snapshot()
    assert dict(usage.requests) == {"put": 2, "get": 3, "list": 1, "delete": 1}
    assert (usage.bytes_up, usage.bytes_down, usage.errors) == (8, 10, 0)
    assert len(proxy.asked) == 7


@pytest.mark.parametrize("status", [500, 503, 429])
def test_one_try_is_one_request_whatever_the_store_answers(cloud: Cloud, proxy: Proxy, status: int) -> None:
    """No library below us retries by itself: that would be billed unseen, and hide the reason."""
    store = open_store(cloud.url)
    store.put("used", b"x")
    proxy.forget()
    proxy.spoil([Canned(status, headers=(("x-ms-error-code", "ServerBusy"),))] * 4)
    for call in (lambda: store.get("used"), lambda: store.put("k", b""), store.list, lambda: store.delete("used")):
        with pytest.raises(StoreUnavailableError):
            call()
    assert [asked.status for asked in proxy.asked] == [status] * 4


def test_our_own_retries_are_counted_one_by_one(cloud: Cloud, proxy: Proxy) -> None:
    meter = Meter()
    store = open_store(cloud.url, meter=meter, retry=RetryPolicy(first_delay=0.01))
    proxy.spoil([Canned(503), Canned(503)])
    store.put("k", b"xyz")
    usage = meter.snapshot()
    assert usage.requests["put"] == 3
    assert (usage.bytes_up, usage.errors) == (9, 2)
    assert len(proxy.asked) == 3
