"""What have the processes that wrote a log asked of their store? By what their chunks say of it. Pure.

A chunk tells what its process had asked when it was cut. Its own put is added here, because it is there; and the one
look that follows a clean close, by which a process makes sure that its log is still its own. What nobody can know is
not in it: puts of the last chunk that had to be repeated, and what a process asked that never put a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blobpipes.chunklog.header import Flag, LegacyChunk, NegotiatedChunk
from blobpipes.storage.usage import Usage, one_get, one_put


@dataclass(slots=True)
class WorkerLedger:
    """One log's. Chunks are added in their order."""

    _by_process: dict[tuple[str, int], Usage] = field(default_factory=dict)  # stream and epoch to the newest figures
    _is_partial: bool = False  # a chunk of somebody who keeps no ledger
    _first_size: int | None = None  # bytes of the first chunk, which a process that closes looks at

    @property
    def usage(self) -> Usage | None:
        """Of all processes together; None where one of them does not say, or none came."""
        if self._is_partial or not self._by_process:
            return None
        return sum(self._by_process.values(), Usage())

    def add(self, chunk: NegotiatedChunk | LegacyChunk, size: int) -> None:
        """One more chunk that a process wrote, of `size` bytes."""
        if self._first_size is None:
            self._first_size = size
        header = chunk.header if isinstance(chunk, NegotiatedChunk) else None
        if header is None or header.usage is None:
            self._is_partial = True
            return
        usage = header.usage + one_put(size)
        if (header.has(Flag.END) or header.has(Flag.FAIL)) and header.number > 1:
            usage += one_get(self._first_size)
        self._by_process[header.stream, header.epoch] = usage
