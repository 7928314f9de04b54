"""External processes for tests: they write what a job would, in this process and at the test's pace."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blobpipes.chunklog.options import parse_options
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.open import open_store
from blobpipes.wire.exceptions import describe_exception
from blobpipes.wire.messages import (
    PipesMessage,
    asset_check,
    asset_materialization,
    closed,
    custom,
    encode_message,
    external_stream,
    log,
    opened,
)
from blobpipes.wire.params import PipesParams

WAIT = 60.0  # seconds after which a test gives up waiting for another thread


def made(asset: str = "orders", version: str | None = None, **metadata: Any) -> PipesMessage:
    return asset_materialization(asset, data_version=version, metadata=metadata)


def checked(asset: str = "orders", name: str = "not_empty", passed: bool = True) -> PipesMessage:
    return asset_check(asset, name, passed)


def failed(text: str = "no rows") -> PipesMessage:
    return closed(describe_exception(ValueError(text)))


def line(message: PipesMessage) -> bytes:
    return encode_message(message) + b"\n"


def append(params: PipesParams, *messages: PipesMessage | bytes) -> None:
    """Write as a job with the file channel does."""
    with Path(params["path"]).open("ab") as file:
        for message in messages:
            file.write(message if isinstance(message, bytes) else line(message))


def whole_job(*between: PipesMessage) -> list[PipesMessage]:
    return [opened(), *between, closed()]


def put_chunks(params: PipesParams, *messages: PipesMessage, close: bool = True, **options: Any) -> None:
    """Write as a job with our chunk writer does, `opened` first."""
    writer = chunk_writer(params, **options)
    writer.open(encode_message(opened()))
    for message in messages:
        writer.write(encode_message(message))
    if close:
        writer.close(encode_message(closed()))


def chunk_writer(params: PipesParams, **options: Any) -> ChunkWriter:
    told = params["blobpipes"]
    store = open_store(told["url"])
    return ChunkWriter(store, options=parse_options({**told["options"], **options}), negotiated=True)


class Recorder(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        return "\n".join(f"{record.levelname} {record.getMessage()}" for record in self.records)


def recorded_run(**fields: Any) -> tuple[RunContext, Recorder]:
    """A run whose log is kept."""
    logger, recorder = logging.Logger("test"), Recorder()  # noqa: LOG001 - one for each run, not one for the process
    logger.addHandler(recorder)
    return RunContext(log=logger, **fields), recorder


class HandFedReader(PipesMessageReader):
    """A custom reader as a user writes it: whoever has `handler` hands in the messages."""

    handler: PipesMessageHandler

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        self.handler = handler
        yield {"by": "hand"}

    def no_messages_debug_text(self) -> str:
        return "Looked at the hand."


class HandDriven:
    """A scheduler under the test's control: it only notes who wants to be stepped."""

    def __init__(self) -> None:
        self.woken: list[Any] = []

    def wake(self, task: Any) -> None:
        self.woken.append(task)


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


__all__ = [
    "WAIT",
    "HandDriven",
    "HandFedReader",
    "Recorder",
    "append",
    "checked",
    "chunk_writer",
    "closed",
    "custom",
    "external_stream",
    "failed",
    "in_thread",
    "line",
    "log",
    "made",
    "opened",
    "put_chunks",
    "recorded_run",
    "whole_job",
]
