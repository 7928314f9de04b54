"""The store contract over the vendors' own clients: boto3, google-cloud-storage and azure-storage-blob."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from blobpipes.storage.store import Store
from blobpipes.testing import StoreContract
from integration_tests.servers.clouds import Cloud
from integration_tests.servers.vendor_clients import client_store


class TestVendorClients(StoreContract):
    @pytest.fixture
    def store(self, cloud: Cloud) -> Store:
        return client_store(cloud)

    @pytest.fixture
    def other(self, cloud: Cloud, store: Store) -> Store:
        """Another client, which shares nothing with the first."""
        return client_store(cloud)

    def test_a_listing_of_several_pages_is_complete(self, store: Store) -> None:
        keys = [f"many/{number:04}.json" for number in range(1005)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: store.put(key, b"x"), keys))
        assert [info.key for info in store.list("many/")] == keys

    def test_listings_tell_when_objects_were_written(self, store: Store) -> None:
        store.put("k", b"x")
        (info,) = store.list()
        assert info.modified is not None
        assert info.modified > 1_700_000_000
        assert info.version
