"""Who else hears what this process and its children print? A copy of file descriptor 1 or 2, taken underneath Python.

The descriptor is replaced by a pipe; a thread passes every byte on to where it went before and hands the
text to a consumer. Whatever writes to the descriptor is heard: `print`, C libraries, child processes.
Needs `poll` and FIONREAD on pipes, that is Linux, macOS or another Unix.
"""

from __future__ import annotations

import atexit
import os
import select
import sys
import threading
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Final

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.external.text_buffer import TextBuffer

STDOUT_FD: Final = 1
STDERR_FD: Final = 2
_READ_SIZE: Final = 64 * 1024  # the capacity of a pipe on Linux
_EXIT_TIMEOUT: Final = 5.0  # seconds for a capture that nobody stopped: the interpreter is ending

_originals_lock = threading.Lock()
_originals: dict[int, int] = {}  # captured descriptor -> a duplicate of what it was before


def write_diagnostic(text: str) -> None:
    """Show one line to whoever watches this process, without its being captured as the job's output."""
    with _originals_lock:
        original = _originals.get(STDERR_FD)
        if original is not None:
            with suppress(OSError):
                os.write(original, f"{text}\n".encode(errors="backslashreplace"))
            return
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # a closed stream: there is nobody to tell
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


class StreamTee:
    """One capture of one descriptor, from `start` to `stop`. `deliver` is called by the capturing thread only.

    Children that outlive the capture keep the pipe: their output is passed on to the original
    stream until they end, and no longer delivered.
    """

    def __init__(
        self, fd: int, deliver: Callable[[str], None], *, interval: float = 1.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._fd = fd
        self._deliver = deliver
        self._clock = clock
        self._buffer = TextBuffer(interval)
        self._drained = threading.Event()  # everything printed before `stop` was delivered
        self._stopped = threading.Event()  # the descriptors below are the thread's to close
        self._thread = threading.Thread(target=self._run, name=f"blobpipes-capture-{fd}", daemon=True)
        self._pid = 0
        self._original = self._source = self._wake_out = self._wake_in = -1
        self._pipe_id: tuple[int, int] | None = None
        self._line_buffered: Any = None
        self._told = False

    def start(self) -> bool:
        """Begin. False, and nothing has changed, where the descriptor is closed: there is no output to hear."""
        self._flush()
        try:
            self._original = os.dup(self._fd)
        except OSError:
            return False
        self._pid = os.getpid()
        self._wake_out, self._wake_in = os.pipe()
        self._source, sink = os.pipe()
        self._pipe_id = _identity(sink)
        self._thread.start()  # before anything is written to a pipe that nobody would read
        os.dup2(sink, self._fd)
        os.close(sink)
        with _originals_lock:
            _originals[self._fd] = self._original
        self._show_lines_at_once()
        atexit.register(self.stop, _EXIT_TIMEOUT)
        return True

    def stop(self, timeout: float) -> None:
        """Restore the descriptor; return once everything printed before was delivered, after `timeout` s at most."""
        if not self._pid:
            return
        atexit.unregister(self.stop)
        self._flush(within=timeout)
        self._restore()
        if os.getpid() == self._pid:  # a forked child has the descriptors, but not the thread
            os.write(self._wake_in, b"!")
            if not self._drained.wait(timeout):
                write_diagnostic(f"blobpipes: the end of the captured output was not delivered within {timeout:g} s")
            self._stopped.set()
        self._pid = 0

    # --- the descriptor ----------------------------------------------------------------------------

    def _restore(self) -> None:
        if self._line_buffered is not None:
            with suppress(OSError, ValueError):
                self._line_buffered.reconfigure(line_buffering=False)
        if _identity(self._fd) == self._pipe_id:  # else the program has redirected it meanwhile: leave that alone
            os.dup2(self._original, self._fd)
        with _originals_lock:
            if _originals.get(self._fd) == self._original:
                del _originals[self._fd]

    def _flush(self, within: float = 0.0) -> None:
        """Bring what Python and C hold in buffers to the descriptor. Not if nobody empties the pipe any more."""
        if self._pid and not _is_writable(self._fd, within):
            return
        for stream in _python_streams(self._fd):
            with suppress(OSError, ValueError):
                stream.flush()
        if self._fd == STDOUT_FD:
            _flush_c_stdout()

    def _show_lines_at_once(self) -> None:
        """A standard output that is no terminal holds 8 KiB back; captured output should be seen while it is news."""
        if self._fd != STDOUT_FD or sys.stdout is not sys.__stdout__:
            return
        stream: Any = sys.__stdout__
        if not getattr(stream, "line_buffering", True):
            with suppress(AttributeError, OSError, ValueError):
                stream.reconfigure(line_buffering=True)
                self._line_buffered = stream

    # --- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        at_end = self._capture()
        self._hand_over(final=True)
        self._drained.set()
        while not at_end:
            at_end = not self._pass_on(_READ_SIZE)
        self._stopped.wait()
        self._release()

    def _capture(self) -> bool:
        """Deliver until `stop`, or until nobody holds the pipe any more. True in the latter case."""
        poller = select.poll()
        poller.register(self._source, select.POLLIN)
        poller.register(self._wake_out, select.POLLIN)
        while True:
            due = self._buffer.due_in(self._clock.monotonic())
            if due == 0.0:
                self._hand_over()
                continue
            ready = {fd for fd, _ in poller.poll(None if due is None else due * 1000)}
            if self._wake_out in ready:
                return self._drain()
            if self._source in ready and not self._capture_some(_READ_SIZE):
                return True

    def _drain(self) -> bool:
        """Everything that was in the pipe when `stop` was called; what comes later is not the capture's."""
        left = _bytes_waiting(self._source)
        while left > 0:
            got = self._capture_some(min(left, _READ_SIZE))
            if got == 0:
                return True
            left -= got
            if self._buffer.due_in(self._clock.monotonic()) == 0.0:
                self._hand_over()
        return False

    def _capture_some(self, limit: int) -> int:
        data = self._pass_on(limit)
        if data:
            self._buffer.add(data, self._clock.monotonic())
        return len(data)

    def _pass_on(self, limit: int) -> bytes:
        data = os.read(self._source, limit)
        _write_all(self._original, data)
        return data

    def _hand_over(self, *, final: bool = False) -> None:
        text = self._buffer.take(final=final)
        if not text:
            return
        try:
            self._deliver(text)
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """The consumer failed. The job's own output must go on; whoever owns the channel raises its failure."""
        if not self._told:
            self._told = True
            write_diagnostic(f"blobpipes: captured output could not be sent: {error}")

    def _release(self) -> None:
        for fd in (self._source, self._wake_out, self._wake_in, self._original):
            os.close(fd)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_writable(fd: int, within: float) -> bool:
    try:
        return bool(select.select([], [fd], [], within)[1])
    except (OSError, ValueError):
        return False


def _python_streams(fd: int) -> list[IO[str]]:
    named = {STDOUT_FD: (sys.stdout, sys.__stdout__), STDERR_FD: (sys.stderr, sys.__stderr__)}.get(fd, ())
    return [stream for stream in named if stream is not None]


def _bytes_waiting(fd: int) -> int:
    import fcntl
    import termios

    count = array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def _write_all(fd: int, data: bytes) -> None:
    """To the original stream. That nobody reads it any more is no reason to stop capturing."""
    view = memoryview(data)
    with suppress(OSError):
        while view:
            view = view[_write_some(fd, view) :]


def _write_some(fd: int, data: memoryview) -> int:
    try:
        return os.write(fd, data)
    except BlockingIOError:  # the terminal or pipe was set so by whoever shares it
        select.select([], [fd], [])
        return 0


def _flush_c_stdout() -> None:
    """Libraries in C print through a buffer of their own, which is not line-wise when it feeds a pipe."""
    with suppress(ImportError, OSError, AttributeError, ValueError):
        import ctypes

        library = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        library.fflush(ctypes.c_void_p.in_dll(library, name))
