"""Which shells are simulated: the shipped ones, or variants that are broken on purpose (`broken.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from blobpipes.chunklog.reader import LogReader
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.orchestration.poller import Poller


@dataclass(frozen=True)
class Parts:
    """The three shells."""

    writer: type[ChunkWriter] = ChunkWriter
    reader: type[LogReader] = LogReader
    poller: type[Poller] = Poller
