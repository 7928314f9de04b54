"""Counting what is billed: each request by kind, whatever its answer, and each byte."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import MappingProxyType

from blobpipes.errors import StoreError
from blobpipes.storage.store import ObjectInfo, Store
from blobpipes.storage.usage import KINDS, Usage


class Meter:
    """Running counters, safe for threads. One meter may serve several stores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._bytes_up = self._bytes_down = self._errors = 0

    def count_request(self, kind: str, number: int = 1, *, bytes_up: int = 0) -> None:
        with self._lock:
            self._requests[kind] += number
            self._bytes_up += bytes_up

    def count_outcome(self, *, bytes_down: int = 0, errors: int = 0) -> None:
        with self._lock:
            self._bytes_down += bytes_down
            self._errors += errors

    def snapshot(self) -> Usage:
        """The counts at this moment."""
        with self._lock:
            requests = MappingProxyType(dict(self._requests))
            return Usage(requests, self._bytes_up, self._bytes_down, self._errors)


class MeteredStore:
    """`inner`, with every request counted. Put it below what retries, so that each try counts."""

    def __init__(self, inner: Store, meter: Meter) -> None:
        self.inner = inner
        self.meter = meter
        self._page = int(getattr(inner, "list_page", 1000))  # objects answered by one LIST

    @property
    def url(self) -> str:
        return self.inner.url

    def __repr__(self) -> str:
        return f"MeteredStore({self.inner!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self.meter.count_request("put", bytes_up=len(data))
        with self._errors_counted():
            return self.inner.put_if_absent(key, data)

    def put(self, key: str, data: bytes) -> None:
        self.meter.count_request("put", bytes_up=len(data))
        with self._errors_counted():
            self.inner.put(key, data)

    def get(self, key: str) -> bytes | None:
        self.meter.count_request("get")
        with self._errors_counted():
            data = self.inner.get(key)
        self.meter.count_outcome(bytes_down=len(data or b""))
        return data

    def start_get(self, key: str) -> Future[bytes | None]:
        self.meter.count_request("get")
        future = self.inner.start_get(key)
        future.add_done_callback(self._count_done)
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        self.meter.count_request("list")
        with self._errors_counted():
            found = self.inner.list(prefix)
        self.meter.count_request("list", max(1, math.ceil(len(found) / self._page)) - 1)
        return found

    def delete(self, key: str) -> None:
        self.meter.count_request("delete")
        with self._errors_counted():
            self.inner.delete(key)

    @contextmanager
    def _errors_counted(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            self.meter.count_outcome(errors=1)
            raise

    def _count_done(self, future: Future[bytes | None]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        down = len(future.result() or b"") if error is None else 0
        self.meter.count_outcome(bytes_down=down, errors=0 if error is None else 1)
