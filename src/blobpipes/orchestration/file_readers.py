"""Messages from a file of this machine: given, or temporary. Needs no store and no options."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from blobpipes.orchestration.context_injectors import begin_file
from blobpipes.orchestration.file_tail import FileTail
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.poller import shared_poller
from blobpipes.orchestration.reading import Watched, followed
from blobpipes.wire.params import PipesParams

_FILE_NAME = "messages"  # as the official temporary file is called


class PipesFileMessageReader(PipesMessageReader):
    """Follows a file to which the external process appends its messages.

    The file is created empty, or emptied, when a session begins, and removed when it has ended.

    Args:
        path: the file; its directory must exist.
        include_stdio_in_messages: ask the external process to send its output, too.
        cleanup_file: whether the file is removed at the end.
    """

    def __init__(
        self, path: str | PathLike[str], include_stdio_in_messages: bool = False, cleanup_file: bool = True
    ) -> None:
        self._path = Path(path).absolute()  # the external process may have another working directory
        self._include_stdio = include_stdio_in_messages
        self._cleanup_file = cleanup_file

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Follow the file until the block ends, then read it to its end.

        Raises:
            DagsterPipesError: the file cannot be created.
        """
        begin_file(self._path, b"", "messages")
        try:
            with _following(self._path, handler):
                yield {"path": str(self._path), "include_stdio_in_messages": self._include_stdio}
        finally:
            if self._cleanup_file:
                self._path.unlink(missing_ok=True)

    def no_messages_debug_text(self) -> str:
        """Which file."""
        return f"Attempted to read messages from file {self._path}."


class PipesTempFileMessageReader(PipesMessageReader):
    """Follows a temporary file, one for each session.

    Args:
        include_stdio_in_messages: ask the external process to send its output, too.
    """

    def __init__(self, include_stdio_in_messages: bool = False) -> None:
        self._include_stdio = include_stdio_in_messages

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Follow a new temporary file until the block ends, then read it to its end."""
        with tempfile.TemporaryDirectory(prefix="blobpipes-") as directory:
            reader = PipesFileMessageReader(Path(directory, _FILE_NAME), self._include_stdio)
            with reader.read_messages(handler) as params:
                yield params

    def no_messages_debug_text(self) -> str:
        """What kind of file."""
        return "Attempted to read messages from a local temporary file."


@contextmanager
def _following(path: Path, handler: PipesMessageHandler) -> Iterator[None]:
    tail = FileTail(
        path,
        scheduler=Watched(shared_poller(), is_ended=lambda: tail.is_ended, on_end=handler.inbox.reading_ended),
        deliver=handler.handle_line,
        report=lambda text: handler.report_problem("reader", f"{path}: {text}"),
    )
    try:
        with followed(tail, handler.inbox):
            yield
    except OSError as error:
        if error is not tail.failure:
            raise
        handler.report_problem("reader", f"cannot read {path}: {error.strerror or error}")
