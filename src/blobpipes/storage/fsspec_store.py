"""A store over any fsspec file system: the only module that imports fsspec.

Each store has its own file-system instance without listing cache, so that nothing it reads was remembered.
What a backend raises is classified here, once; `driver.py` does the calling and the waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import fsspec

from blobpipes.errors import StoreError
from blobpipes.storage import backends
from blobpipes.storage.background import run_in_background
from blobpipes.storage.cloud_calls import delete_azure_blob, from_find, list_pages
from blobpipes.storage.connect import connect
from blobpipes.storage.driver import Driver
from blobpipes.storage.failed_call import failure_of, raise_failure
from blobpipes.storage.failures import Kind, classify
from blobpipes.storage.keys import check_key, check_prefix
from blobpipes.storage.scrub import Scrubber
from blobpipes.storage.store import ObjectInfo
from blobpipes.storage.url import without_secrets

Objects = list[ObjectInfo]  # inside the class, `list` is the method

_MEMORY_LOCK: Final = threading.RLock()  # memory:// is one dict per process, and its create is a check and a write
_REFUSALS: Final = 3  # in a row, until a fresh file system looks for fresh credentials; then twice as many, and so on


class FsspecStore:
    """Objects below `base` on the file system that serves its scheme."""

    def __init__(
        self,
        base: str,
        *,
        storage_options: Mapping[str, Any] | None = None,
        timeout: float = 20.0,
        on_request: Callable[[str], None] = lambda kind: None,
    ) -> None:
        """`base` comes from `parse_url`; `timeout` is seconds for each call where the file system is asynchronous.

        `on_request` is told the kind of every request that no caller asked for (the look for a missing bucket).

        Raises:
            InvalidUrlError, MissingBackendError: no such scheme, or its package is missing or too old.
            InvalidOptionError, StoreDeniedError: the file system cannot be made from these storage options.
        """
        self._base = base
        self._options = dict(storage_options or {})
        self._url = without_secrets(base)
        self._timeout = timeout
        self._on_request = on_request
        self._in_memory = base.startswith("memory://")
        self._lock = _MEMORY_LOCK if self._in_memory else threading.RLock()
        self._refusals, self._patience = 0, _REFUSALS
        self._connect()
        self._place_seen = self._backend is not backends.GCS  # gcsfs does not say which of the two is missing

    @property
    def url(self) -> str:
        return self._url

    @property
    def atomic_create(self) -> bool:
        """Whether `put_if_absent` is one conditional operation by construction (a server may still ignore it).

        A file system that we do not know may say so of its `pipe_file(mode="create")`, by an attribute of this name.
        """
        is_promised = getattr(self._driver.fs, "atomic_create", False) is True
        return self._backend is not None or self._in_memory or is_promised

    @property
    def list_page(self) -> int:
        """How many objects one LIST request answers."""
        return self._backend.page if self._backend else 1000

    def __repr__(self) -> str:
        return f"FsspecStore({self._url!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with self._failures("put", key):
            created = self._create(path, data)
        self._place_seen = True
        return created

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with self._failures("put", key):
            self._write(path, data)
        self._place_seen = True

    def get(self, key: str) -> bytes | None:
        future = self.start_get(key)
        with self._failures("get", key):
            return self._driver.wait(future, calls=2) if self._driver.is_async else future.result()

    def start_get(self, key: str) -> Future[bytes | None]:
        path, driver = self._path(key), self._driver
        if driver.is_async:
            return driver.submit(self._get_on_loop(driver, key, path))
        return run_in_background(lambda: self._get_directly(driver, key, path))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        check_prefix(prefix)
        self._renew_if_refused()
        with self._failures("list", prefix or "*"):
            found = self._list_cloud(prefix) if self._backend else self._list_generic(prefix)
        self._place_seen = True
        return sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._failures("delete", key):
            if not self._remove(path) and not self._place_seen:
                self._driver.wait(self._driver.submit(self._look_for_place(self._driver)))

    # --- the verbs, as the file systems have them; what they raise is not yet classified ------------

    def _create(self, path: str, data: bytes) -> bool:
        if not self.atomic_create:
            return self._check_and_write(path, data)
        try:
            self._driver.call("pipe_file", path, data, mode="create", **backends.put_arguments(self._backend))
        except Exception as error:
            if classify(error).kind is Kind.EXISTS:
                return False
            raise
        return True

    def _check_and_write(self, path: str, data: bytes) -> bool:
        with self._lock:  # at least not two of our own threads
            if self._driver.call("exists", path):
                return False
            self._write(path, data)
            return True

    def _write(self, path: str, data: bytes) -> None:
        try:
            self._driver.call("pipe_file", path, data, **backends.put_arguments(self._backend))
        except FileNotFoundError:
            if self._backend is not None:
                raise
            self._driver.call("makedirs", path.rpartition("/")[0], exist_ok=True)
            self._driver.call("pipe_file", path, data)

    def _remove(self, path: str) -> bool:
        """False: it was not there."""
        try:
            if self._backend is backends.AZURE:
                self._driver.run(lambda: delete_azure_blob(self._driver.fs, path))
            else:
                self._driver.call("rm_file", path)
        except Exception as error:
            if classify(error).kind is Kind.ABSENT:
                return False
            raise
        return True

    def _get_directly(self, driver: Driver, key: str, path: str) -> bytes | None:
        with self._failures("get", key):
            try:
                return bytes(driver.call("cat_file", path))
            except Exception as error:
                if classify(error).kind is Kind.ABSENT:
                    return None
                raise

    async def _get_on_loop(self, driver: Driver, key: str, path: str) -> bytes | None:
        with self._failures("get", key):
            try:
                return bytes(await driver.limit(lambda: driver.fs._cat_file(path)))
            except Exception as error:
                if classify(error).kind is not Kind.ABSENT:
                    raise
            if not self._place_seen:
                await self._look_for_place(driver)
            return None

    async def _look_for_place(self, driver: Driver) -> None:
        """After the first "not found" of gcsfs: is it the object, or the whole bucket? One small LIST, once."""
        self._on_request("list")
        try:
            bucket = self._root.partition("/")[0]
            await driver.limit(lambda: driver.fs._call("GET", "b/{}/o", bucket, maxResults=1))
        except Exception as error:
            failure = classify(error)
            if failure.kind is Kind.ABSENT:
                raise
            self._place_seen = failure.kind is Kind.DENIED  # we may not know, and need not ask again
        else:
            self._place_seen = True

    def _list_cloud(self, prefix: str) -> Objects:
        assert self._backend is not None
        pages = list_pages(self._backend, self._driver.fs, self._root, prefix)
        found: Objects = []
        while (page := self._driver.run(lambda: anext(pages, None))) is not None:
            found += page
        return found

    def _list_generic(self, prefix: str) -> Objects:
        self._driver.fs.invalidate_cache()
        try:
            found = self._driver.call("find", f"{self._root}/{prefix}".rpartition("/")[0], detail=True)
        except Exception as error:
            if classify(error).kind is Kind.ABSENT:
                return []
            raise
        return [info for info in from_find(found, self._root) if info.key.startswith(prefix)]

    # --- connection and failures --------------------------------------------------------------------

    def _path(self, key: str) -> str:
        check_key(key)
        self._renew_if_refused()
        return f"{self._root}/{key}" if self._root else key

    def _connect(self) -> None:
        self._scrub = Scrubber(self._base, self._options)
        fs, root, self._backend = connect(fsspec, self._base, self._options, self._scrub)
        self._root = root.rstrip("/")
        self._driver = Driver(fs, timeout=self._timeout, lock=self._lock)

    def _renew_if_refused(self) -> None:
        """Credentials are renewed outside, in files and variables that a file system reads only once."""
        if self._refusals >= self._patience:
            self._refusals, self._patience = 0, 2 * self._patience
            self._connect()

    @contextmanager
    def _failures(self, verb: str, key: str) -> Iterator[None]:
        """Raise what a backend raises as one of our errors, without secrets; and count refusals in a row."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - every exception is classified, none is dropped
            failure = failure_of(error)
            self._refusals = self._refusals + 1 if failure.kind is Kind.DENIED else 0
            raise_failure(failure, error, f"{verb} {key} in {self._url}", self._scrub, timeout=self._timeout)
        self._refusals = 0
