"""A store by its URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.storage.retrying import RetryingStore
from blobpipes.storage.store import Store
from blobpipes.storage.url import local_path, parse_url

if TYPE_CHECKING:
    from blobpipes.retry import RetryPolicy


def open_store(
    url: str,
    *,
    storage_options: Mapping[str, Any] | None = None,
    retry: RetryPolicy | None = None,
    timeout: float = 20.0,
    meter: Meter | None = None,
) -> Store:
    """The store at `url`; its options after `?` are not looked at. Asks nothing of the store itself yet.

    `retry=None` gives a store that tries once, for callers with a retry plan of their own. `timeout` is
    seconds for each try where the file system is asynchronous. `meter` counts every try.

    Raises:
        InvalidUrlError: not a URL, or no file system serves its scheme.
        MissingBackendError: the scheme's package is missing or too old; says what to install.
        InvalidOptionError, StoreDeniedError: the storage options cannot work.
    """
    base = parse_url(url).base
    store = _open_raw(base, storage_options, timeout, meter)
    if meter is not None:
        store = MeteredStore(store, meter)
    return RetryingStore(store, retry) if retry is not None else store


def _open_raw(base: str, storage_options: Mapping[str, Any] | None, timeout: float, meter: Meter | None) -> Store:
    directory = local_path(base)
    if directory is not None:
        return LocalStore(directory)
    from blobpipes.storage.fsspec_store import FsspecStore  # fsspec is not loaded for local disks

    count = meter.count_request if meter is not None else lambda kind: None
    return FsspecStore(base, storage_options=storage_options, timeout=timeout, on_request=count)
