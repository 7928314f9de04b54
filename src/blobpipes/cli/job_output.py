"""What a job prints, said as it comes: as much at once as there is."""

from __future__ import annotations

import codecs
import os
import threading
from array import array
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

PIECE: Final = 1 << 16  # bytes said at once
LEFT_BEHIND: Final = 1 << 20  # bytes that a pipe can hold at most, where nobody tells how many it holds
PAUSE: Final = 1.0  # seconds without output after which a stream that somebody keeps open is left


class JobOutput:
    """Reads one stream of a job in a thread of its own, from construction on."""

    def __init__(self, stream: IO[bytes] | None, name: str, say: Callable[[str, Mapping[str, Any]], None]) -> None:
        assert stream is not None  # the job was started with a pipe
        self._stream = stream
        self._name = name
        self._say = say
        self._taken = 0  # bytes
        self._saying = False  # else it waits for more
        self._thread = threading.Thread(target=self._read, name=f"blobpipes-{name}", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """The job has ended: return when all that it has printed is said.

        Its children may keep the stream open and print on for ever: what comes after the job's end is not waited for.
        """
        left = 0 if self._stream.closed else _bytes_in(self._stream)
        wanted, last = self._taken + left, -1
        while self._thread.is_alive() and (self._saying or last < self._taken < wanted):
            last = self._taken
            self._thread.join(PAUSE)
        self._thread.join(PAUSE / 10)  # as a rule the stream is at its end

    def _read(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with self._stream:
            while piece := os.read(self._stream.fileno(), PIECE):
                self._saying = True
                self._taken += len(piece)
                self._tell(decode(piece))
                self._saying = False
            self._tell(decode(b"", final=True))

    def _tell(self, text: str) -> None:
        if text:
            self._say("output", {"stream": self._name, "text": text})


def _bytes_in(pipe: IO[bytes]) -> int:
    """How many bytes wait in a pipe."""
    try:
        import fcntl
        import termios

        found = array("i", [0])
        fcntl.ioctl(pipe.fileno(), termios.FIONREAD, found)
        return found[0]
    except (ImportError, OSError, ValueError):  # not a POSIX system, or closed in this moment
        return LEFT_BEHIND
