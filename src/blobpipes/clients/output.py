"""A job that writes its messages on its own stdout or stderr: its lines go to the session's handler."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Literal

from blobpipes.clients.launch import PIPE, Command, Process
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.session import PipesSession
from blobpipes.orchestration.stdio import PipesStdioMessageReader, extract_message_or_forward_to_file


@dataclass(frozen=True, slots=True)
class MessageOutput:
    """Which stream of the job carries messages, if one does. Ordinary lines are passed on, unless they are muted."""

    stream: Literal["stdout", "stderr", "none"]
    muted: bool = False

    def piped(self, command: Command) -> Command:
        """The command, with that stream led to us."""
        if self.stream == "stdout":
            return replace(command, stdout=PIPE)
        return replace(command, stderr=PIPE) if self.stream == "stderr" else command

    def lines_handled(self, session: PipesSession, process: Process) -> Iterator[None]:
        """Handle each line as it comes, until the stream ends; gives control back after each."""
        pipe = self._pipe(process)
        if pipe is None:
            return
        for line in pipe:
            self._handle(session, line)
            yield

    def handle_rest(self, session: PipesSession, process: Process) -> None:
        """What an interrupted job wrote before it ended. Does not wait for children that keep the stream open."""
        pipe = self._pipe(process)
        if pipe is None:
            return
        os.set_blocking(pipe.fileno(), False)
        for line in (pipe.read() or b"").splitlines(keepends=True):
            self._handle(session, line)

    def close(self, process: Process) -> None:
        """Let go of the stream."""
        pipe = self._pipe(process)
        if pipe is not None:
            pipe.close()

    def _pipe(self, process: Process) -> IO[bytes] | None:
        return {"stdout": process.stdout, "stderr": process.stderr, "none": None}[self.stream]

    def _handle(self, session: PipesSession, line: bytes) -> None:
        if not self.muted:
            file = sys.stdout if self.stream == "stdout" else sys.stderr
            extract_message_or_forward_to_file(session.message_handler, line, file)
        else:
            session.message_handler.handle_line(line, among_output=True)


def message_output(reader: PipesMessageReader | None, *, muted: bool) -> MessageOutput:
    """The stream that `reader` wants the job to use."""
    return MessageOutput(reader.stream if isinstance(reader, PipesStdioMessageReader) else "none", muted)
