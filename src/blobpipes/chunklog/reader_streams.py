"""Which messages are new? Identity is (stream, sequence number), whatever chunk brings it.

A restarted process continues the log as another stream; a replayed spool continues its own. A chunk may
therefore repeat messages that were delivered already, and a hole in a stream's numbers is a loss to name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from blobpipes.chunklog.closing import closing_of
from blobpipes.chunklog.header import LegacyChunk, NegotiatedChunk
from blobpipes.chunklog.reader_types import Delivered


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one chunk adds."""

    messages: Sequence[Delivered]
    lost: tuple[int, int] | None = None  # sequence numbers, both included, that should have come before


@dataclass(slots=True)
class StreamMarks:
    """The last sequence number delivered, per stream."""

    last: dict[str, int] = field(default_factory=dict)
    _unnamed: int = 1  # official writers have no stream id: which incarnation is being read

    def take(self, number: int, chunk: NegotiatedChunk | LegacyChunk) -> Fresh:
        """The messages of chunk `number` that were not delivered before."""
        header = chunk.header if isinstance(chunk, NegotiatedChunk) else chunk.marks
        stream = header.stream if header else self.unnamed_stream
        first = header.first if header else self.last.get(stream, 0) + 1
        return self._take(number, stream, first, chunk.lines)

    @property
    def unnamed_stream(self) -> str:
        return "official" if self._unnamed == 1 else f"official-{self._unnamed}"

    def begin_again(self) -> None:
        """An official writer started over: what is read from here on is another stream."""
        self._unnamed += 1

    def _take(self, number: int, stream: str, first: int, lines: Sequence[bytes]) -> Fresh:
        known = self.last.get(stream, 0)
        new = [
            Delivered(stream, seq, line, number) for seq, line in enumerate(lines, first) if seq > known
        ]  # fmt: skip
        lost = (known + 1, first - 1) if first > known + 1 else None
        self.last[stream] = max(known, first + len(lines) - 1)
        return Fresh(new, lost)


@dataclass(slots=True)
class HeldClose:
    """Keeps an official writer's `closed` back until nothing follows, so that it is delivered last.

    The official package writes `closed` before the captured output has stopped, which then comes after it.
    """

    closing: str | None = None  # "clean" or "failed" once a `closed` was seen
    _held: list[Delivered] = field(default_factory=list)

    def sift(self, messages: Sequence[Delivered]) -> list[Delivered]:
        """`messages` without the closing one, which is kept."""
        passed = []
        for message in messages:
            closing = closing_of(message.line)
            if closing is None:
                passed.append(message)
            else:
                self.closing = closing
                self._held.append(message)
        return passed

    def see(self, messages: Sequence[Delivered]) -> list[Delivered]:
        """`messages` of our own writer, all of them: its `closed` is its last, and after it comes another process."""
        if messages:
            self.closing = closing_of(messages[-1].line)
        return list(messages)

    def release(self) -> list[Delivered]:
        """The kept message, once."""
        held, self._held = self._held, []
        return held
