"""Follows one file that others append lines to, without a thread of its own.

A line counts once its newline is there, however often the file is looked at in between; what stands
after the last newline is kept until then. Bytes in, bytes out: what a line means is not known here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from blobpipes.chunklog.reader import Scheduler
from blobpipes.clock import SYSTEM_CLOCK, Clock

FIRST_PAUSE: Final = 0.02  # seconds to the next look after something came; grows by half while nothing does
LONGEST_PAUSE: Final = 0.25  # so 50 silent sessions cost 200 looks a second, of some 20 microseconds each
_BLOCK: Final = 1 << 20  # bytes read at once, and handled in one step so that other sessions get their turn


class FileTail:
    """A task for the poller. One thread at a time steps it; the others may call the rest."""

    def __init__(
        self,
        path: Path,
        *,
        scheduler: Scheduler,
        deliver: Callable[[bytes], object],
        report: Callable[[str], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115, PTH123 - held open for the session
        self._scheduler = scheduler
        self._deliver = deliver
        self._report = report
        self._clock = clock
        self._tail: list[bytes] = []  # pieces of the line whose newline has not come
        self._position = 0
        self._pause = FIRST_PAUSE
        self._gone = False
        self._ended = threading.Event()
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to read."""
        self._scheduler.wake(self)

    def process_gone(self) -> None:
        """Nobody will append any more: read to the end and finish."""
        self._gone = True
        self._scheduler.wake(self)

    @property
    def is_ended(self) -> bool:
        """The file was read to its end, and nothing more is expected."""
        return self._ended.is_set()

    def wait(self) -> None:
        """Block until the file has been read to its end.

        Raises:
            OSError: the file could not be read.
        """
        self._ended.wait()
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Read no further, and let go of the file."""
        self._ended.set()
        self._file.close()

    def step(self) -> float | None:
        """Read what is there, at most one block. For the poller."""
        if self._ended.is_set():
            return None
        gone = self._gone  # before the read: what was appended before the end is then surely seen
        try:
            block = self._read_block()
            self._deliver_lines(block)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.failure = error
            self._ended.set()
            return None
        if gone and not block:
            self._finish()
            return None
        return self._clock.monotonic() + self._next_pause(bool(block))

    def _next_pause(self, came: bool) -> float:
        if came:
            self._pause = FIRST_PAUSE
            return 0.0
        pause, self._pause = self._pause, min(self._pause * 1.5, LONGEST_PAUSE)
        return pause

    def _read_block(self) -> bytes:
        if os.fstat(self._file.fileno()).st_size < self._position:
            self._report("the file became shorter: it is read again from its beginning")
            self._tail.clear()
            self._position = self._file.seek(0)
        block = self._file.read(_BLOCK) or b""
        self._position += len(block)
        return block

    def _deliver_lines(self, block: bytes) -> None:
        *lines, rest = block.split(b"\n")
        if lines:
            lines[0] = b"".join(self._tail) + lines[0]
            self._tail.clear()
        if rest:
            self._tail.append(rest)
        for line in lines:
            self._deliver(line)

    def _finish(self) -> None:
        """The last line may be whole though its newline is missing; if not, the receiver will say so."""
        if self._tail:
            self._deliver(b"".join(self._tail))
        self._ended.set()
