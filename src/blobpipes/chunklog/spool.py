"""Where messages wait when memory is not enough, and what a killed process leaves behind.

Three modes. `spill`: only what does not fit in memory goes to disk. `wal`: every message does, before it is
accepted, so that not even SIGKILL loses one. `off`: none does. A disk that is full or read-only degrades the
spool to memory, which is said once; it never fails the program.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

from blobpipes.chunklog.closing import Closing, closing_of
from blobpipes.chunklog.journal import Journal
from blobpipes.chunklog.options import SpoolMode
from blobpipes.chunklog.writer_buffer import Record

DIRECTORY_VARIABLE: Final = "BLOBPIPES_SPOOL_DIR"
_SLACK: Final = 1024  # bytes below the limit at which callers begin to wait: room for the record marks


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier process of the same log left on this disk."""

    stream: str
    first: int  # sequence numbers, both included
    last: int
    closing: Closing | None = None  # how the last of them closes the stream, if it does


class Spool:
    """The disk behind a writer's buffer. Not thread-safe: the writer's lock guards it.

    Messages on disk are newer than those in memory, so order needs no thought: while something waits on
    disk, whatever comes goes there too.
    """

    def __init__(
        self, directory: Path, mode: SpoolMode, *, limit: int, on_trouble: Callable[[str], None] = lambda text: None
    ) -> None:
        """`directory` belongs to one log; it is made when it is first needed. `limit` is in bytes."""
        self._directory = directory
        self._mode = mode
        self._limit = limit
        self._on_trouble = on_trouble
        self._meta: Mapping[str, Any] = {}
        self._journal: Journal | None = None
        self._broken = False
        self._reading: Iterator[Record] | None = None
        self._read_to = self._last = 0  # on disk and not in memory: the numbers above the one, up to the other
        self._tail: list[Record] = []  # what came after the disk failed, while older messages waited on it
        self._waiting_size = 0
        self.left = self._find_left() if mode != "off" and directory.exists() else None

    def begin(self, meta: Mapping[str, Any]) -> None:
        """Name the log and the stream, for whoever finds the directory. No secrets."""
        self._meta = meta
        if self._mode == "wal" and self._open() is not None and self._journal is not None:
            self._journal.describe(meta)

    @property
    def kept(self) -> Path | None:
        """The directory, where messages are on disk."""
        return self._directory if self._journal is not None and self._journal.size else None

    # --- what the buffer asks ----------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Messages that memory does not hold."""
        return self._last - self._read_to

    @property
    def waiting_size(self) -> int:
        """Their bytes, newlines included."""
        return self._waiting_size

    def has_room(self, size: int) -> bool:
        """Whether a message of `size` bytes may go to disk."""
        if self._mode == "off" or self._broken:
            return False
        held = self._journal.size if self._journal is not None else 0
        return held + size + _SLACK <= self._limit

    def admit(self, record: Record, *, memory_is_full: bool) -> bool:
        """A message is accepted. True: it waits here. False: memory is to hold it."""
        to_disk = memory_is_full or self.waiting > 0
        written = (to_disk or self._mode == "wal") and self._append(record)
        if not to_disk or (not written and self.waiting == 0):
            self._read_to = self._last = record.seq
            self._reading = None  # it may stand before this record, which in `wal` is on disk as well
            return False
        if not written:
            self._tail.append(record)
        self._last = record.seq
        self._waiting_size += len(record.line) + 1
        return True

    def take(self, max_bytes: int) -> list[Record]:
        """Move the oldest waiting messages to memory: up to `max_bytes`, and at least one if there is any."""
        taken: list[Record] = []
        size = 0
        while self.waiting and size < max_bytes:
            record = self._next()
            taken.append(record)
            size += len(record.line) + 1
            self._read_to = record.seq
        self._waiting_size -= size
        return taken

    def skip(self, upto: int) -> None:
        """The waiting messages up to this number are in the log already."""
        while self.waiting and self._read_to < upto:
            record = self._next()
            self._waiting_size -= len(record.line) + 1
            self._read_to = record.seq

    def forget(self, upto: int) -> None:
        """The store has confirmed the messages up to this number."""
        if self._journal is not None:
            self._journal.forget(min(upto, self._read_to))

    # --- the end -----------------------------------------------------------------------------------

    def keep(self, undelivered: Sequence[Record]) -> Path | None:
        """Leave on disk what was accepted and not delivered; where. None if the disk does not take it.

        `undelivered` are those in memory; what waits here is on disk already. They may exceed the limit: it is there
        to bound what a living process heaps up, not to lose what is left in the end.
        """
        if self._mode == "off":
            return None
        held = {record.seq for record in self._journal.read(0)} if self._journal is not None else set()
        missing = [record for record in [*undelivered, *self._tail] if record.seq not in held]
        if not all(self._append(record, over_limit=True) for record in missing) or self._journal is None:
            return None
        self._journal.describe(self._meta)
        self._journal.close(keep=True)
        self._journal = None
        return self._directory

    def remove(self) -> None:
        """Everything is delivered: leave nothing behind."""
        if self._journal is not None:
            self._journal.close(keep=False)
            self._journal = None

    # --- the journal -------------------------------------------------------------------------------

    def _append(self, record: Record, *, over_limit: bool = False) -> bool:
        journal = self._open()
        if journal is None:
            return False
        try:
            journal.append(record.seq, record.line, urgent=record.urgent, over_limit=over_limit)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _open(self) -> Journal | None:
        if self._journal is None and not self._broken and self._mode != "off":
            try:
                self._journal = self._empty_journal()
                self._journal.describe(self._meta)
            except OSError as error:
                self._fail(error)
        return self._journal

    def _empty_journal(self) -> Journal:
        """Another process of the same log may have, or have left, the directory since we looked: not ours to touch."""
        named = self._directory
        own = (
            named.with_name(f"{named.name}-{os.getpid()}{suffix}")
            for suffix in chain([""], map("-{}".format, count(2)))
        )
        for directory in chain([named], own):
            with suppress(BlockingIOError):
                journal = Journal(directory, limit=self._limit)
                if journal.last == 0:
                    self._directory = directory
                    return journal
                journal.close(keep=True)
        raise AssertionError("there is always another name")

    def _fail(self, error: OSError) -> None:
        if not self._broken:
            self._broken = True
            self._on_trouble(f"messages wait in memory only, because the spool at {self._directory} failed: {error}")

    def _next(self) -> Record:
        if self._reading is None and self._journal is not None:
            self._reading = self._journal.read(self._read_to)
        record = next(self._reading, None) if self._reading is not None else None
        if record is None:
            self._reading = None  # the newest segment may have grown since
            again = self._journal.read(self._read_to) if self._journal is not None else iter(())
            record = next(again, None)
            self._reading = again
        return record if record is not None else self._tail.pop(0)

    def _find_left(self) -> Left | None:
        """Messages of an earlier process, unless it is still alive: then this one gets a place of its own."""
        try:
            journal = Journal(self._directory, limit=self._limit)
        except BlockingIOError:
            return None
        except OSError as error:
            self._fail(error)
            return None
        stream, records = journal.meta().get("stream"), journal.read(0)
        first = next(records, None)
        if first is None or not isinstance(stream, str):
            journal.close(keep=False)
            return None
        self._journal, self._read_to, self._last = journal, first.seq - 1, journal.last
        last = first
        for last in journal.read(0):
            self._waiting_size += len(last.line) + 1
        return Left(stream, first.seq, last.seq, closing_of(last.line))


def spool_directory(root: Path, log: str) -> Path:
    """Where the spool of the log named by its URL lies below `root`: a process started again finds it."""
    return root / blake2b(log.encode(), digest_size=8).hexdigest()


def default_spool_root(environment: Mapping[str, str]) -> Path:
    """`$BLOBPIPES_SPOOL_DIR`, else a folder of this user's own among the temporary files."""
    given = environment.get(DIRECTORY_VARIABLE)
    return Path(given) if given else Path(tempfile.gettempdir()) / f"blobpipes-spool-{os.getuid()}"
