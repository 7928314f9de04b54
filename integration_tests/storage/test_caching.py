"""What a store in front of a cache is told about our objects."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request

import pytest

from blobpipes.storage.open import open_store
from blobpipes.storage.url import bucket_and_prefix
from integration_tests.servers.clouds import CloudServer


def test_google_is_told_not_to_cache_a_chunk(gcs: CloudServer, monkeypatch: pytest.MonkeyPatch) -> None:
    place = gcs.fresh()
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    open_store(place.url).put_if_absent("1.json", b"{}")
    found = bucket_and_prefix(place.url)
    assert found is not None
    key = urllib.parse.quote(f"{found[1]}/1.json", safe="")
    with urllib.request.urlopen(f"{place.server.url}/storage/v1/b/{found[0]}/o/{key}", timeout=20) as answer:
        assert json.load(answer)["cacheControl"] == "no-store"
