"""A part of a store as a store of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from blobpipes.storage.store import ObjectInfo, Store


class PrefixedStore:
    """The objects of `store` whose keys begin with `prefix`, which ends in `/`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    @property
    def url(self) -> str:
        return f"{self._store.url}/{self._prefix.rstrip('/')}"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._store.put_if_absent(self._prefix + key, data)

    def put(self, key: str, data: bytes) -> None:
        self._store.put(self._prefix + key, data)

    def get(self, key: str) -> bytes | None:
        return self._store.get(self._prefix + key)

    def start_get(self, key: str) -> Future[bytes | None]:
        return self._store.start_get(self._prefix + key)

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        found = self._store.list(self._prefix + prefix)
        return [replace(info, key=info.key.removeprefix(self._prefix)) for info in found]

    def delete(self, key: str) -> None:
        self._store.delete(self._prefix + key)
