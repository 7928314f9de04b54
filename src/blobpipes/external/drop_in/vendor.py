"""A bucket of one of the three clouds, from params, through a client or by URL.

A client that the program has made itself is used as it is. Without one the bucket is reached by its URL, through
fsspec, with the credentials that this process finds in its environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from blobpipes.errors import DagsterPipesError, InvalidOptionError
from blobpipes.external.addresses import (
    BUCKET,
    KEY_PREFIX,
    cannot_use,
    entry_of,
    escape,
    lane_folder,
    passed_options,
    text_param,
)
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.storage.open import open_store
from blobpipes.storage.sdk.client_store import Bucket, ClientStore
from blobpipes.storage.store import Store
from blobpipes.storage.url import scheme_of, without_secrets
from blobpipes.wire.params import PipesParams

StorageOptions = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Vendor:
    """One cloud's object store."""

    schemes: tuple[str, ...]  # of its URLs; the first is the one that we write
    client: str  # how people make a client
    method: str  # which every such client has
    bucket: Callable[[Any, str], Bucket]

    @property
    def url(self) -> str:
        """The URL without a bucket."""
        return f"{self.schemes[0]}://"

    def checked(self, client: Any, storage_options: StorageOptions) -> Any:
        """`client` itself.

        Raises:
            InvalidOptionError: it is no client of this vendor, or options for fsspec came along with it.
        """
        if client is not None and not hasattr(client, self.method):
            raise InvalidOptionError(
                f"{type(client).__name__} is not a client of {self.url} stores",
                remedy=f"Pass a {self.client}, or nothing to go by URL.",
            )
        if client is not None and storage_options:
            raise InvalidOptionError(
                "storage_options are for fsspec, which a client replaces", remedy="Pass one of the two."
            )
        return client

    def open(self, client: Any, bucket: str, top: str, *, storage_options: StorageOptions, meter: Meter) -> Store:
        """The store of everything in `bucket` whose name begins with `top`: nothing, or what ends in `/`."""
        if client is not None:
            return MeteredStore(ClientStore(self.bucket(client, bucket), top), meter)
        return open_store(f"{self.url}{bucket}/{escape(top)}", storage_options=storage_options, meter=meter)

    def require_here(self, params: PipesParams, who: object) -> None:
        """Refuse params that name a bucket of another vendor, or none.

        Raises:
            DagsterPipesError: says where the session is.
        """
        named = (entry_of(params) or {}).get("url")
        if isinstance(named, str) and scheme_of(named) not in self.schemes:
            raise DagsterPipesError(
                f"the session is at {without_secrets(named)}, and {type(who).__name__} reaches only {self.url}",
                remedy="Leave the loader and the writer to open_dagster_pipes(), or pass those of that store.",
            )
        if BUCKET not in params:
            raise cannot_use(params, type(who).__name__, f"`{BUCKET}`")


def messages_place(params: PipesParams) -> tuple[str, str | None]:
    """The bucket and the key prefix of the chunks, as the params say them; with lanes, of this process's lane."""
    prefix = None if params.get(KEY_PREFIX) is None else text_param(params, KEY_PREFIX)
    lane = lane_folder(params)
    return text_param(params, BUCKET), "/".join(part for part in (prefix, lane) if part) or None


def all_options(params: PipesParams, given: StorageOptions) -> dict[str, Any]:
    """What fsspec is told beyond the environment: by the orchestration side, and stronger by this one."""
    return {**passed_options(params), **(given or {})}
