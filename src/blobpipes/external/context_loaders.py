"""From context params to the context: inline, a file, or an object in any store."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, cast

from blobpipes.errors import DagsterPipesError
from blobpipes.external.addresses import BUCKET, PATH, cannot_use, context_address, entry_of, parse_own_url, text_param
from blobpipes.external.metering import meter_before_writing
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.storage.url import join
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import PipesParams

_REMEDY: Final = "Check what the orchestration side wrote as the context, and that both sides reach the same place."


class PipesContextLoader(ABC):
    """Gets the context that the orchestration process put somewhere. Subclass it for a place of your own."""

    @abstractmethod
    def load_context(self, params: PipesParams) -> AbstractContextManager[PipesContextData]:
        """A context manager (write it with `@contextmanager`) that gives the context's JSON object.

        It stays open until the pipes context is closed. What it gives is checked by the caller.
        """


class PipesBlobStoreContextLoader(PipesContextLoader):
    """Reads the context from an object in a store.

    Args:
        url: the scheme (`"s3://"`), needed only for params that name a bucket but no provider; else
            BLOBPIPES_URL tells it.
        storage_options: for the file system, as they are. They are never shown nor passed on.

    Raises:
        InvalidUrlError: at once.
    """

    def __init__(self, url: str | None = None, storage_options: Mapping[str, Any] | None = None) -> None:
        if url is not None:
            parse_own_url(url)
        self._url = url
        self._storage_options = dict(storage_options or {})

    @contextmanager
    def load_context(self, params: PipesParams) -> Iterator[PipesContextData]:
        from blobpipes.retry import RetryPolicy  # with tenacity: only a context in a store needs it

        address, key = context_address(params, self._url, self._storage_options)
        options, meter = address.storage_options, meter_before_writing()
        store = open_store(address.url, storage_options=options, retry=RetryPolicy(), meter=meter)
        yield read_context(store, key)


class PipesDefaultContextLoader(PipesContextLoader):
    """Reads the context from wherever the params say: any store's URL, a file, or the params themselves."""

    FILE_PATH_KEY = PATH
    DIRECT_KEY = "data"

    @contextmanager
    def load_context(self, params: PipesParams) -> Iterator[PipesContextData]:
        if self.FILE_PATH_KEY in params:
            yield read_context_file(text_param(params, self.FILE_PATH_KEY))
        elif self.DIRECT_KEY in params:
            yield _inline(params[self.DIRECT_KEY])
        elif BUCKET in params or "url" in (entry_of(params) or {}):
            with PipesBlobStoreContextLoader().load_context(params) as data:
                yield data
        else:
            raise cannot_use(params, "the default context loader", "`path`, `data` or a store's URL")


def read_context(store: Store, key: str) -> PipesContextData:
    """The context that is the object `key`."""
    where = join(store.url, key)
    data = store.get(key)
    if data is None:
        raise DagsterPipesError(f"there is no context at {where}", remedy=_REMEDY)
    return _decode(data, where)


def read_context_file(path: str) -> PipesContextData:
    """The context that is a file of this machine."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DagsterPipesError(f"the context file {path} cannot be read: {reason}", remedy=_REMEDY) from error
    return _decode(data, path)


def _inline(data: Any) -> PipesContextData:
    if not isinstance(data, Mapping):
        raise DagsterPipesError(f"the context param `data` must be an object, not {type(data).__name__}")
    return cast(PipesContextData, data)


def _decode(data: bytes, where: str) -> PipesContextData:
    try:
        return cast(PipesContextData, json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise DagsterPipesError(f"the context at {where} is not UTF-8 JSON: {error}", remedy=_REMEDY) from error
