"""The disk behind a writer that replays, without a disk."""

from __future__ import annotations

from dataclasses import dataclass

from blobpipes.chunklog.writer_buffer import Record


@dataclass
class SpoolModel:
    """What a dead process left, and what comes while that waits: in order, and without limit."""

    records: list[Record]

    @property
    def waiting(self) -> int:
        return len(self.records)

    @property
    def waiting_size(self) -> int:
        return sum(len(record.line) + 1 for record in self.records)

    def has_room(self, size: int) -> bool:
        return True

    def admit(self, record: Record, *, memory_is_full: bool) -> bool:
        if self.records:
            self.records.append(record)
        return bool(self.records)

    def take(self, max_bytes: int) -> list[Record]:
        taken, self.records = self.records, []
        return taken

    def skip(self, upto: int) -> None:
        self.records = [record for record in self.records if record.seq > upto]

    def forget(self, upto: int) -> None: ...
