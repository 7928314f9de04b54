"""A store over any fsspec file system: the only module that imports fsspec.

Each store has its own file-system instance without listing cache, so that nothing it reads was remembered.
Asynchronous file systems are driven on their own loop with a deadline for each call, and `start_get` costs no
thread there. The others are called directly, one call at a time, because few of them are safe for threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import fsspec

from blobpipes.errors import StoreError
from blobpipes.storage import backends
from blobpipes.storage.background import run_in_background
from blobpipes.storage.cloud_calls import Pages, delete_azure_blob, from_find, list_pages
from blobpipes.storage.connect import connect
from blobpipes.storage.failures import Failure, Kind, as_store_error, classify
from blobpipes.storage.keys import check_key, check_prefix
from blobpipes.storage.scrub import Scrubber
from blobpipes.storage.store import ObjectInfo
from blobpipes.storage.url import scheme_of, without_secrets

T = TypeVar("T")
Objects = list[ObjectInfo]  # inside the class, `list` is the method

_GRACE: Final = 2.0  # seconds beyond the deadline for a loop that is busy; then we no longer wait for it
_MEMORY_LOCK: Final = threading.RLock()  # memory:// is one dict per process, and its create is a check and a write


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
        self._url = without_secrets(base)
        self._scrub = Scrubber(base, storage_options or {})
        self._timeout = timeout
        self._on_request = on_request
        self._fs, root, self._backend = connect(fsspec, base, storage_options or {}, self._scrub)
        self._root = root.rstrip("/")
        self._is_async = _is_async(self._fs)
        self._in_memory = "::" not in base and scheme_of(base) == "memory"
        self._lock = _MEMORY_LOCK if self._in_memory else threading.RLock()
        self._place_seen = self._backend is not backends.GCS  # gcsfs does not say which of the two is missing

    @property
    def url(self) -> str:
        return self._url

    @property
    def atomic_create(self) -> bool:
        """Whether `put_if_absent` is one conditional operation by construction (a server may still ignore it)."""
        return self._backend is not None or self._in_memory

    @property
    def list_page(self) -> int:
        """How many objects one LIST request answers."""
        return self._backend.page if self._backend else 1000

    def __repr__(self) -> str:
        return f"FsspecStore({self._url!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        try:
            created = self._create(path, data)
        except Exception as error:  # noqa: BLE001 - every exception is classified, none is dropped
            failure = classify(error)
            if failure.kind is not Kind.EXISTS:
                raise self._error("put", key, error, _no_answer(failure)) from self._cause(error)
            created = False
        self._place_seen = True
        return created

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            self._write(path, data)
        except Exception as error:  # noqa: BLE001
            raise self._error("put", key, error, _no_answer(classify(error))) from self._cause(error)
        self._place_seen = True

    def get(self, key: str) -> bytes | None:
        if self._is_async:
            return self._wait(self.start_get(key), "get", key)
        return self._get_directly(key, self._path(key))

    def start_get(self, key: str) -> Future[bytes | None]:
        path = self._path(key)
        if not self._is_async:
            return run_in_background(lambda: self._get_directly(key, path))
        return asyncio.run_coroutine_threadsafe(self._get_on_loop(key, path), self._fs.loop)

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        check_prefix(prefix)
        try:
            found = self._list_cloud(prefix) if self._backend else self._list_generic(prefix)
        except Exception as error:  # noqa: BLE001
            raise self._error("list", prefix or "*", error, _no_answer(classify(error))) from self._cause(error)
        self._place_seen = True
        return sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            self._remove(path)
        except Exception as error:  # noqa: BLE001
            failure = classify(error)
            if failure.kind is not Kind.ABSENT:
                raise self._error("delete", key, error, failure) from self._cause(error)
            if not self._place_seen:
                self._wait(asyncio.run_coroutine_threadsafe(self._look_for_place(), self._fs.loop), "delete", key)

    # --- the verbs, as the file systems have them ---------------------------------------------------

    def _create(self, path: str, data: bytes) -> bool:
        if self.atomic_create:
            self._call("pipe_file", path, data, mode="create", **backends.put_arguments(self._backend))
            return True
        with self._lock:  # at least not two of our own threads
            if self._call("exists", path):
                return False
            self._write(path, data)
            return True

    def _write(self, path: str, data: bytes) -> None:
        try:
            self._call("pipe_file", path, data, **backends.put_arguments(self._backend))
        except FileNotFoundError:
            if self._backend is not None:
                raise
            self._call("makedirs", path.rpartition("/")[0], exist_ok=True)
            self._call("pipe_file", path, data)

    def _remove(self, path: str) -> None:
        if self._backend is backends.AZURE:
            self._drive(delete_azure_blob(self._fs, path))
        else:
            self._call("rm_file", path)

    def _get_directly(self, key: str, path: str) -> bytes | None:
        try:
            return bytes(self._call("cat_file", path))
        except Exception as error:  # noqa: BLE001
            failure = classify(error)
            if failure.kind is Kind.ABSENT:
                return None
            raise self._error("get", key, error, failure) from self._cause(error)

    async def _get_on_loop(self, key: str, path: str) -> bytes | None:
        try:
            return bytes(await asyncio.wait_for(self._fs._cat_file(path), self._timeout))
        except Exception as error:  # noqa: BLE001
            failure = classify(error)
            if failure.kind is not Kind.ABSENT:
                raise self._error("get", key, error, failure) from self._cause(error)
        if not self._place_seen:
            await self._look_for_place()
        return None

    async def _look_for_place(self) -> None:
        """After the first "not found" of gcsfs: is it the object, or the whole bucket? One small LIST, once."""
        self._on_request("list")
        bucket = self._root.partition("/")[0]
        try:
            await asyncio.wait_for(self._fs._call("GET", "b/{}/o", bucket, maxResults=1), self._timeout)
        except Exception as error:  # noqa: BLE001
            failure = classify(error)
            if failure.kind is Kind.ABSENT:
                raise self._error("find", bucket, error, _no_answer(failure)) from None
            self._place_seen = failure.kind is Kind.DENIED  # we may not know, and need not ask again
        else:
            self._place_seen = True

    def _list_cloud(self, prefix: str) -> Objects:
        assert self._backend is not None
        pages: Pages = list_pages(self._backend, self._fs, self._root, prefix)
        found: Objects = []
        while (page := self._drive(anext(pages, None))) is not None:
            found += page
        return found

    def _list_generic(self, prefix: str) -> Objects:
        self._fs.invalidate_cache()
        top = f"{self._root}/{prefix}".rpartition("/")[0]
        try:
            found = self._call("find", top, detail=True)
        except Exception as error:
            if classify(error).kind is Kind.ABSENT:
                return []
            raise
        return [info for info in from_find(found, self._root) if info.key.startswith(prefix)]

    # --- how they are called ------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}" if self._root else check_key(key)

    def _call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        if self._is_async:
            return self._drive(getattr(self._fs, "_" + verb)(*args, **kwargs))
        with self._lock:
            return getattr(self._fs, verb)(*args, **kwargs)

    def _drive(self, work: Awaitable[T]) -> T:
        """Run one coroutine on the file system's loop and wait for it, but not for ever."""
        future = asyncio.run_coroutine_threadsafe(_limited(work, self._timeout), self._fs.loop)
        try:
            return future.result(self._timeout + _GRACE)
        finally:
            future.cancel()  # without effect on what is done

    def _wait(self, future: Future[T], verb: str, key: str) -> T:
        """The result of work that limits itself; a deadline all the same, for a loop that does not run."""
        try:
            return future.result(2 * self._timeout + _GRACE)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001
            future.cancel()
            raise self._error(verb, key, error, classify(error)) from self._cause(error)

    def _error(self, verb: str, key: str, error: BaseException, failure: Failure) -> StoreError:
        text = self._scrub.clean(str(error))
        detail = f" ({text})" if text and text != failure.reason else ""
        limit = f" after {self._timeout:g} s" if failure.reason == "timeout" else ""
        return as_store_error(failure, f"cannot {verb} {key} in {self._url}: {failure.reason}{limit}{detail}")

    def _cause(self, error: BaseException) -> BaseException | None:
        """The backend's exception as cause, unless a traceback would then print a secret."""
        return error if self._scrub.is_clean(error) else None


def _no_answer(failure: Failure) -> Failure:
    """For verbs that make objects or list them, "not found" can only mean the bucket."""
    return Failure(Kind.PLACE_MISSING, failure.reason) if failure.kind is Kind.ABSENT else failure


def _is_async(fs: Any) -> bool:
    """Whether coroutines can be used; a layer such as `dir::` claims so even over a file system that has none."""
    while fs.async_impl and hasattr(fs, "fs"):
        fs = fs.fs
    return bool(fs.async_impl) and not fs.asynchronous


async def _limited(work: Awaitable[T], timeout: float) -> T:
    return await asyncio.wait_for(work, timeout)
