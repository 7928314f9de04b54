"""Follows the messages file, to which the program, its children and anybody else append lines.

A thread looks at it a few times a second, and at once when it is told to. A line counts once its newline is
there; how its pieces arrive does not matter, nor how many megabytes it has.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from blobpipes.chunklog.options import MIB
from blobpipes.chunklog.writer_core import MAX_MESSAGE

PAUSE: Final = 0.2  # seconds between two looks: five calls of a microsecond each per second
LONGEST: Final = 2 * MAX_MESSAGE  # bytes of one line that are kept: a message has room in it with any white space
_BLOCK: Final = MIB
_STOP: Final = b"\0"  # no signal has this number


class MessageFile:
    """Reads one file from `start` bytes on, and hands out its lines in order.

    Args:
        take: called with each line, where it begins and where the next one does. By one thread.
        caught_up: called by that thread when it has handed out all that there was.
        complain: called with one sentence about what could not be a line.
        woken: called by that thread, after it has read the file, with what was written to the wake-up pipe.
    """

    def __init__(
        self,
        path: Path,
        *,
        take: Callable[[bytes, int, int], None],
        complain: Callable[[str], None],
        caught_up: Callable[[], None] = lambda: None,
        woken: Callable[[bytes], None] = lambda given: None,
        start: int = 0,
    ) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._take = take
        self._complain = complain
        self._caught_up = caught_up
        self._woken = woken
        self._line_start = self._position = start
        self._pieces: list[bytes] = []  # of the line whose newline has not come
        self._dropped = 0  # bytes of it that are too many
        self._wake_out, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        self._thread = threading.Thread(target=self._run, name="blobpipes-messages", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def finish(self, timeout: float | None) -> bool:
        """Read to the end and stop. False if whoever takes the lines did not take them all within `timeout` s.

        A last line without newline counts: nobody will complete it any more.
        """
        os.write(self.wake, _STOP)
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self._close()
        if self._failure is not None:
            raise self._failure
        return True

    def read_all(self) -> None:
        """Instead of `start` and `finish`: take everything there is, in the caller's thread."""
        try:
            self._read()
            self._flush_tail()
        finally:
            self._close()

    # --- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            given = b""
            while _STOP not in given:
                ready, _, _ = select.select([self._wake_out], [], [], PAUSE)
                given = os.read(self._wake_out, 64) if ready else b""
                self._read()
                if given.strip(_STOP):
                    self._woken(given.strip(_STOP))
            self._flush_tail()
        except BaseException as error:  # noqa: BLE001 - raised again by `finish`
            self._failure = error

    def _read(self) -> None:
        if os.fstat(self._file).st_size < self._position:
            self._complain("the messages file became shorter and is read again from its beginning; append to it by >>")
            self._pieces, self._dropped = [], 0
            self._line_start = self._position = 0
        begun = self._line_start
        while block := os.pread(self._file, _BLOCK, self._position):
            self._position += len(block)
            self._split(block)
        if self._line_start != begun:
            self._caught_up()

    def _split(self, block: bytes) -> None:
        *lines, rest = block.split(b"\n")
        for line in lines:
            self._keep(line)
            self._end_line(newline=1)
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        if self._dropped or sum(map(len, self._pieces)) + len(piece) > LONGEST:
            self._dropped += sum(map(len, self._pieces)) + len(piece)
            self._pieces = []
        elif piece:
            self._pieces.append(piece)

    def _end_line(self, newline: int) -> None:
        if self._dropped:
            length = self._dropped
            self._complain(f"a line of {length} bytes was skipped: no message is that long")
        else:
            length = sum(map(len, self._pieces))
        start, line = self._line_start, b"".join(self._pieces)
        self._line_start += length + newline
        self._pieces, self._dropped = [], 0
        if line.strip():
            self._take(line, start, self._line_start)

    def _close(self) -> None:
        for handle in (self._file, self._wake_out, self.wake):
            os.close(handle)

    def _flush_tail(self) -> None:
        if self._pieces or self._dropped:
            self._end_line(newline=0)
