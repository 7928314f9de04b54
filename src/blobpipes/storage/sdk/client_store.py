"""A store over a client of the vendor's own package, which the caller has made and owns.

On Lambda, Glue, EMR, Dataproc or an Azure function that client is there, with its credentials, and no fsspec file
system is. What a client can do is a `Bucket`: five verbs on whole names, which raise whatever the client raises.
All meaning is found here, once, by the table of `failures.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, Protocol

from blobpipes.errors import StoreError
from blobpipes.storage.background import run_in_background
from blobpipes.storage.failed_call import failure_of, raise_failure
from blobpipes.storage.failures import Kind, classify
from blobpipes.storage.keys import check_key, check_prefix
from blobpipes.storage.scrub import Scrubber
from blobpipes.storage.store import ObjectInfo

TIMEOUT: Final = 20.0  # seconds for one try, where the client takes it per call


class Bucket(Protocol):
    """One bucket (or container) as a vendor's client sees it. Safe for threads as the client is."""

    @property
    def url(self) -> str:
        """Such as `s3://name`."""

    def create(self, name: str, data: bytes) -> None:
        """One conditional request. Raises what `classify` calls EXISTS where there is an object already."""

    def replace(self, name: str, data: bytes) -> None: ...

    def read(self, name: str) -> bytes:
        """Raises what `classify` calls ABSENT where there is none."""

    def find(self, prefix: str) -> Iterable[ObjectInfo]:
        """All objects whose whole name begins so, asked page by page."""

    def remove(self, name: str) -> None:
        """May raise what `classify` calls ABSENT."""


class ClientStore:
    """Objects in `bucket` whose names begin with `top`: nothing, or a prefix that ends in `/`."""

    def __init__(self, bucket: Bucket, top: str = "") -> None:
        self._bucket = bucket
        self._top = top
        self._scrub = Scrubber(bucket.url, {})

    @property
    def url(self) -> str:
        return f"{self._bucket.url}/{self._top}".rstrip("/").replace("?", "%3F")

    def __repr__(self) -> str:
        return f"ClientStore({self.url!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        name = self._name(key)
        with self._failures("put", key):
            try:
                self._bucket.create(name, data)
            except Exception as error:
                if _says(error, Kind.EXISTS):
                    return False
                raise
        return True

    def put(self, key: str, data: bytes) -> None:
        name = self._name(key)
        with self._failures("put", key):
            self._bucket.replace(name, data)

    def get(self, key: str) -> bytes | None:
        name = self._name(key)
        with self._failures("get", key):
            try:
                return self._bucket.read(name)
            except Exception as error:
                if _says(error, Kind.ABSENT):
                    return None
                raise

    def start_get(self, key: str) -> Future[bytes | None]:
        check_key(key)
        return run_in_background(lambda: self.get(key))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        check_prefix(prefix)
        with self._failures("list", prefix or "*"):
            found = [
                ObjectInfo(info.key[len(self._top) :], info.size, info.modified, info.version)
                for info in self._bucket.find(self._top + prefix)
                if not info.key.endswith("/")  # what consoles write to show an empty folder
            ]
        return sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        name = self._name(key)
        with self._failures("delete", key):
            try:
                self._bucket.remove(name)
            except Exception as error:
                if not _says(error, Kind.ABSENT):
                    raise

    def _name(self, key: str) -> str:
        return self._top + check_key(key)

    @contextmanager
    def _failures(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - every exception is classified, none is dropped
            raise_failure(failure_of(error), error, f"{verb} {key} in {self.url}", self._scrub)


def _says(error: Exception, kind: Kind) -> bool:
    """Whether the client gave this answer, and the bucket has not yet found out what it means."""
    return not isinstance(error, StoreError) and classify(error).kind is kind
