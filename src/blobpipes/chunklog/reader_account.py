"""What was delivered, what is missing, and how did the log end? The bookkeeping behind a reader's verdict.

Chunks are taken in the order of their numbers. A hole or a damaged chunk is accounted for and never stops what
follows. Which chunk to ask for, and when the end is proved, is decided in `reader_core.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blobpipes.chunklog.header import (
    ChunkHeader,
    CorruptChunk,
    LegacyChunk,
    NegotiatedChunk,
    merge_marks,
    reader_seal,
)
from blobpipes.chunklog.reader_streams import HeldClose, StreamMarks
from blobpipes.chunklog.reader_types import (
    Deliver,
    Delivered,
    Listed,
    LogEnd,
    Problem,
    ProblemKind,
    ReaderAction,
    Report,
    Verdict,
)
from blobpipes.chunklog.worker_ledger import WorkerLedger

ReadableChunk = NegotiatedChunk | LegacyChunk


@dataclass(slots=True)
class Account:
    """One log's, for one reader."""

    chunks: int = 0  # read
    messages: int = 0  # delivered
    missing: int = 0  # messages known to be lost
    marks: StreamMarks = field(default_factory=StreamMarks)
    last: ReadableChunk | None = None  # the newest chunk that a process wrote
    job_failed: bool = False
    is_negotiated: bool = False  # a chunk of one of our writers was seen
    _closed: HeldClose = field(default_factory=HeldClose)
    _is_incomplete: bool = False  # something is lost that cannot be counted
    _sizes: dict[int, int] = field(default_factory=dict)  # of official chunks: a changed size betrays an overwrite
    _ledger: WorkerLedger = field(default_factory=WorkerLedger)

    @property
    def closing(self) -> str | None:
        """How an official writer closed its log: "clean", "failed", or None while it has not."""
        return self._closed.closing

    @property
    def last_header(self) -> ChunkHeader | None:
        """Of the newest chunk, if it is one of ours."""
        return self.last.header if isinstance(self.last, NegotiatedChunk) else None

    # --- chunks ------------------------------------------------------------------------------------

    def take(self, number: int, chunk: ReadableChunk, size: int) -> list[ReaderAction]:
        """A process' chunk of `size` bytes: what to deliver of it and to report."""
        before = self._writer()
        fresh = self.marks.take(number, chunk)
        self.last = chunk
        self._ledger.add(chunk, size)
        self.is_negotiated = self.is_negotiated or isinstance(chunk, NegotiatedChunk)
        self.chunks += 1
        actions: list[ReaderAction] = []
        if fresh.lost is not None:
            actions.append(self._lost(*fresh.lost, number))
        if before is not None and self._writer() != before:
            actions.append(problem("restarted", f"another process (epoch {self._epoch()}) continues the log", number))
        messages = list(fresh.messages)
        if isinstance(chunk, LegacyChunk):
            self._sizes[number] = size
            messages = self._closed.sift(messages) if chunk.marks is None else self._closed.see(messages)
        return actions + self._deliver(messages)

    def pass_over(self, number: int, chunk: CorruptChunk) -> Report:
        """A damaged chunk is given up."""
        if chunk.header is None:
            self._is_incomplete = True  # with a header, the next chunk's numbers tell what is lost
        elif chunk.header.first == self.marks.last.get(chunk.header.stream, 0) + 1:
            self.missing += chunk.header.count
            self.marks.last[chunk.header.stream] = chunk.header.last
        return problem("corrupt", f"chunk {number} is damaged: {chunk.reason}", number)

    def pass_over_hole(self, number: int, higher: int) -> Report:
        """The chunks from `number` up to `higher`, which exists, are given up."""
        self._is_incomplete = True
        hole = f"chunk {number}" + (f" to {higher - 1}" if higher - 1 > number else "")
        return problem("gap", f"{hole} is missing, though chunk {higher} exists", number)

    def count_missing(self, seal: ChunkHeader) -> None:
        """The seal says how far every stream goes: what was not delivered is missing."""
        for stream, last in seal.high_water.items():
            self.missing += max(0, last - self.marks.last.get(stream, 0))

    def find_overwritten(self, chunks: Sequence[Listed]) -> Report | None:
        """An official writer that was restarted begins at 1 again, over its own chunks: now they are another stream."""
        changed = [c.number for c in chunks if self._sizes.get(c.number, c.info.size) != c.info.size]
        if not changed:
            return None
        self.marks.begin_again()
        self._closed = HeldClose()
        self._sizes.clear()
        self._is_incomplete = True
        text = f"chunk {min(changed)} was overwritten: the writer started again; its log is read again from chunk 1"
        return problem("overwritten", text, min(changed))

    def release(self) -> list[ReaderAction]:
        """An official writer's `closed`, which was held back until nothing follows."""
        return self._deliver(self._closed.release())

    # --- the end -----------------------------------------------------------------------------------

    def verdict(self, closed: bool) -> Verdict:
        """How the log ended; `closed`: its process said that it had ended."""
        if self.missing or self._is_incomplete:
            return "truncated"
        if self._has_failed:
            return "failed"
        return "complete" if closed else "truncated"

    def detail(self, closed: bool) -> str:
        """The verdict in a sentence."""
        if self.missing:
            return "1 message is missing." if self.missing == 1 else f"{self.missing} messages are missing."
        if self._is_incomplete:
            return "A part of the log is missing; the problems say which."
        if self._has_failed:
            return "The job ended with an exception; every message arrived."
        if closed:
            return "Every message arrived."
        if self.chunks == 0:
            return "The process ended, and not one message of it came."
        stream = self._stream() or ""
        last = self.marks.last.get(stream, 0)
        return f"The process ended without closing; the last message of stream {stream} is number {last}."

    def end(self, verdict: Verdict, detail: str) -> LogEnd:
        usage = self._ledger.usage
        return LogEnd(verdict, detail, self.chunks, self.messages, self.missing, self.last_seq, usage)

    @property
    def last_seq(self) -> Mapping[str, int]:
        """Last sequence number delivered, per stream."""
        return dict(self.marks.last)

    def seal(self, number: int, owner: str) -> bytes:
        """The chunk that ends the log at `number`."""
        header = self.last_header
        marks = merge_marks(self.marks.last, header.high_water if header else {})
        return reader_seal(number, owner, marks, (header.epoch if header else 0) + 1)

    # --- helpers -----------------------------------------------------------------------------------

    @property
    def _has_failed(self) -> bool:
        return self.job_failed or self.closing == "failed"

    def _deliver(self, messages: Sequence[Delivered]) -> list[ReaderAction]:
        self.messages += len(messages)
        return [Deliver(messages)] if messages else []

    def _lost(self, first: int, last: int, number: int) -> Report:
        self.missing += last - first + 1
        which = f"message {first}" if first == last else f"messages {first} to {last}"
        are = "is" if first == last else "are"
        return problem("gap", f"{which} of stream {self._stream()} {are} missing", number)

    def _writer(self) -> tuple[str | None, int] | None:
        """Which process wrote the newest chunk: one that replays a spool continues its predecessor's stream."""
        return None if self.last is None else (self._stream(), self._epoch())

    def _epoch(self) -> int:
        header = self.last.marks if isinstance(self.last, LegacyChunk) else self.last_header
        return header.epoch if header else 0

    def _stream(self) -> str | None:
        if isinstance(self.last, NegotiatedChunk):
            return self.last.header.stream
        if isinstance(self.last, LegacyChunk):
            return self.last.marks.stream if self.last.marks else self.marks.unnamed_stream
        return None


def problem(kind: ProblemKind, text: str, chunk: int | None = None) -> Report:
    return Report(Problem(kind, text, chunk))
