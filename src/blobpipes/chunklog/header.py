"""The bytes of a chunk: how messages are framed, and what an object read from the store turns out to be.

A negotiated chunk begins with a header line that gives identity, range, length and hash; a compatible
chunk is what the official writers make, with our identity in an envelope key that official readers
ignore. Reading never raises: bytes that are neither become a `CorruptChunk` that says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

from blobpipes.chunklog.archive_note import ArchiveNote, read_note
from blobpipes.chunklog.compressing import OFF, compress, expand
from blobpipes.storage.usage import Usage, decode_usage

HEADER_KEY: Final = "blobpipes"
ENVELOPE_KEY: Final = "__blobpipes"
VERSION: Final = 1


class Flag(str, Enum):
    """What a chunk means beyond the messages it holds."""

    OPEN = "open"  # a process begins: its fence
    END = "end"  # clean close; seals the log
    FAIL = "fail"  # closed with an exception; does not seal
    TERM = "term"  # drained because of SIGTERM; does not seal
    HEARTBEAT = "hb"  # no messages, still alive
    READER_SEAL = "rseal"  # the reader ended the log
    TOMB = "tomb"  # the log was cleaned up; only the delivered marks are left


_DAMAGE: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)  # of a header's fields
_SEALS: Final = frozenset({Flag.END.value, Flag.READER_SEAL.value, Flag.TOMB.value})


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """Identity and extent of one chunk. Never changes once the chunk is frozen."""

    stream: str  # one process's messages: 64 random bits in hex
    epoch: int  # from 1; one more than the newest the process saw when it began
    number: int  # which chunk of the log, from 1
    first: int  # sequence number of the first message, from 1
    count: int  # how many messages
    elapsed: float  # seconds since this stream opened, by the writer's clock, when the chunk was frozen
    next_within: float  # seconds until the next chunk, if the writer has something to say
    high_water: Mapping[str, int] = field(default_factory=dict)  # last number per stream, this chunk included
    flags: frozenset[str] = frozenset()
    archive: ArchiveNote | None = None  # in a tombstone: where the log went
    usage: Usage | None = (
        None  # what this process had asked of its stores when the chunk was cut; its own put is not in
    )

    @property
    def last(self) -> int:
        """Sequence number of the last message; `first - 1` for a chunk without messages."""
        return self.first + self.count - 1

    @property
    def seals(self) -> bool:
        """Nothing may follow this chunk."""
        return not self.flags.isdisjoint(_SEALS)

    def has(self, flag: Flag) -> bool:
        return flag.value in self.flags


@dataclass(frozen=True, slots=True)
class NegotiatedChunk:
    """A chunk with a header, complete and with the right hash."""

    header: ChunkHeader
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class LegacyChunk:
    """A chunk without a header line, from an official or a compatible writer."""

    lines: Sequence[bytes]
    marks: ChunkHeader | None = None  # from our writer's envelope key, if there is one

    @property
    def is_cut(self) -> bool:
        """The last line is the beginning of a message: an official writer of chunk files may still be at it."""
        return self.lines[-1].startswith(b"{") and _json_object(self.lines[-1]) is None


@dataclass(frozen=True, slots=True)
class CorruptChunk:
    """Bytes that carry our header and do not match it, or no messages at all."""

    reason: str
    header: ChunkHeader | None = None


AnyChunk = NegotiatedChunk | LegacyChunk | CorruptChunk


def encode_chunk(header: ChunkHeader, lines: Sequence[bytes], *, codec: str = OFF) -> bytes:
    """The object of a negotiated chunk: the header line, then the messages, joined by newlines; compressed by
    `codec` where that pays."""
    body = b"\n".join(lines)
    wire = _header_fields(header)
    smaller = compress(body, codec)
    if smaller is not None:
        wire |= {"z": codec, "u": len(body)}
        body = smaller
    wire |= {"b": len(body), "h": _digest(body)}
    text = json.dumps({HEADER_KEY: wire}, separators=(",", ":")).encode()
    return text + b"\n" + body if lines else text


def encode_compatible(header: ChunkHeader, lines: Sequence[bytes], *, strict: bool) -> bytes:
    """The object of a chunk for an official reader: at least one message, no header line.

    Unless `strict`, the first message carries our identity in an extra envelope key.
    """
    if not lines:
        raise ValueError("an official reader waits for ever at an empty chunk")
    if strict:
        return b"\n".join(lines)
    marks = {"w": header.stream, "e": header.epoch, "n": header.number, "s": header.first, "hw": header.high_water}
    first = lines[0].rstrip()
    marked = first[:-1] + b', "' + ENVELOPE_KEY.encode() + b'": ' + json.dumps(marks).encode() + b"}"
    return b"\n".join([marked, *lines[1:]])


def parse_chunk(data: bytes) -> AnyChunk:
    """What an object read from the log is. Never raises."""
    head, newline, body = data.partition(b"\n")
    raw = _json_object(head)
    if raw is not None and isinstance(raw.get(HEADER_KEY), dict):
        return _parse_negotiated(raw[HEADER_KEY], body if newline else b"")
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not lines:
        return CorruptChunk("the object is empty")
    return LegacyChunk(lines, _envelope_marks(raw, len(lines)))


def reader_seal(number: int, owner: str, high_water: Mapping[str, int], epoch: int) -> bytes:
    """The object by which a reader ends a log whose process is gone."""
    header = ChunkHeader(
        stream=owner, epoch=epoch, number=number, first=1, count=0, elapsed=0.0, next_within=0.0,
        high_water=dict(high_water), flags=frozenset({Flag.READER_SEAL.value}),
    )  # fmt: skip
    return encode_chunk(header, [])


def merge_marks(*marks: Mapping[str, int]) -> dict[str, int]:
    """The higher mark of each stream."""
    merged: dict[str, int] = {}
    for each in marks:
        for stream, last in each.items():
            merged[stream] = max(last, merged.get(stream, 0))
    return merged


def flags(*given: Flag) -> frozenset[str]:
    """Flags as they are written."""
    return frozenset(flag.value for flag in given)


def _parse_negotiated(raw: Mapping[str, Any], body: bytes) -> NegotiatedChunk | CorruptChunk:
    try:
        header = _read_header(raw)
        length, digest = int(raw["b"]), str(raw["h"])
    except _DAMAGE as error:
        return CorruptChunk(f"the header is damaged: {error!r}")
    if len(body) != length:
        return CorruptChunk(f"{len(body)} bytes of {length} are there", header)
    if _digest(body) != digest:
        return CorruptChunk("the hash of the messages does not match", header)
    try:
        body = expand(body, str(raw["z"]), int(raw["u"])) if "z" in raw else body
    except _DAMAGE as error:
        return CorruptChunk(str(error), header)
    lines = body.split(b"\n") if body else []
    if len(lines) != header.count:
        return CorruptChunk(f"{len(lines)} messages of {header.count} are there", header)
    return NegotiatedChunk(header, lines)


def _header_fields(header: ChunkHeader) -> dict[str, Any]:
    return {
        "v": VERSION,
        "w": header.stream,
        "e": header.epoch,
        "n": header.number,
        "s": header.first,
        "c": header.count,
        "t": round(header.elapsed, 3),
        "hw": dict(header.high_water),
        "iv": round(header.next_within, 3),
        "fl": sorted(header.flags),
        **({"ar": header.archive.as_json()} if header.archive is not None else {}),
        **({"lg": header.usage.encode()} if header.usage is not None else {}),
    }


def _read_header(raw: Mapping[str, Any]) -> ChunkHeader:
    if int(raw["v"]) != VERSION:
        raise ValueError(f"version {raw['v']} is not known here")
    return ChunkHeader(
        stream=str(raw["w"]),
        epoch=int(raw["e"]),
        number=int(raw["n"]),
        first=int(raw["s"]),
        count=int(raw["c"]),
        elapsed=float(raw["t"]),
        next_within=float(raw["iv"]),
        high_water={str(stream): int(last) for stream, last in raw["hw"].items()},
        flags=frozenset(_strings(raw["fl"])),
        archive=read_note(raw.get("ar")),
        usage=decode_usage(raw["lg"]) if raw.get("lg") is not None else None,
    )


def _envelope_marks(first: Mapping[str, Any] | None, count: int) -> ChunkHeader | None:
    marks = first.get(ENVELOPE_KEY) if first else None
    if not isinstance(marks, dict):
        return None
    try:
        return ChunkHeader(
            stream=str(marks["w"]), epoch=int(marks["e"]), number=int(marks["n"]), first=int(marks["s"]),
            count=count, elapsed=0.0, next_within=0.0,
            high_water={str(stream): int(last) for stream, last in marks["hw"].items()},
        )  # fmt: skip
    except _DAMAGE:
        return None  # somebody else's key of the same name: the messages still count


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _strings(values: Iterable[Any]) -> Iterable[str]:
    return (str(value) for value in values)


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()
