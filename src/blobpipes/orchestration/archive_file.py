"""The bytes of an archive: the objects of a session, one after the other, in a gzipped tar that any tool opens.

Nothing is ever unpacked to a disk. An archive comes from a store, so it is not believed: what it holds is bounded
before it is read, and its members must be chunks. Pure, but for what the standard library does in memory.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from blobpipes.chunklog.layout import is_chunk
from blobpipes.errors import DamagedArchiveError

MIB: Final = 1 << 20
MAX_ARCHIVE: Final = 32 * MIB  # compressed; every store takes that in one request (gcsfs 50 MiB, Azure 64, s3fs 100)
MAX_CONTENT: Final = 2048 * MIB  # of all objects together: more is a bomb, or a session too large for one object
MAX_OBJECT: Final = 64 * MIB  # a chunk has at most 32 MiB
MAX_ENTRIES: Final = 250_000  # four weeks at one chunk each ten seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in an archive."""

    key: str  # relative to the session
    size: int  # bytes
    modified: float | None  # seconds since 1970: when the store got it
    digest: bytes  # of its bytes
    offset: int = 0  # in the uncompressed tar


def digest_of(entries: Mapping[str, Entry]) -> str:
    """What makes two archives the same: names and bytes of the objects, not how they were compressed."""
    whole = blake2b(digest_size=16)
    for key in sorted(entries):
        whole.update(f"{key}\n{entries[key].size}\n".encode() + entries[key].digest)
    return whole.hexdigest()


class ArchiveBuilder:
    """Takes objects, in the order in which they will be read, and makes the archive."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._file = io.BytesIO()
        self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", mtime=0)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see `finish`

    def add(self, key: str, data: bytes, modified: float | None) -> None:
        """One more object."""
        member = tarfile.TarInfo(key)
        member.size, member.mtime = len(data), modified or 0
        self._tar.addfile(member, io.BytesIO(data))
        self.entries[key] = Entry(key, len(data), modified, _digest(data))

    @property
    def size(self) -> int:
        """Bytes so far, compressed."""
        return self._file.tell()

    def finish(self) -> bytes:
        """The archive."""
        self._tar.close()
        self._gzip.close()
        return self._file.getvalue()


class ArchiveFile:
    """An archive to read from: proved whole once, then any object of it. Not safe for threads.

    Holds the compressed bytes and one object at a time. Reading forwards is cheap; going back begins anew.
    """

    def __init__(self, data: bytes, where: str) -> None:
        """`where` names it in errors.

        Raises:
            DamagedArchiveError: it is cut short, is no archive, or holds what it should not.
        """
        self._where = where
        self._gzip = gzip.GzipFile(fileobj=io.BytesIO(data), mode="rb")
        try:
            self.entries = self._read_all()
        except (EOFError, OSError, zlib.error, tarfile.TarError, ValueError, OverflowError) as error:
            raise self._damaged(str(error) or type(error).__name__) from error

    @property
    def digest(self) -> str:
        """Its identity."""
        return digest_of(self.entries)

    def read(self, key: str) -> bytes | None:
        """The object's bytes; None if it is not in the archive."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        self._gzip.seek(entry.offset)
        return self._gzip.read(entry.size)

    def _read_all(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        with tarfile.open(fileobj=_Bounded(self._gzip, self._where), mode="r:") as tar:  # type: ignore[call-overload]
            for member in tar:
                entry = self._entry(member)
                if entry.key in entries or len(entries) == MAX_ENTRIES:
                    raise self._damaged(f"{entry.key} is one too many in it")
                entries[entry.key] = entry
        while self._gzip.read(MIB):  # to its last byte, where the checksum is
            pass
        return entries

    def _entry(self, member: tarfile.TarInfo) -> Entry:
        if not member.isreg() or not is_chunk(member.name):
            raise self._damaged(f"it holds {member.name!r}, which is no chunk")
        if member.size > MAX_OBJECT:
            raise self._damaged(f"its {member.name} has {member.size:,} bytes")
        self._gzip.seek(member.offset_data)
        data = self._gzip.read(member.size)
        if len(data) != member.size:
            raise EOFError("it ends early")
        modified = float(member.mtime) or None
        return Entry(member.name, member.size, modified, _digest(data), member.offset_data)

    def _damaged(self, text: str) -> DamagedArchiveError:
        return DamagedArchiveError(f"the archive {self._where} is damaged: {text}")


class _Bounded:
    """What tarfile reads from: no read is large, and all of them together are bounded."""

    def __init__(self, inner: gzip.GzipFile, where: str) -> None:
        self._inner = inner
        self._where = where

    def read(self, size: int) -> bytes:
        if size > MAX_OBJECT:
            raise DamagedArchiveError(f"the archive {self._where} is damaged: a header of {size:,} bytes")
        self._check(self._inner.tell() + size)
        return self._inner.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        self._check(position)
        return self._inner.seek(position, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def _check(self, position: int) -> None:
        if position > MAX_CONTENT:
            raise DamagedArchiveError(
                f"the archive {self._where} is damaged: it expands to more than {MAX_CONTENT // MIB:,} MiB"
            )


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
