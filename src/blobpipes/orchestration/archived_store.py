"""A session that was folded into an archive, as the store that it was before: every reader reads it as ever."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from typing import NoReturn

from blobpipes.chunklog.archive_note import ArchiveNote
from blobpipes.chunklog.header import Flag, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import ARCHIVE_KEY, chunk_key, is_chunk
from blobpipes.errors import DamagedArchiveError, StoreDeniedError
from blobpipes.orchestration.archive_file import MAX_ARCHIVE, ArchiveFile
from blobpipes.storage.store import ObjectInfo, Store


class ArchivedStore:
    """The chunks in `archive`; everything else is in `rest`, where the archive itself lies. Safe for threads."""

    def __init__(self, rest: Store, archive: ArchiveFile) -> None:
        self._rest = rest
        self._archive = archive
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._rest.url

    def get(self, key: str) -> bytes | None:
        if not is_chunk(key):
            return self._rest.get(key)
        with self._lock:
            return self._archive.read(key)

    def start_get(self, key: str) -> Future[bytes | None]:
        if not is_chunk(key):
            return self._rest.start_get(key)
        future: Future[bytes | None] = Future()
        future.set_result(self.get(key))
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        chunks = (ObjectInfo(each.key, each.size, each.modified) for each in self._archive.entries.values())
        return sorted((info for info in chunks if info.key.startswith(prefix)), key=lambda info: info.key)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._refuse(key)

    def put(self, key: str, data: bytes) -> None:
        self._refuse(key)

    def delete(self, key: str) -> None:
        self._refuse(key)

    def _refuse(self, key: str) -> NoReturn:
        raise StoreDeniedError(f"{key} in {self.url} is in an archive, which never changes", reason="archived")


def open_archive(store: Store, keys: Collection[str] | None = None) -> Store | None:
    """The session in `store` as it was before it was archived; None if it was not.

    Costs a get of the first chunk, and one of the archive if there is one. `keys`, those of a listing of the
    session, spare the first where they show no archive.

    Raises:
        DamagedArchiveError: it was archived, and its archive cannot be read.
        StoreError: the store refused, or could not be reached.
    """
    if keys is not None and ARCHIVE_KEY not in keys:
        return None
    note = note_in(store.get(chunk_key(1)))
    if note is None:  # an archive that no tombstone names is the beginning of one: the session itself is whole
        return None
    archive = read_archive(store)
    if archive is None:
        raise DamagedArchiveError(f"the session {store.url} was archived, and its {ARCHIVE_KEY} is missing")
    if archive.digest != note.digest:
        raise DamagedArchiveError(f"the archive {store.url}/{ARCHIVE_KEY} does not hold what was put into it")
    return ArchivedStore(store, archive)


def read_archive(store: Store) -> ArchiveFile | None:
    """The archive that lies in `store`, named by a tombstone or not; None if there is none.

    Raises:
        DamagedArchiveError: it cannot be read.
    """
    data = store.get(ARCHIVE_KEY)
    where = f"{store.url}/{ARCHIVE_KEY}"
    if data is not None and len(data) > MAX_ARCHIVE:
        raise DamagedArchiveError(f"the archive {where} is damaged: {len(data):,} bytes are more than any has")
    return None if data is None else ArchiveFile(data, where)


def note_in(first_chunk: bytes | None) -> ArchiveNote | None:
    """What the object in slot 1 says of an archive; None if it is no tombstone that names one."""
    chunk = parse_chunk(first_chunk) if first_chunk is not None else None
    if isinstance(chunk, NegotiatedChunk) and chunk.header.has(Flag.TOMB):
        return chunk.header.archive
    return None
