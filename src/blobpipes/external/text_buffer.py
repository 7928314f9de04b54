"""When does captured output become a message? Bytes go in, whole characters come out. No I/O, no clock."""

from __future__ import annotations

import codecs
from typing import Final

from blobpipes.chunklog.options import KIB

MAX_TEXT: Final = 64 * KIB  # bytes of output per message: far below any chunk limit, and few enough messages


class TextBuffer:
    """Gathers one stream's output until it is old or big enough to send. One thread owns it.

    A character whose bytes arrive in two pieces is held back until it is whole. Bytes that are not
    UTF-8 become U+FFFD: output is for people, and one wrong byte must not cost them the rest.
    """

    def __init__(self, interval: float, max_bytes: int = MAX_TEXT) -> None:
        self._interval = interval  # seconds the oldest text may wait
        self._max_bytes = max_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parts: list[str] = []
        self._size = 0
        self._oldest = 0.0

    def add(self, data: bytes, now: float) -> None:
        """Take what was read from the stream."""
        if not self._parts:
            self._oldest = now
        self._parts.append(self._decoder.decode(data))
        self._size += len(data)

    def due_in(self, now: float) -> float | None:
        """Seconds until `take` should be called: 0.0 means now, None means nothing waits."""
        if not self._parts:
            return None
        if self._size >= self._max_bytes:
            return 0.0
        return max(0.0, self._oldest + self._interval - now)

    def take(self, *, final: bool = False) -> str:
        """The text so far, possibly empty. `final` gives the bytes of a character that never became whole, too."""
        tail = self._decoder.decode(b"", final=True) if final else ""
        text = "".join(self._parts) + tail
        self._parts, self._size = [], 0
        return text
