"""What the probe finds out about real servers, good and bad."""

from __future__ import annotations

import pytest

from blobpipes.errors import StorePlaceMissingError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.capabilities import Capabilities, probe
from blobpipes.storage.open import open_store
from integration_tests.servers.clouds import Cloud
from integration_tests.servers.proxy import Canned, Proxy


def test_each_cloud_creates_atomically_and_says_what_is_absent(cloud: Cloud, proxy: Proxy) -> None:
    store = open_store(cloud.url)
    found = probe(store, "_bp/session.json", b"{}", "1.json")
    assert found == Capabilities(atomic_create=True, hides_absence=False)
    assert store.get("_bp/session.json") == b"{}"
    assert len([asked for asked in proxy.asked if asked.method in ("PUT", "POST")]) == 2


@pytest.mark.parametrize("cloud_server", ["s3", "gcs"], indirect=True)  # to Azure the condition is signed
@pytest.mark.parametrize("retry", [None, RetryPolicy(first_delay=0.01)], ids=["raw", "retrying"])
def test_a_server_that_ignores_the_condition_is_found_out(
    cloud: Cloud, proxy: Proxy, retry: RetryPolicy | None
) -> None:
    proxy.ignores_conditions = True
    store = open_store(cloud.url, retry=retry)
    assert probe(store, "_bp/session.json", b"{}", "1.json").atomic_create is False
    assert store.get("_bp/session.json") == b"{}"


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)  # the others never answer so
def test_s3_without_the_right_to_list_hides_absence(cloud: Cloud, proxy: Proxy) -> None:
    store = open_store(cloud.url)
    store.put("_bp/session.json", b"{}")
    refusal = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    proxy.spoil([None, None, Canned(403, refusal)])  # put, get, and the get of what is absent
    assert probe(store, "_bp/session.json", b"{}", "1.json") == Capabilities(atomic_create=True, hides_absence=True)


def test_a_missing_bucket_is_told_by_the_probe(cloud: Cloud) -> None:
    with pytest.raises(StorePlaceMissingError):
        probe(open_store(f"{cloud.scheme}://no-such-bucket-4711/p"), "_bp/session.json", b"{}", "1.json")
