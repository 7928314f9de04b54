"""How waiting messages become one chunk, whose bytes never change again.

A failed put is repeated with the same bytes; that is what makes "already exists" decidable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blobpipes.chunklog.header import ChunkHeader, encode_chunk, encode_compatible, merge_marks
from blobpipes.chunklog.options import MIB, LogOptions
from blobpipes.chunklog.writer_buffer import Batch, WriterBuffer
from blobpipes.chunklog.writer_slot import Place
from blobpipes.storage.usage import Usage

MAX_CHUNK: Final = 4 * MIB
MAX_MESSAGE: Final = 32 * MIB  # below every store's limit for one request (gcsfs 50 MiB, Azure 64 MiB, s3fs 100 MiB)


@dataclass(frozen=True, slots=True)
class Frozen:
    """One chunk on its way to the store."""

    header: ChunkHeader
    batch: Batch
    data: bytes
    size: int  # bytes that it keeps in memory


@dataclass(frozen=True, slots=True)
class Framing:
    """What the chunks of one process have in common."""

    stream: str
    options: LogOptions  # compression `auto` means off here: it takes a reader's word, see `compressing.agreed`
    negotiated: bool  # the reader is ours: with headers, and as small as it likes
    opened_at: float  # monotonic seconds
    usage: Callable[[], Usage] | None = None  # what this process has asked of its stores so far

    def take(self, buffer: WriterBuffer, now: float) -> Batch:
        """The messages of the next chunk."""
        if self.negotiated:
            return buffer.take(MAX_CHUNK, self.options.max_messages, now)
        return buffer.take(MAX_MESSAGE, 1 << 62, now)  # an official reader counts chunks, not bytes

    def freeze(self, batch: Batch, place: Place, *, now: float, next_within: float, flags: frozenset[str]) -> Frozen:
        """`batch` as the chunk at `place`. `next_within` promises the next one, in seconds."""
        header = ChunkHeader(
            stream=self.stream,
            epoch=place.epoch,
            number=place.number,
            first=batch.first,
            count=len(batch.lines),
            elapsed=now - self.opened_at,
            next_within=next_within,
            high_water=merge_marks(place.marks, {self.stream: batch.last} if batch.last else {}),
            flags=flags,
            usage=self.usage() if self.usage is not None else None,
        )
        if self.negotiated:
            data = encode_chunk(header, batch.lines, codec=self.options.compression)
        else:
            data = encode_compatible(header, batch.lines, strict=self.options.strict_bytes)
        return Frozen(header, batch, data, max(len(data), sum(map(len, batch.lines))))
