"""What the job prints, as messages: writers that capture stdout and stderr of this process and its children."""

from __future__ import annotations

import os
import select
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Final, Generic, TypedDict, TypeVar, cast, final

from blobpipes.errors import DagsterPipesError, DagsterPipesWarning
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.stream_tee import STDERR_FD, STDOUT_FD, StreamTee
from blobpipes.wire.messages import StreamName, external_stream
from blobpipes.wire.params import PipesExtras, PipesParams

DRAIN_TIMEOUT: Final = 60.0  # seconds that the end of a capture may take, if nobody says otherwise


class PipesLogWriterChannel(ABC):
    """One captured stream."""

    @abstractmethod
    def capture(self) -> AbstractContextManager[None]:
        """A context manager (write it with `@contextmanager`): the stream is captured while it is open."""


T_LogChannel = TypeVar("T_LogChannel", bound=PipesLogWriterChannel)


class PipesLogWriterOpenedData(TypedDict):
    """What a log writer tells of itself."""

    extras: PipesExtras


class PipesLogWriter(ABC, Generic[T_LogChannel]):
    """Captures logs for as long as it is open."""

    LOG_WRITER_KEY = "log_writer"  # in the messages params: what is passed to `open`

    @abstractmethod
    def open(self, params: PipesParams) -> AbstractContextManager[object]:
        """A context manager (write it with `@contextmanager`) that captures while it is open."""

    @final
    def get_opened_payload(self) -> PipesLogWriterOpenedData:
        return {"extras": self.get_opened_extras()}

    def get_opened_extras(self) -> PipesExtras:
        return {}


class PipesStdioLogWriterChannel(PipesLogWriterChannel):
    """Captures one standard stream and hands its text to `write_chunk`, at most `interval` seconds old.

    Everything is heard that arrives at the stream's file descriptor, children included; it still reaches
    the original stream. `write_chunk` runs in a thread of the channel's own.
    """

    drain_timeout: float = DRAIN_TIMEOUT  # seconds; how long the end of a capture may take

    def __init__(self, stream: StreamName, interval: float, name: str) -> None:
        if stream not in ("stdout", "stderr"):
            raise DagsterPipesError(f"there is no standard stream {stream!r} to capture")
        self.stream: StreamName = stream
        self.interval = interval
        self._name = name

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    @property
    def stdio(self) -> TextIOWrapper:
        """Python's own object for the stream, whatever `sys.stdout` has been replaced by."""
        return cast(TextIOWrapper, sys.__stdout__ if self.stream == "stdout" else sys.__stderr__)

    @contextmanager
    def capture(self) -> Iterator[None]:
        if not hasattr(select, "poll"):
            warnings.warn(
                f"{self.stream} is not captured: this system has no way to wait for a pipe",
                DagsterPipesWarning,
                stacklevel=2,
            )
            yield
            return
        fd = STDOUT_FD if self.stream == "stdout" else STDERR_FD
        tee = StreamTee(fd, self.write_chunk, interval=self.interval)
        tee.start()
        try:
            yield
        finally:
            tee.stop(self.drain_timeout)

    @abstractmethod
    def write_chunk(self, chunk: str) -> None:
        """Take the next piece of text: any number of lines, cut anywhere between two characters."""


class PipesStdioLogWriter(PipesLogWriter[T_LogChannel]):
    """Captures stdout and stderr, each by a channel that the subclass makes."""

    @abstractmethod
    def make_channel(self, params: PipesParams, stream: StreamName) -> T_LogChannel:
        """The channel for one of the two streams."""

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[None]:
        with self.make_channel(params, "stdout").capture(), self.make_channel(params, "stderr").capture():
            yield


class PipesDefaultLogWriterChannel(PipesStdioLogWriterChannel):
    """Sends what it captures as `log_external_stream` messages."""

    def __init__(
        self, message_channel: PipesMessageWriterChannel, stream: StreamName, name: str, interval: float
    ) -> None:
        super().__init__(stream, interval, name)
        self.message_channel = message_channel

    def write_chunk(self, chunk: str) -> None:
        self.message_channel.write_message(external_stream(self.stream, chunk))


class PipesDefaultLogWriter(PipesStdioLogWriter[PipesDefaultLogWriterChannel]):
    """Sends stdout and stderr through a message channel, and is done before that channel sends `closed`.

    Args:
        interval: seconds that text waits for more of it.
        drain_timeout: seconds that the end of the capture may take, for a channel that takes nothing.
    """

    message_channel: PipesMessageWriterChannel

    def __init__(
        self,
        message_channel: PipesMessageWriterChannel,
        interval: float = 1.0,
        *,
        drain_timeout: float = DRAIN_TIMEOUT,
    ) -> None:
        self.message_channel = message_channel
        self.interval = interval
        self._drain_timeout = drain_timeout

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[None]:
        with ExitStack() as captures:
            captures.enter_context(super().open(params))
            self.message_channel.add_source(captures.close)
            yield

    def make_channel(self, params: PipesParams, stream: StreamName) -> PipesDefaultLogWriterChannel:
        name = f"{type(self).__name__}({stream})"
        channel = PipesDefaultLogWriterChannel(self.message_channel, stream, name, self.interval)
        channel.drain_timeout = self._drain_timeout
        return channel


class PipesStdioFileLogWriterChannel(PipesStdioLogWriterChannel):
    """Appends what it captures to a file."""

    def __init__(self, output_path: str, stream: StreamName, name: str, interval: float) -> None:
        super().__init__(stream, interval, name)
        self.output_path = output_path

    def write_chunk(self, chunk: str) -> None:
        with Path(self.output_path).open("a", encoding="utf-8") as file:
            file.write(chunk)


class PipesStdioFileLogWriter(PipesStdioLogWriter[PipesStdioFileLogWriterChannel]):
    """Writes the files `stdout` and `stderr` into the directory that the param `logs_dir` names."""

    LOGS_DIR_KEY = "logs_dir"

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval

    def make_channel(self, params: PipesParams, stream: StreamName) -> PipesStdioFileLogWriterChannel:
        directory = params.get(self.LOGS_DIR_KEY)
        if not isinstance(directory, str):
            raise DagsterPipesError(f"the log writer's params have no `{self.LOGS_DIR_KEY}`")
        Path(directory).mkdir(parents=True, exist_ok=True)
        path = os.path.join(directory, stream)  # noqa: PTH118 - a string for users who read the attribute
        return PipesStdioFileLogWriterChannel(path, stream, f"{type(self).__name__}({stream} -> {path})", self.interval)
