"""How a process may leave without losing what it said: signals, the end of the interpreter, fork.

SIGTERM puts what was accepted at once, from another thread, even while the main thread is inside C code; then
the handler that was there before runs, or SystemExit unwinds the `with` block, which closes the context. A
process that ends without closing is flushed by the threading module's own exit hook: at `atexit` time several
file systems can no longer send. A forked child has a copy of everything and may use none of it.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.errors import BlobpipesError, InvalidOptionError
from blobpipes.external.stream_tee import write_diagnostic

GRACE_VARIABLE: Final = "BLOBPIPES_TERM_GRACE"
DEFAULT_GRACE: Final = 8.0  # seconds: docker stops after 10 s, spot pods on GKE after about 15 s
_STOP: Final = b"\0"  # wakes the listener so that it ends; no signal has this number

_lock = threading.RLock()
_watched: dict[int, ChunkWriter] = {}
_signals: _Signals | None = None
_hook_is_set = False


@contextmanager
def watched(writer: ChunkWriter) -> Iterator[None]:
    """While this is open, no ordinary way to end the process loses what `writer` has accepted."""
    global _signals
    with _lock:
        _set_exit_hook()
        _watched[id(writer)] = writer
        if _signals is None and threading.current_thread() is threading.main_thread():
            _signals = _Signals(term_grace(os.environ))
    is_dropped = False
    try:
        yield
    except GeneratorExit:  # by nobody's leaving, but because the interpreter ends: no thread can be joined now
        is_dropped = True
        raise
    finally:
        if not is_dropped:
            _unwatch(writer)


def term_grace(environment: Mapping[str, str]) -> float:
    """Seconds between SIGTERM and the moment at which the platform kills.

    Raises:
        InvalidOptionError: the variable is set, and no number.
    """
    text = environment.get(GRACE_VARIABLE, "")
    try:
        return float(text.removesuffix("s")) if text else DEFAULT_GRACE
    except ValueError:
        raise InvalidOptionError(
            f"{GRACE_VARIABLE}={text!r} is not a number of seconds", remedy="Write for instance 8."
        ) from None


def _unwatch(writer: ChunkWriter) -> None:
    global _signals
    with _lock:
        _watched.pop(id(writer), None)
        if not _watched and _signals is not None and threading.current_thread() is threading.main_thread():
            _signals.restore()
            _signals = None


# --- the end of the interpreter -----------------------------------------------------------------------


def _set_exit_hook() -> None:
    global _hook_is_set
    if _hook_is_set:
        return
    _hook_is_set = True
    register: Callable[[Callable[[], Any]], Any] = getattr(threading, "_register_atexit", atexit.register)
    with suppress(RuntimeError):  # opened while the interpreter is shutting down: nothing can be promised
        register(_flush_all)


def _flush_all() -> None:
    """The main thread has ended. Non-daemon threads may still write; from here on each write is put at once."""
    for writer in list(_watched.values()):
        _flush(writer)


def _flush(writer: ChunkWriter) -> None:
    try:
        writer.expect_exit()
    except BlobpipesError as error:  # nobody is left to catch it
        write_diagnostic(f"at the end of the process: {error}")


# --- fork ---------------------------------------------------------------------------------------------


_masks = threading.local()


def _hold_sigterm() -> None:
    """Before a fork: a SIGTERM for the child must not find our handler there, nor our pipe."""
    if _signals is not None:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release_sigterm() -> None:
    mask = getattr(_masks, "before", None)
    _masks.before = None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _forget_parent() -> None:
    """In a forked child: the log, the listener and the signals are the parent's affair."""
    global _lock, _signals
    _lock = threading.RLock()  # another thread of the parent may have held it
    _watched.clear()
    if _signals is not None:
        _signals.let_go()
        _signals = None
    _release_sigterm()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_sigterm, after_in_parent=_release_sigterm, after_in_child=_forget_parent)


# --- signals ------------------------------------------------------------------------------------------


class _Signals:
    """SIGTERM for the time that a writer is open. Made and restored in the main thread."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._previous = signal.getsignal(signal.SIGTERM)
        self._handles = self._previous not in (signal.SIG_IGN, None)
        if self._handles:
            signal.signal(signal.SIGTERM, self._on_signal)
        self._has_wakeup = self._take_wakeup_fd()
        self._thread = threading.Thread(target=self._listen, name="blobpipes-signals", daemon=True)
        self._thread.start()

    def restore(self) -> None:
        """Put back what was there, unless somebody else has changed it since."""
        os.write(self._write, _STOP)
        self._thread.join()
        self.let_go()

    def let_go(self) -> None:
        """As `restore`, where the listener does not run: in a forked child, whose pipe would reach the parent."""
        if self._handles and signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, self._previous)
        if self._has_wakeup:
            current = signal.set_wakeup_fd(-1)
            if current != self._write:
                signal.set_wakeup_fd(current)
        os.close(self._write)
        os.close(self._read)

    def _take_wakeup_fd(self) -> bool:
        """Have the C-level handler tell our thread at once. Not if somebody (asyncio) has it already."""
        current = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        if current != -1:
            signal.set_wakeup_fd(current)
        return current == -1

    def _listen(self) -> None:
        while (number := os.read(self._read, 1)) not in (b"", _STOP):
            if number[0] == signal.SIGTERM:
                for writer in list(_watched.values()):
                    writer.terminate(self._grace)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._has_wakeup:
            os.write(self._write, bytes([number]))  # the only thing that is safe here
        if callable(self._previous):
            self._previous(number, frame)
        elif self._previous == signal.SIG_DFL:
            raise SystemExit(128 + number)
