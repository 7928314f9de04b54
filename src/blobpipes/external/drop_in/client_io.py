"""The loader, the writer and the channel that the three clouds' public classes are: they differ in the vendor only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, cast

from blobpipes.external.addresses import BUCKET, KEY, text_param
from blobpipes.external.blob_store_channel import StoreMessageWriterChannel
from blobpipes.external.context_loaders import PipesBlobStoreContextLoader, PipesContextLoader, read_context
from blobpipes.external.drop_in.vendor import StorageOptions, Vendor, all_options, messages_place
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter, T_BlobStoreMessageWriterChannel
from blobpipes.external.metering import meter_before_writing, take_meter
from blobpipes.storage.retrying import RetryingStore
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import PipesParams


class ClientContextLoader(PipesContextLoader):
    """Reads the context from the object that the params `bucket` and `key` name.

    Args:
        client: the vendor's, used as it is; None for the credentials of this process's environment.
        storage_options: for fsspec, without a client.

    Raises:
        InvalidOptionError: `client` is something else.
    """

    _vendor: ClassVar[Vendor]

    def __init__(self, client: Any = None, *, storage_options: StorageOptions = None) -> None:
        self._client = self._vendor.checked(client, storage_options)
        self._storage_options = storage_options

    def load_context(self, params: PipesParams) -> AbstractContextManager[PipesContextData]:
        self._vendor.require_here(params, self)
        if self._client is None:
            return PipesBlobStoreContextLoader(self._vendor.url, self._storage_options).load_context(params)
        from blobpipes.retry import RetryPolicy  # with tenacity: only a context in a store needs it

        folder, slash, key = text_param(params, KEY).rpartition("/")
        bucket, meter = text_param(params, BUCKET), meter_before_writing()
        store = self._vendor.open(self._client, bucket, folder + slash, storage_options=None, meter=meter)
        return nullcontext(read_context(RetryingStore(store, RetryPolicy()), key))


class ClientChannel(StoreMessageWriterChannel):
    """Chunks in a bucket; open it with `buffered_upload_loop`.

    Args:
        client: as the message writer's.
        key_prefix: what stands before `/1.json`; nothing if None or empty.
        interval: seconds a message may wait at most.
        storage_options: for fsspec, without a client.
    """

    _vendor: ClassVar[Vendor]

    def __init__(
        self,
        client: Any,
        bucket: str,
        key_prefix: str | None = None,
        *,
        interval: float | None = None,
        storage_options: StorageOptions = None,
    ) -> None:
        top, meter = f"{key_prefix}/" if key_prefix else "", take_meter()
        store = self._vendor.open(client, bucket, top, storage_options=storage_options, meter=meter)
        super().__init__(store, interval=interval, usage=meter.snapshot)


class ClientMessageWriter(PipesBlobStoreMessageWriter[T_BlobStoreMessageWriterChannel]):
    """Writes messages as numbered chunks where the params `bucket` and `key_prefix` say.

    Args:
        client: the vendor's, used as it is; None for the credentials of this process's environment.
        interval: seconds a message may wait at most; 10 if nobody says otherwise.
        storage_options: for fsspec, without a client.
        options: any other option of the log: `close_timeout=60`, `strict_bytes=True`.

    Raises:
        InvalidOptionError: `client` is something else, or an option is unknown.
    """

    _vendor: ClassVar[Vendor]
    _channel: ClassVar[type[ClientChannel]]
    _client: Any = None  # for subclasses whose __init__ does not call this one

    def __init__(
        self,
        client: Any = None,
        *,
        interval: float | str | None = None,
        storage_options: StorageOptions = None,
        **options: Any,
    ) -> None:
        super().__init__(self._vendor.url, interval=interval, storage_options=storage_options, **options)
        self._client = self._vendor.checked(client, storage_options)

    def make_channel(self, params: PipesParams) -> T_BlobStoreMessageWriterChannel:
        self._vendor.require_here(params, self)
        bucket, key_prefix = messages_place(params)
        options = all_options(params, self._storage_options) if self._client is None else None
        channel = self._channel(self._client, bucket, key_prefix, storage_options=options)
        return cast(T_BlobStoreMessageWriterChannel, channel)
