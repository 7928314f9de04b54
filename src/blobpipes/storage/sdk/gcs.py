"""Google Cloud Storage through a `google.cloud.storage.Client`.

The bucket is named, not fetched: that needs one permission (`storage.buckets.get`) and one request less than the
official loader and writer. Nothing of Google's is imported here: the client does all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from blobpipes.errors import StorePlaceMissingError
from blobpipes.storage.cloud_calls import as_seconds
from blobpipes.storage.failures import Kind, classify
from blobpipes.storage.sdk.client_store import TIMEOUT
from blobpipes.storage.store import ObjectInfo

_ONCE: Final[dict[str, Any]] = {"retry": None, "timeout": TIMEOUT}  # our own retries see every reason
_ABSENT: Final = 0  # the generation that no object has


class GcsBucket:
    """One bucket. The client's HTTP session may be used by several threads."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = client.bucket(bucket)
        self._seen = False  # a 404 does not say which of the two is missing

    @property
    def url(self) -> str:
        return f"gs://{self._bucket.name}"

    def create(self, name: str, data: bytes) -> None:
        self._upload(name, data, if_generation_match=_ABSENT)

    def replace(self, name: str, data: bytes) -> None:
        self._upload(name, data)

    def read(self, name: str) -> bytes:
        try:
            data: bytes = self._bucket.blob(name).download_as_bytes(**_ONCE)
        except Exception as error:
            self._look_if_absent(error)
            raise
        self._seen = True
        return data

    def find(self, prefix: str) -> Iterator[ObjectInfo]:
        for found in self._client.list_blobs(self._bucket, prefix=prefix, **_ONCE):
            yield ObjectInfo(found.name, found.size or 0, as_seconds(found.updated), str(found.generation))

    def remove(self, name: str) -> None:
        try:
            self._bucket.blob(name).delete(**_ONCE)
        except Exception as error:
            self._look_if_absent(error)
            raise

    def _upload(self, name: str, data: bytes, **condition: Any) -> None:
        blob = self._bucket.blob(name)
        blob.cache_control = "no-store"  # public objects would else be served from Google's cache for an hour
        blob.upload_from_string(data, **condition, **_ONCE)
        self._seen = True

    def _look_if_absent(self, error: Exception) -> None:
        """After the first "not found": is it the object, or the whole bucket? One small LIST, once."""
        if self._seen or classify(error).kind is not Kind.ABSENT:
            return
        try:
            next(iter(self._client.list_blobs(self._bucket, max_results=1, **_ONCE)), None)
        except Exception as refusal:
            kind = classify(refusal).kind
            if kind is Kind.ABSENT:
                raise StorePlaceMissingError(f"there is no bucket {self.url}", reason="NotFound") from refusal
            self._seen = kind is Kind.DENIED  # we may not know, and need not ask again
        else:
            self._seen = True
