"""The channels that write numbered chunks: a thin layer between messages and the chunk log's writer."""

from __future__ import annotations

import os
import platform
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any, Final

from blobpipes.chunklog.layout import chunk_key
from blobpipes.chunklog.options import MIN_INTERVAL, LogOptions, parse_options
from blobpipes.chunklog.spool import Spool, default_spool_root, spool_directory
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.errors import DagsterPipesError, UndeliveredError
from blobpipes.external.addresses import ENTRY, file_url
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.exits import watched
from blobpipes.external.hook_store import HookStore
from blobpipes.external.metering import take_meter
from blobpipes.external.stream_tee import write_diagnostic
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.storage.usage import Usage
from blobpipes.wire.messages import PipesMessage, encode_message

_RESULTS: Final = frozenset({"report_asset_materialization", "report_asset_check"})
_LOUD: Final = frozenset({"ERROR", "CRITICAL"})


class PipesBlobStoreMessageWriterChannel(PipesMessageWriterChannel):
    """Gathers messages into chunks and stores them in the background, while `buffered_upload_loop` is open.

    A subclass says how one chunk is stored: `upload_messages_chunk`. It is called by a thread of its own,
    once per chunk, again with the same text and number after it has raised, until it returns.

    Args:
        interval: seconds a message may wait at most; None leaves it to the messages params. 0 is a second, as for
            the official package.
    """

    def __init__(self, *, interval: float | None = None) -> None:
        self._interval = not_too_short(interval)
        self._options = LogOptions()
        self._negotiated = False
        self._writer: ChunkWriter | None = None
        self._started = False
        self._ended = False  # `closed` was written, or the attempt was made
        self._usage: Callable[[], Usage] | None = None  # what is asked of a store, where that is counted
        self._lock = threading.RLock()  # a signal handler may report while this thread does

    @abstractmethod
    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        """Store one chunk under the number `index`, which begins at 1. It must become visible as a whole."""

    def configure(self, options: LogOptions, *, negotiated: bool) -> None:
        """Set what the params say, before the loop starts. `negotiated`: our own orchestration side reads."""
        self._options, self._negotiated = options, negotiated

    @property
    def options(self) -> LogOptions:
        """The options that hold for this channel."""
        return self._options if self._interval is None else parse_options({"interval": self._interval}, self._options)

    @contextmanager
    def buffered_upload_loop(self) -> Iterator[None]:
        """Store in the background while this is open. On leaving, everything written is stored, or it raises.

        Raises:
            UndeliveredError: the store did not take it within `close_timeout`.
        """
        store = self._make_store()
        options = self.options
        if isinstance(store, HookStore):  # a user's function takes text
            options = parse_options({"compression": "off"}, options)
        writer = self._writer = ChunkWriter(
            store,
            options=options,
            negotiated=self._negotiated,
            on_warning=write_diagnostic,
            spool=self._make_spool(store, options),
            usage=self._usage,
        )
        with watched(writer):
            try:
                yield
            except GeneratorExit:  # nobody left the block: the interpreter is ending, or this is a forked child
                self._ended = True
                raise
            finally:
                self._writer = None
                if self._started and not self._ended:
                    _store_all(writer, options.close_timeout)

    def write_message(self, message: PipesMessage) -> None:
        writer = self._writer
        if writer is None:
            raise DagsterPipesError(
                "the channel is not open", remedy="Write inside `with channel.buffered_upload_loop():`."
            )
        method = message["method"]
        if method == "closed":
            self._close(writer, message)
            return
        line = encode_message(self._introduced(message, writer.stream) if method == "opened" else message)
        with self._lock:
            if self._ended:
                raise DagsterPipesError("a message came after `closed`", remedy="Report before the context is closed.")
            if self._started:
                writer.write(line, urgent=_is_urgent(message))
            else:
                writer.open(line)
                self._started = True

    def flush(self, timeout: float | None = None) -> bool:
        """Store what was written so far at once. True when it is, False after `timeout` seconds.

        Raises:
            WriterError: the log is not ours any more.
        """
        writer = self._writer
        return writer is None or not self._started or writer.flush(timeout)

    @property
    def accepted(self) -> int:
        """Messages that were written to this channel while it was open, and before it by a process it continues."""
        writer = self._writer
        return writer.stats.accepted if writer is not None else 0

    def _close(self, writer: ChunkWriter, message: PipesMessage) -> None:
        line = encode_message(message)
        timeout = self.options.close_timeout
        if not self._lock.acquire(timeout=timeout):  # another thread's `write` waits for room, in vain
            raise _undelivered(writer, timeout)
        self._ended = True
        self._lock.release()
        writer.close(line, failed=bool((message["params"] or {}).get("exception")))

    def _introduced(self, message: PipesMessage, stream: str) -> PipesMessage:
        """With an official reader, who we are stands in the first message: that makes the first chunk unique."""
        if self._negotiated or self._options.strict_bytes:
            return message
        params = message["params"] or {}
        extras: Mapping[str, Any] = params.get("extras") or {}
        own = {"v": 1, "w": stream, "host": platform.node(), "pid": os.getpid()}
        return {**message, "params": {**params, "extras": {**extras, ENTRY: own}}}

    def _make_store(self) -> Store:
        return HookStore(self.upload_messages_chunk, type(self).__name__)

    def _make_spool(self, store: Store, options: LogOptions) -> Spool | None:
        """None here: what a subclass stores where has no name by which a restarted process could find it."""
        return None


class StoreMessageWriterChannel(PipesBlobStoreMessageWriterChannel):
    """Chunks in a store of ours, which can also read back what it finds.

    A subclass that has its own `upload_messages_chunk` is left alone with the chunks: nothing is read back then.
    """

    def __init__(
        self, store: Store, *, interval: float | None = None, usage: Callable[[], Usage] | None = None
    ) -> None:
        super().__init__(interval=interval)
        self._store = store
        self._usage = usage

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        key, data = chunk_key(index), payload.read().encode()
        if not self._store.put_if_absent(key, data) and self._store.get(key) != data:  # else a client asked twice
            raise FileExistsError(f"{key} is in {self._store.url} already")

    def _make_store(self) -> Store:
        return super()._make_store() if self._is_hooked() else self._store

    def _is_hooked(self) -> bool:
        return type(self).upload_messages_chunk is not StoreMessageWriterChannel.upload_messages_chunk

    def _make_spool(self, store: Store, options: LogOptions) -> Spool | None:
        if self._is_hooked():
            return super()._make_spool(store, options)
        if options.spool == "off" or (options.strict_bytes and not self._negotiated):
            return None  # strict bytes carry no marks by which a replay could be trimmed
        directory = spool_directory(default_spool_root(os.environ), store.url)
        return Spool(directory, options.spool, limit=options.max_spool, on_trouble=write_diagnostic)


class PipesBufferedFilesystemMessageWriterChannel(StoreMessageWriterChannel):
    """Chunks as files in a directory, a mounted file system of whatever kind included. None is seen half-written."""

    def __init__(self, path: str, *, interval: float | None = None) -> None:
        meter = take_meter()
        super().__init__(open_store(file_url(path), meter=meter), interval=interval, usage=meter.snapshot)


def not_too_short(interval: float | str | None) -> float | str | None:
    """0 and the like are a second: so the official package takes them, and programs for it often give 0."""
    is_short = isinstance(interval, (int, float)) and not isinstance(interval, bool) and 0 <= interval < MIN_INTERVAL
    return 1.0 if is_short else interval


def _store_all(writer: ChunkWriter, timeout: float) -> None:
    """For a channel that is left without `closed`: nothing is invented, nothing that was accepted is dropped."""
    if not writer.flush(timeout):
        raise _undelivered(writer, timeout)


def _undelivered(writer: ChunkWriter, timeout: float) -> UndeliveredError:
    stats = writer.stats
    count = stats.accepted - stats.stored
    return UndeliveredError(f"{count} messages were not stored within {timeout:g} s", count=count)


def _is_urgent(message: PipesMessage) -> bool:
    """Results and errors may leave before the interval is over."""
    method = message["method"]
    if method == "log":
        return (message["params"] or {}).get("level") in _LOUD
    return method in _RESULTS
