"""A store in this process's memory: all that a `Store` promises, nothing else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

from blobpipes.clock import Clock
from blobpipes.storage.keys import check_key, check_prefix
from blobpipes.storage.store import ObjectInfo


class _Object(NamedTuple):
    data: bytes
    version: int
    modified: float | None


class MemoryStore:
    """Strongly consistent, atomic, never fails. Safe for threads; forgotten with the object."""

    def __init__(self, url: str = "mem://store", *, clock: Clock | None = None) -> None:
        self._url = url
        self._clock = clock  # without one, listings tell no times
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._versions = 0

    @property
    def url(self) -> str:
        return self._url

    def __repr__(self) -> str:
        return f"MemoryStore({self._url!r}, {len(self._objects)} objects)"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self._store(key, data)
            return True

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._store(check_key(key), data)

    def get(self, key: str) -> bytes | None:
        found = self._objects.get(check_key(key))
        return None if found is None else found.data

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        future.set_result(self.get(key))
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        check_prefix(prefix)
        with self._lock:
            found = sorted(item for item in self._objects.items() if item[0].startswith(prefix))
        return [ObjectInfo(key, len(each.data), each.modified, str(each.version)) for key, each in found]

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_key(key), None)

    def _store(self, key: str, data: bytes) -> None:
        self._versions += 1
        self._objects[key] = _Object(bytes(data), self._versions, self._clock.wall() if self._clock else None)
