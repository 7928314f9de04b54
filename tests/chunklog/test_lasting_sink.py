"""A sink that outlives its reader: it keeps the identity of each message, stream and number, and is exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader import LogReader
from blobpipes.chunklog.reader_types import Delivered, Problem, ReaderSettings
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.orchestration.poller import Poller
from blobpipes.storage.local_store import LocalStore
from tests.chunklog.world import message

ACCEPTED = [message("opened"), *(message("log", number) for number in range(30)), message("closed")]


class CrashedError(Exception):
    """The orchestration process ends here."""


class Sink:
    """Keeps lines under their identities; the process that feeds it crashes before its `crash_after`-th new one."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], bytes] = {}
        self.seen_again = 0
        self.crash_after: int | None = None

    def take(self, messages: Sequence[Delivered]) -> None:
        for each in messages:
            if (each.stream, each.seq) in self.lines:
                self.seen_again += 1
                continue
            if self.crash_after is not None and len(self.lines) >= self.crash_after:
                raise CrashedError
            self.lines[each.stream, each.seq] = each.line


def read(store: LocalStore, sink: Sink) -> None:
    problems: list[Problem] = []
    settings = ReaderSettings(LogOptions(interval=0.05))
    reader = LogReader(store, scheduler=Poller(), deliver=sink.take, report=problems.append, settings=settings)
    reader.start()
    reader.process_gone()
    end = reader.wait(60)
    assert end is not None
    assert (end.verdict, problems) == ("complete", [])


def test_readers_that_crash_between_any_two_messages_leave_each_message_once_in_the_sink(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    writer = ChunkWriter(store, negotiated=True, options=LogOptions(interval=0.05, max_messages=7))
    writer.open(ACCEPTED[0])
    for line in ACCEPTED[1:-1]:
        writer.write(line)
    writer.close(ACCEPTED[-1])
    sink = Sink()
    for crash_after in range(len(ACCEPTED)):
        sink.crash_after = crash_after
        with pytest.raises(CrashedError):
            read(store, sink)
        assert len(sink.lines) == crash_after
    sink.crash_after = None
    read(store, sink)
    assert list(sink.lines.values()) == ACCEPTED
    assert sink.seen_again > len(ACCEPTED)  # each reader began from the first message
