"""Sessions as they lie in a store, written chunk by chunk and without a clock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blobpipes.chunklog.header import ChunkHeader, Flag, encode_chunk, flags, reader_seal
from blobpipes.chunklog.layout import SESSION_KEY, SessionDescriptor, chunk_key
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

CREATED = 1_700_000_000.0  # seconds since 1970


@dataclass
class StoredSession:
    """One session under `root`. Each chunk comes ten seconds after the one before."""

    root: Path
    name: str
    stream: str = "5f1d0c3a9be24471"
    created: float = CREATED
    chunks: int = 0
    messages: int = 0
    epoch: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / self.name

    def describe(self, **known: Any) -> StoredSession:
        descriptor = SessionDescriptor(name=self.name, created=self.created, options=self.options, **known)
        self._put(SESSION_KEY, descriptor.encode(), self.created)
        return self

    def chunk(self, *messages: PipesMessage | bytes, marks: Sequence[Flag] = ()) -> StoredSession:
        """A negotiated chunk."""
        lines = [message if isinstance(message, bytes) else encode_message(message) for message in messages]
        header = ChunkHeader(
            stream=self.stream,
            epoch=self.epoch,
            number=self.chunks + 1,
            first=self.messages + 1,
            count=len(lines),
            elapsed=10.0 * self.chunks,
            next_within=10.0,
            high_water={self.stream: self.messages + len(lines)},
            flags=flags(*marks),
        )
        self.messages += len(lines)
        return self.raw_chunk(encode_chunk(header, lines))

    def official_chunk(self, *messages: PipesMessage) -> StoredSession:
        """A chunk as the official package writes it."""
        return self.raw_chunk(b"\n".join(encode_message(message) for message in messages))

    def seal_by_reader(self) -> StoredSession:
        return self.raw_chunk(reader_seal(self.chunks + 1, "reader", {self.stream: self.messages}, self.epoch + 1))

    def raw_chunk(self, data: bytes) -> StoredSession:
        """Whatever it is, as the next chunk."""
        self.chunks += 1
        self._put(chunk_key(self.chunks), data, self.created + 10.0 * self.chunks)
        return self

    def _put(self, key: str, data: bytes, at: float) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (at, at))


def failed(text: str = "no rows") -> PipesMessage:
    return closed(describe_exception(ValueError(text)))


def complete(root: Path, name: str, **fields: Any) -> StoredSession:
    """A session with one of everything."""
    session = StoredSession(root, name, **fields).describe(run_id="run-1", partition_key="2013-02")
    session.chunk(opened(), log("reading", "INFO"), external_stream("stdout", "half a l"), marks=[Flag.OPEN])
    session.chunk(
        external_stream("stdout", "ine\nanother\n"),
        asset_check("flights", "row_count", True, severity="ERROR", metadata={"rows": 24951}),
        asset_check("flights", "few_cancellations", False, severity="WARN", metadata={"percent": 5.05}),
        asset_materialization("flights", data_version="v1", metadata={"rows": 24951, "share": float("nan")}),
        custom({"answer": [42]}),
    )
    return session.chunk(closed(), marks=[Flag.END])


def running(root: Path, name: str, **fields: Any) -> StoredSession:
    session = StoredSession(root, name, **fields).describe()
    return session.chunk(opened(), log("step 1", "INFO"), marks=[Flag.OPEN])


def raised(root: Path, name: str, **fields: Any) -> StoredSession:
    """A job that closed with an exception, and the seal of the session's own reader after it."""
    session = StoredSession(root, name, **fields).describe()
    session.chunk(opened(), marks=[Flag.OPEN])
    return session.chunk(failed(), marks=[Flag.FAIL]).seal_by_reader()


def killed(root: Path, name: str, **fields: Any) -> StoredSession:
    """A process that ended without closing."""
    return running(root, name, **fields).seal_by_reader()
