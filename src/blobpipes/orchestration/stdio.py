"""Messages on a job's own stdout or stderr, between the lines of its ordinary output.

Whoever launches the job feeds its lines in; nothing is polled. A line is a message if it is a JSON object
with the version field, every other line is ordinary output and passed on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Final, Literal

from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.wire.messages import VERSION_FIELD
from blobpipes.wire.params import PipesParams

_MARK: Final = VERSION_FIELD.encode()


class PipesStdioMessageReader(PipesMessageReader):
    """Asks the job to write its messages on one of its streams.

    Feed each line of that stream to `extract_message_or_forward_to_stdout(session.message_handler, line)`, or
    all of them to `forward_lines`; `PipesSubprocessClient` does it by itself.

    Args:
        stream: which of the job's streams.
        buffered: all messages at its end, for places that show only the last part of a log.
    """

    def __init__(self, stream: Literal["stdout", "stderr"] = "stdout", buffered: bool = False) -> None:
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"stream is 'stdout' or 'stderr', not {stream!r}")
        self.stream = stream
        self._key = "buffered_stdio" if buffered else "stdio"

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Nothing is read here: whoever launches the job feeds the lines in."""
        yield {self._key: self.stream}

    def no_messages_debug_text(self) -> str:
        """Which stream."""
        return f"Attempted to take messages from lines of the external process's {self.stream}."


def extract_message_or_forward_to_file(handler: PipesMessageHandler, log_line: str | bytes, file: IO[str]) -> None:
    """Handle a line that is a message; write any other to `file`, with a newline."""
    if _may_be_message(log_line) and handler.handle_line(log_line, among_output=True):
        return
    text = log_line.decode("utf-8", "replace") if isinstance(log_line, bytes) else log_line
    file.write(text.rstrip("\n") + "\n")


def extract_message_or_forward_to_stdout(handler: PipesMessageHandler, log_line: str | bytes) -> None:
    """Handle a line that is a message; print any other."""
    extract_message_or_forward_to_file(handler, log_line, sys.stdout)


def forward_lines(handler: PipesMessageHandler, lines: Iterable[str | bytes], file: IO[str] | None = None) -> None:
    """Take every line of a job's stream as it comes: messages to the handler, the rest to `file`, by default stdout."""
    for line in lines:
        extract_message_or_forward_to_file(handler, line, file or sys.stdout)


def _may_be_message(line: str | bytes) -> bool:
    """A quick look, since most lines of a chatty job are none."""
    return _MARK in line if isinstance(line, bytes) else VERSION_FIELD in line
