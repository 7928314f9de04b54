"""Messages on local disk: an append-only journal in segments, whose records survive a killed process.

A record is written with one `write` call and carries its length and a checksum, so a torn one at the end is
recognised and only it is lost. Segments whose messages the store has confirmed are removed. One process owns
a journal at a time, by an exclusive `flock` that the operating system releases when the process dies. The page
cache is enough to survive SIGKILL; only a power cut needs more.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Final

from blobpipes.chunklog.writer_buffer import Record

SEGMENT_BYTES: Final = 8 << 20  # a segment is closed at this size, and removed as a whole
_RECORD: Final = struct.Struct("<IIQB")  # length of the line, CRC-32 of what follows, sequence number, urgent
_MARK: Final = _RECORD.size
_META: Final = "journal.json"
_LOCK: Final = "lock"


class JournalFullError(OSError):
    """The journal has reached its limit; nothing was written."""


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    last: int
    size: int


def is_journal(directory: Path) -> bool:
    """Whether some process keeps, or kept, its messages in this folder."""
    return (directory / _META).exists() or any(directory.glob("*.seg"))


class Journal:
    """The messages of one stream in one directory. Not thread-safe: its owner holds a lock."""

    def __init__(self, directory: Path, *, limit: int = 1 << 30, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Take the directory, made if missing, for this process alone.

        Raises:
            BlockingIOError: another live process has it.
            OSError: the disk does not allow it.
        """
        self.directory = directory
        self._limit = limit
        self._segment_bytes = segment_bytes
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(directory / _LOCK)
        self._segments = [_scan(path) for path in sorted(directory.glob("*.seg"))]
        self._size = sum(segment.size for segment in self._segments)
        self._out = -1

    # --- what it holds -----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._size

    @property
    def last(self) -> int:
        """The newest sequence number; 0 for an empty journal."""
        return max((segment.last for segment in self._segments), default=0)

    def meta(self) -> dict[str, Any]:
        """What `describe` wrote; empty for a new journal."""
        try:
            found = json.loads((self.directory / _META).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def describe(self, meta: Mapping[str, Any]) -> None:
        """Write down, completely or not at all, whose messages these are."""
        path = self.directory / _META
        beside = path.with_suffix(".tmp")
        beside.write_text(json.dumps(dict(meta)))
        beside.replace(path)

    # --- writing and reading -----------------------------------------------------------------------

    def append(self, seq: int, line: bytes, *, urgent: bool = False, over_limit: bool = False) -> None:
        """Write one message by one call. One that is older than the last begins a segment, so that each is in order.

        Raises:
            JournalFullError: above the limit, without `over_limit`.
            OSError: the disk is full or failed; the journal stays readable up to the record before.
        """
        if self.size + _MARK + len(line) > self._limit and not over_limit:
            raise JournalFullError(f"the journal has reached its limit of {self._limit} bytes")
        segment = self._writable(seq)
        record = _encode(seq, line, urgent)
        written = os.write(self._out, record)
        if written != len(record):  # a full disk takes a part: cut it off again
            os.ftruncate(self._out, segment.size)
            raise OSError(28, "No space left on device", str(segment.path))
        segment.size += written
        self._size += written
        segment.last = seq

    def read(self, after: int) -> Iterator[Record]:
        """The messages with a higher number than `after`, oldest first."""
        segments = [segment for segment in self._segments if segment.last > after]
        runs = [_records_after(segment.path, after) for segment in segments]
        if all(one.last < other.first for one, other in pairwise(segments)):
            return chain.from_iterable(runs)
        return heapq.merge(*runs, key=lambda record: record.seq)

    def forget(self, upto: int) -> None:
        """Remove the segments of which no message is newer than `upto`."""
        done = [segment for segment in self._segments if segment.last <= upto]
        for segment in done:
            if segment is self._segments[-1]:
                self._stop_writing()
            segment.path.unlink(missing_ok=True)
            self._size -= segment.size
            self._segments.remove(segment)

    def close(self, *, keep: bool) -> None:
        """Let go of the directory; remove it with all it holds unless `keep`."""
        self._stop_writing()
        if not keep:
            self.forget(self.last)
            for name in (_META, _LOCK):
                (self.directory / name).unlink(missing_ok=True)
            _remove_if_empty(self.directory)
        os.close(self._lock)

    # --- segments ----------------------------------------------------------------------------------

    def _writable(self, seq: int) -> _Segment:
        if self._out >= 0 and self._segments[-1].size < self._segment_bytes and seq > self._segments[-1].last:
            return self._segments[-1]
        self._stop_writing()
        path = self.directory / f"{seq:016d}.seg"
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._segments.append(_Segment(path, seq, seq - 1, 0))
        return self._segments[-1]

    def _stop_writing(self) -> None:
        if self._out >= 0:
            os.close(self._out)
            self._out = -1


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _scan(path: Path) -> _Segment:
    """What a segment of an earlier process holds, up to its first damaged record."""
    first = last = size = 0
    for record in _records(path):
        first, last = first or record.seq, record.seq
        size += _MARK + len(record.line)
    return _Segment(path, first, last, size)


def _records(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        while len(mark := file.read(_MARK)) == _MARK:
            length, checksum, seq, urgent = _RECORD.unpack(mark)
            line = file.read(length)
            if len(line) != length or zlib.crc32(line, zlib.crc32(mark[8:])) != checksum:
                return
            yield Record(seq, line, bool(urgent))


def _records_after(path: Path, after: int) -> Iterator[Record]:
    return (record for record in _records(path) if record.seq > after)


def _encode(seq: int, line: bytes, urgent: bool) -> bytes:
    tail = _RECORD.pack(0, 0, seq, urgent)[8:]
    checksum = zlib.crc32(line, zlib.crc32(tail))
    return _RECORD.pack(len(line), checksum, seq, urgent) + line


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # somebody else's file is in it, or a new process has just taken it: not ours to remove
