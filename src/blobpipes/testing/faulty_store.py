"""A store that fails by script, so that a failure replays and shrinks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Final, TypeVar

from blobpipes.errors import StoreDeniedError, StoreError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.storage.store import ObjectInfo, Store

T = TypeVar("T")
Script = Iterable[str | None]

FAULTS: Final = {
    "request lost": "unavailable; nothing was done",
    "reply lost": "unavailable; it was done all the same",
    "late": "unavailable; a put is done later, by `land` or just before the `late_by`-th call that follows",
    "conflict": "unavailable with reason 'conflict' (S3's 409); nothing was done",
    "false exists": "put_if_absent says False; nothing was done",
    "denied": "refused; nothing was done",
    "place missing": "no such bucket; nothing was done",
    "false absent": "get says None, list says nothing, whatever is there",
    "torn": "get answers the first half of the object, as weak file systems may",
}
"""What a script may say for one call, besides None for "works"."""


class FaultyStore:
    """`inner`, failing as the scripts say: each call of a verb takes one entry; after the last, all calls work.

    `puts` serves `put` and `put_if_absent`, `gets` also `start_get`. Scripts may be endless, and are read by
    whichever thread calls next. `calls` lists what was asked, as ("put", "1.json").
    """

    def __init__(
        self,
        inner: Store,
        *,
        puts: Script = (),
        gets: Script = (),
        lists: Script = (),
        deletes: Script = (),
        late_by: int | None = None,
    ) -> None:
        self.inner = inner
        self.calls: list[tuple[str, str]] = []
        self._scripts = {"put": iter(puts), "get": iter(gets), "list": iter(lists), "delete": iter(deletes)}
        self._late_by = late_by
        self._late: list[tuple[int, Callable[[], object]]] = []  # number of the call before which it lands
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        return self.inner.url

    def __repr__(self) -> str:
        return f"FaultyStore({self.inner!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._write(key, lambda: self.inner.put_if_absent(key, data), false_exists=False)

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda: self.inner.put(key, data), false_exists=None)

    def get(self, key: str) -> bytes | None:
        fault = self._next("get", key)
        data = self._act(fault, "get", key, lambda: self.inner.get(key))
        if fault == "false absent" or data is None:
            return None
        return data[: len(data) // 2] if fault == "torn" else data

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        try:
            future.set_result(self.get(key))
        except StoreError as error:
            future.set_exception(error)
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        fault = self._next("list", prefix)
        found = self._act(fault, "list", prefix, lambda: self.inner.list(prefix))
        return [] if fault == "false absent" else found

    def delete(self, key: str) -> None:
        self._act(self._next("delete", key), "delete", key, lambda: self.inner.delete(key))

    def land(self) -> int:
        """Do all puts that are still late, oldest first; says how many there were."""
        return self._land_until(None)

    def _write(self, key: str, work: Callable[[], T], *, false_exists: T) -> T:
        fault = self._next("put", key)
        if fault == "false exists":
            return false_exists
        if fault == "late":
            with self._lock:
                due = len(self.calls) + self._late_by - 1 if self._late_by is not None else -1
                self._late.append((due, work))
        return self._act(fault, "put", key, work)

    def _next(self, verb: str, key: str) -> str | None:
        with self._lock:
            self._land_until(len(self.calls))
            self.calls.append((verb, key))
            fault = next(self._scripts[verb], None)
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; known: {', '.join(FAULTS)}")
        return fault

    def _land_until(self, call: int | None) -> int:
        with self._lock:
            due = [entry for entry in self._late if call is None or -1 < entry[0] <= call]
            self._late = [entry for entry in self._late if entry not in due]
            for _, work in due:
                work()
        return len(due)

    def _act(self, fault: str | None, verb: str, key: str, work: Callable[[], T]) -> T:
        where = f"cannot {verb} {key} in {self.url}"
        if fault in ("request lost", "late"):
            raise StoreUnavailableError(f"{where}: {fault}", reason=fault)
        if fault == "conflict":
            raise StoreUnavailableError(f"{where}: conflict", reason="conflict")
        if fault == "denied":
            raise StoreDeniedError(f"{where}: denied", reason="denied")
        if fault == "place missing":
            raise StorePlaceMissingError(f"{where}: no such bucket", reason="NoSuchBucket")
        result = work()
        if fault == "reply lost":
            raise StoreUnavailableError(f"{where}: reply lost", reason="reply lost")
        return result
