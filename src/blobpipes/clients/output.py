"""What a job prints, as it comes: pumped from its pipe by a thread, and cut into lines where messages are among it."""

from __future__ import annotations

import codecs
import os
import select
import sys
import threading
from array import array
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

from blobpipes.clients.place import Place, Stream, TakeOutput
from blobpipes.errors import InvalidOptionError
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.session import PipesSession
from blobpipes.orchestration.stdio import PipesStdioMessageReader, extract_message_or_forward_to_file

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
PIECE: Final = 1 << 16  # bytes taken at once
_PAUSE: Final = 1.0  # seconds without output after which a pipe is left, on systems that do not tell what is in it


class OutputPump:
    """Reads one pipe in a thread of its own, from construction on. `take` gets each piece, and nothing at the end."""

    def __init__(self, pipe: IO[bytes], take: TakeOutput, name: str) -> None:
        self._pipe = pipe
        self._take = take
        self._failure: BaseException | None = None  # of `take`; what comes after it is dropped
        self._wake_out, self._wake = os.pipe()
        self._lock = threading.Lock()  # around the wake-up pipe's end
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name=f"blobpipes-{name}", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """The job has ended: return when all that it printed until now is taken.

        Its children may keep the pipe open and print on for ever: what comes later is not waited for.

        Raises:
            Whatever `take` raised.
        """
        self._stop()
        self._thread.join(None if _CAN_SELECT else _PAUSE)
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Stop to read, without waiting for anything: the job may run on."""
        self._stop()

    def _stop(self) -> None:
        with self._lock:
            if not self._has_ended:
                os.write(self._wake, b"\0")

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._pipe:
            while not self._is_told_to_stop() and self._read_piece():
                pass
            left = _bytes_in(self._pipe)
            while left > 0 and (taken := self._read_piece()):
                left -= taken
        self._hand_out(b"")
        with self._lock:
            self._has_ended = True
            os.close(self._wake_out)
            os.close(self._wake)

    def _is_told_to_stop(self) -> bool:
        """Wait until there is something to read, or nobody wants it any more."""
        return _CAN_SELECT and self._wake_out in select.select([self._pipe.fileno(), self._wake_out], [], [])[0]

    def _read_piece(self) -> int:
        """How many bytes were taken; 0 at the end of the pipe."""
        piece = os.read(self._pipe.fileno(), PIECE)
        if piece:
            self._hand_out(piece)
        return len(piece)

    def _hand_out(self, piece: bytes) -> None:
        try:
            if self._failure is None:
                self._take(piece)
        except BaseException as error:  # noqa: BLE001 - raised again by `finish`; the job must not hang on a full pipe
            self._failure = error


_CAN_SELECT: Final = os.name == "posix"


def _bytes_in(pipe: IO[bytes]) -> int:
    """How many bytes wait in a pipe that only this thread reads."""
    if not _CAN_SELECT:
        return 0
    import fcntl
    import termios

    found = array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, found)
    return found[0]


class Lines:
    """Cuts pieces into lines, each with its newline. One thread calls it, with nothing at the end."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._pieces: list[bytes] = []  # of the line whose end has not come

    def __call__(self, piece: bytes) -> None:
        if not piece:
            self._finish_line(b"")
            return
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._finish_line(line + b"\n")
        if rest:
            self._pieces.append(rest)

    def _finish_line(self, end: bytes) -> None:
        line = b"".join([*self._pieces, end])
        self._pieces = []
        if line:
            self._take(line)


def output_takers(
    place: Place[Any], reader: PipesMessageReader | None, session: PipesSession, *, forward: bool, muted: bool
) -> Mapping[Stream, TakeOutput]:
    """Who takes which of the job's streams.

    Args:
        reader: if it wants messages on one stream, they are taken from there.
        forward: copy what comes on the others to where ours go, unless the place does that by itself.
        muted: drop the lines between messages.

    Raises:
        InvalidOptionError: the reader wants messages on a stream, and the place does not deliver what jobs print.
    """
    takers = copied_output(place) if forward else {}
    if isinstance(reader, PipesStdioMessageReader):
        if not place.delivers_output:
            raise InvalidOptionError(
                f"messages cannot come on the job's {reader.stream}, because {place.name} does not deliver it",
                remedy="Send them through a store: leave message_reader out, and give a URL.",
            )
        takers[reader.stream] = Lines(_taking_messages(session, _own(reader.stream), muted=muted))
    return takers


def copied_output(place: Place[Any]) -> dict[Stream, TakeOutput]:
    """Copies what a job prints to where ours goes, where the place does not do that by itself but can."""
    if not place.delivers_output or place.prints_here:
        return {}
    return {name: _copying_to(name) for name in STREAMS}


def _taking_messages(session: PipesSession, file: IO[str], *, muted: bool) -> Callable[[bytes], None]:
    def take(line: bytes) -> None:
        if muted:
            session.message_handler.handle_line(line, among_output=True)
        else:
            extract_message_or_forward_to_file(session.message_handler, line, file)

    return take


def _copying_to(name: Stream) -> TakeOutput:
    file, decode = _own(name), codecs.getincrementaldecoder("utf-8")("replace").decode

    def take(piece: bytes) -> None:
        file.write(decode(piece, final=not piece))
        file.flush()

    return take


def _own(name: Stream) -> IO[str]:
    return sys.stdout if name == "stdout" else sys.stderr
