"""Where a session lives in a store: from a URL, a name and options to stores and params.

The two halves of a session (context injector, message reader) each make one; with the same URL and name
they mean the same place. Only `shown` may leave this process: the URL may hold a password.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blobpipes.chunklog.options import LogOptions, parse_options
from blobpipes.cost.bill import store_key
from blobpipes.orchestration.ids import checked_session_name, new_id
from blobpipes.retry import RetryPolicy
from blobpipes.storage.metered import Meter
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.storage.url import bucket_and_prefix, join, local_path, parse_url, without_secrets

OPENING: RetryPolicy = RetryPolicy(attempts=4, deadline=15.0)  # a person waits for the session to open


@dataclass(frozen=True, slots=True)
class Storage:
    """A URL under which sessions live, and how to reach it."""

    base: str = field(repr=False)  # with a password, if the URL has one
    options: LogOptions
    storage_options: Mapping[str, Any] | None = field(repr=False, default=None)  # for fsspec, never passed on

    @property
    def shown(self) -> str:
        """The URL for people and for other processes."""
        return without_secrets(self.base)

    @property
    def identity(self) -> str:
        """The same for the same storage reached in the same way; tells nothing else."""
        return hashlib.blake2b(repr((self.base, self.storage_options)).encode(), digest_size=16).hexdigest()

    @property
    def price_key(self) -> str:
        """Under which name a table of prices knows this store."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return store_key(self.base, self.storage_options, endpoint=endpoint)

    def session(self, name: str | None) -> SessionPlace:
        """The place of the session called `name`, or of a new one."""
        return SessionPlace(self, checked_session_name(name) if name is not None else new_id())


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """The prefix of one session."""

    storage: Storage
    name: str

    @property
    def url(self) -> str:
        """The session's URL, without secrets."""
        return join(self.storage.shown, self.name)

    def open_store(self, *, retry: RetryPolicy | None, meter: Meter | None = None) -> Store:
        """A store rooted at the session's prefix."""
        url = join(self.storage.base, self.name)
        return open_store(url, storage_options=self.storage.storage_options, retry=retry, meter=meter)

    def official_params(self, key_name: str, key: str = "") -> dict[str, Any]:
        """How the official packages name a place here: `path` on disks, `bucket` and `key_name` in buckets."""
        url = join(self.url, key)
        path = local_path(url)
        if path is not None:
            return {"path": path}
        bucket = bucket_and_prefix(url)
        return {} if bucket is None else {"bucket": bucket[0], key_name: bucket[1]}


def parse_storage(url: str, storage_options: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Storage:
    """The storage at `url`. Options given as keywords win over those in the URL.

    Raises:
        InvalidUrlError, InvalidOptionError: something in it cannot be understood.
    """
    parsed = parse_url(url)
    log_options = parse_options({**parsed.options, **{name: v for name, v in options.items() if v is not None}})
    return Storage(parsed.base, log_options, storage_options)
