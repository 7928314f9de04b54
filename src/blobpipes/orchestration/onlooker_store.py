"""A store for somebody who only looks: nothing can be put or deleted by it, and it remembers what was seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NoReturn

from blobpipes.chunklog.layout import chunk_number
from blobpipes.clock import Clock
from blobpipes.errors import BlobpipesError, StoreDeniedError
from blobpipes.orchestration.archived_store import open_archive
from blobpipes.storage.store import ObjectInfo, Store


class OnlookerStore:
    """`inner`, to look at. Keeps the bytes of the last two chunks. Safe for threads."""

    def __init__(
        self, inner: Store, clock: Clock, *, on_chunk: Callable[[int, bytes], None] = lambda number, data: None
    ) -> None:
        """`on_chunk` is told of each chunk that is got, once, in whatever order and by whatever thread."""
        self.inner = inner
        self._on_chunk = on_chunk
        self.trouble: str | None = None  # what the last get failed with
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[int, float] = {}  # chunk to when it was first got: seconds since 1970
        self._data: dict[int, bytes] = {}

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def chunks(self) -> int:
        """How many different chunks were got."""
        return len(self._seen)

    @property
    def last_number(self) -> int:
        """The highest chunk got; 0 before the first."""
        with self._lock:
            return max(self._data, default=0)

    @property
    def last_two(self) -> tuple[bytes | None, bytes | None]:
        """The last chunk got, and the one before it."""
        with self._lock:
            last = max(self._data, default=0)
            return self._data.get(last), self._data.get(last - 1)

    def seen_at(self, chunk: int) -> float | None:
        """When the chunk was first got: seconds since 1970."""
        return self._seen.get(chunk)

    def get(self, key: str) -> bytes | None:
        return self.inner.get(key)

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        future.set_running_or_notify_cancel()
        self.inner.start_get(key).add_done_callback(self._remember(key, future))
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """Where the session was archived meanwhile, what is in the archive: from here on the chunks come from there."""
        found = self.inner.list(prefix)
        archived = open_archive(self.inner, [info.key for info in found])
        if archived is None:
            return found
        self.inner = archived
        return archived.list(prefix)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._refuse(key)

    def put(self, key: str, data: bytes) -> None:
        self._refuse(key)

    def delete(self, key: str) -> None:
        self._refuse(key)

    def _refuse(self, key: str) -> NoReturn:
        raise StoreDeniedError(f"{key} in {self.url} is only looked at here", reason="onlooker")

    def _remember(self, key: str, future: Future[bytes | None]) -> Callable[[Future[bytes | None]], None]:
        """Take note of the answer before anybody else learns of it."""

        def answered(answer: Future[bytes | None]) -> None:
            error = answer.exception()
            if error is not None:
                self.trouble = error.message if isinstance(error, BlobpipesError) else str(error)
                future.set_exception(error)
                return
            self.trouble = None
            number, data = chunk_number(key), answer.result()
            if number is not None and data is not None:
                self._keep(number, data)
            future.set_result(data)

        return answered

    def _keep(self, number: int, data: bytes) -> None:
        with self._lock:
            if number not in self._seen:
                self._seen[number] = self._clock.wall()
                self._on_chunk(number, data)
            self._data[number] = data
            for old in [each for each in self._data if each < max(self._data) - 1]:
                del self._data[old]
