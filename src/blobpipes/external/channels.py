"""How one message leaves this process: the channels that need no store.

A message becomes JSON in the caller's frame, whatever the channel: what cannot be written raises
there and then, and nothing of it is written.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TextIO

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.messages import PipesMessage, encode_message


class PipesMessageWriterChannel(ABC):
    """An open way to the orchestration process. Several threads may write at once."""

    _sources: tuple[Callable[[], None], ...] = ()

    @abstractmethod
    def write_message(self, message: PipesMessage) -> None:
        """Send one message.

        Raises:
            UnserializableError: nothing was written.
        """

    def add_source(self, stop: Callable[[], None]) -> None:
        """Name something that writes to this channel by itself, as a capture of stdout does.

        `stop` is called before the message `closed` is written, so that nothing comes after that one.
        """
        self._sources = (*self._sources, stop)

    def stop_sources(self) -> None:
        """Stop what writes by itself; return once all of it is in the channel."""
        sources, self._sources = self._sources, ()
        for stop in reversed(sources):
            stop()


class LineChannel(PipesMessageWriterChannel):
    """One message is one line, handed over as a whole. After `closed` nothing is taken any more."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may report while this thread does
        self._ended = False

    def write_message(self, message: PipesMessage) -> None:
        line = encode_message(message) + b"\n"
        with self._lock:
            if self._ended:
                raise DagsterPipesError("a message came after `closed`", remedy="Report before the context is closed.")
            self._ended = message["method"] == "closed"
            self._write_line(line)

    @abstractmethod
    def _write_line(self, line: bytes) -> None:
        """Write one line, its newline included. Called by one thread at a time."""


class PipesFileMessageWriterChannel(LineChannel):
    """One message per line, appended to a file. The file is made if it is missing, its folder is not.

    The file is opened and closed for each message: network file systems show a write to other machines
    at the close. Each message is one write, newline included, because a reader may look at any time.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def _write_line(self, line: bytes) -> None:
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o666)
        except FileNotFoundError as error:
            raise DagsterPipesError(
                f"the messages file {self._path} cannot be made: its folder does not exist here",
                remedy="Run both sides on one machine, or give them a storage URL that both can reach.",
            ) from error
        try:
            while line:  # a second round only on a full disk or a signal
                line = line[os.write(fd, line) :]
        finally:
            os.close(fd)


_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # Windows would else turn each newline into two characters


class PipesStreamMessageWriterChannel(LineChannel):
    """One message per line on a text stream, between the lines of ordinary output; each is there at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def _write_line(self, line: bytes) -> None:
        self._stream.write(line.decode("ascii"))
        self._stream.flush()


class PipesBufferedStreamMessageWriterChannel(LineChannel):
    """All messages on a text stream at the end, for a reader that sees only the last part of the output."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []

    def _write_line(self, line: bytes) -> None:
        self._lines.append(line.decode("ascii"))

    def flush(self) -> None:
        """Write what was kept, oldest first."""
        with self._lock:
            self._stream.write("".join(self._lines))
            self._stream.flush()
            self._lines = []
