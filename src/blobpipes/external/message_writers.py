"""From messages params to an open channel: which way do messages leave this process?"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Generic, TextIO, TypedDict, TypeVar, cast, final

from blobpipes.errors import DagsterPipesError
from blobpipes.external.addresses import (
    PATH,
    cannot_use,
    entry_of,
    leads_to_store,
    log_options,
    messages_address,
    text_param,
    with_agreed_compression,
)
from blobpipes.external.blob_store_channel import (
    PipesBlobStoreMessageWriterChannel,
    StoreMessageWriterChannel,
    not_too_short,
)
from blobpipes.external.channels import (
    PipesBufferedStreamMessageWriterChannel,
    PipesFileMessageWriterChannel,
    PipesMessageWriterChannel,
    PipesStreamMessageWriterChannel,
)
from blobpipes.external.log_capture import DRAIN_TIMEOUT, PipesDefaultLogWriter, PipesLogWriter
from blobpipes.external.metering import take_meter
from blobpipes.storage.open import open_store
from blobpipes.wire.params import PipesExtras, PipesParams

INCLUDE_STDIO: Final = "include_stdio_in_messages"
_COMPOSITE: Final = "dagster_pipes_composite_writers"

T_MessageChannel = TypeVar("T_MessageChannel", bound=PipesMessageWriterChannel)
T_BlobStoreMessageWriterChannel = TypeVar("T_BlobStoreMessageWriterChannel", bound=PipesBlobStoreMessageWriterChannel)


class PipesOpenedData(TypedDict):
    """What the first message tells."""

    extras: PipesExtras


class PipesMessageWriter(ABC, Generic[T_MessageChannel]):
    """Opens a channel as the messages params say. Subclass it for a channel of your own."""

    @abstractmethod
    def open(self, params: PipesParams) -> AbstractContextManager[T_MessageChannel]:
        """A context manager (write it with `@contextmanager`) that gives the channel. Leaving it closes the channel."""

    @final
    def get_opened_payload(self) -> PipesOpenedData:
        """What the message `opened` carries. Override `get_opened_extras`, not this."""
        return {"extras": self.get_opened_extras()}

    def get_opened_extras(self) -> PipesExtras:
        """What the orchestration process should know of this one from its first message on."""
        return {}


class PipesBlobStoreMessageWriter(PipesMessageWriter[T_BlobStoreMessageWriterChannel]):
    """Writes messages as numbered chunks into a store, or whatever a subclass makes of a chunk.

    The orchestration side says where. Only with an official one, whose params name a bucket but no
    provider, this side must know the scheme: from `url`, else from BLOBPIPES_URL.

    To store chunks elsewhere, override `make_channel` and return a subclass of
    `PipesBlobStoreMessageWriterChannel` that has `upload_messages_chunk`.

    Args:
        url: scheme (`"s3://"`) and options (`"s3://?interval=2s"`).
        interval: seconds a message may wait at most; 10 if nobody says otherwise, and 0 is a second.
        storage_options: for the file system, as they are. They are never shown nor passed on.
        options: any other option of the log, as in the URL: `heartbeat="2m"`, `close_timeout=60`.

    Raises:
        InvalidUrlError, InvalidOptionError: at once.
    """

    INCLUDE_STDIO_IN_MESSAGES_KEY: str = INCLUDE_STDIO
    interval: float = 10.0  # seconds; what holds is known once `open` has seen the params

    # for subclasses whose __init__ does not call this one
    _url: str | None = None
    _storage_options: Mapping[str, Any] = {}
    _given: Mapping[str, Any] = {}

    def __init__(
        self,
        url: str | None = None,
        *,
        interval: float | str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._url = url
        self._storage_options = dict(storage_options or {})
        self._given = {"interval": not_too_short(interval), **options}
        self.interval = log_options({}, url, self._given).interval

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[T_BlobStoreMessageWriterChannel]:
        options = with_agreed_compression(log_options(params, self._url, self._given), params)
        self.interval = options.interval
        channel = self.make_channel(params)
        channel.configure(options, negotiated=entry_of(params) is not None)
        with channel.buffered_upload_loop(), captured_output(params, channel, options.close_timeout):
            yield channel

    def make_channel(self, params: PipesParams) -> T_BlobStoreMessageWriterChannel:
        """The channel that stores chunks as the params say."""
        address = messages_address(params, self._url, self._storage_options)
        meter = take_meter()
        store = open_store(address.url, storage_options=address.storage_options, meter=meter)
        return cast("T_BlobStoreMessageWriterChannel", StoreMessageWriterChannel(store, usage=meter.snapshot))


class PipesDefaultMessageWriter(PipesMessageWriter[PipesMessageWriterChannel]):
    """Writes where the params say: a file, a standard stream, a chunk directory, or any store."""

    FILE_PATH_KEY = PATH
    STDIO_KEY = "stdio"
    BUFFERED_STDIO_KEY = "buffered_stdio"
    STDERR = "stderr"
    STDOUT = "stdout"
    INCLUDE_STDIO_IN_MESSAGES_KEY: str = INCLUDE_STDIO

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[PipesMessageWriterChannel]:
        with self._channel(params) as channel:
            yield channel

    def _channel(self, params: PipesParams) -> AbstractContextManager[PipesMessageWriterChannel]:
        if leads_to_store(params):
            writer: PipesBlobStoreMessageWriter[PipesBlobStoreMessageWriterChannel] = PipesBlobStoreMessageWriter()
            return writer.open(params)
        if self.FILE_PATH_KEY in params:
            return _open_file(text_param(params, self.FILE_PATH_KEY), params)
        if self.STDIO_KEY in params:
            return nullcontext(PipesStreamMessageWriterChannel(_stream(params, self.STDIO_KEY)))
        if self.BUFFERED_STDIO_KEY in params:
            return _open_buffered(_stream(params, self.BUFFERED_STDIO_KEY))
        raise _no_channel(params)


@contextmanager
def captured_output(
    params: PipesParams, channel: PipesMessageWriterChannel, drain_timeout: float = DRAIN_TIMEOUT
) -> Iterator[None]:
    """What this process and its children print goes into the channel too, if the params ask for it."""
    if not params.get(INCLUDE_STDIO):
        yield
        return
    log_writer = PipesDefaultLogWriter(message_channel=channel, drain_timeout=drain_timeout)
    with log_writer.open(params.get(PipesLogWriter.LOG_WRITER_KEY) or {}):
        yield


@contextmanager
def _open_file(path: str, params: PipesParams) -> Iterator[PipesMessageWriterChannel]:
    channel = PipesFileMessageWriterChannel(path)
    with captured_output(params, channel):
        yield channel


@contextmanager
def _open_buffered(stream: TextIO) -> Iterator[PipesMessageWriterChannel]:
    channel = PipesBufferedStreamMessageWriterChannel(stream)
    try:
        yield channel
    finally:
        channel.flush()


def _stream(params: PipesParams, key: str) -> TextIO:
    name = text_param(params, key)
    if name not in ("stdout", "stderr"):
        raise DagsterPipesError(f"the param `{key}` is {name!r}", remedy='It must be "stdout" or "stderr".')
    return sys.stdout if name == "stdout" else sys.stderr


def _no_channel(params: PipesParams) -> DagsterPipesError:
    if _COMPOSITE in params:
        return DagsterPipesError(
            "the messages params are those of several external processes together",
            remedy=f"Hand each process one element of the list under `{_COMPOSITE}` as its own messages params.",
        )
    return cannot_use(params, "the default message writer", "`path`, `stdio`, `buffered_stdio` or a store's URL")
