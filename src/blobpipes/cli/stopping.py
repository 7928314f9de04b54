"""Being told to stop: Ctrl-C raises in the main thread by itself; SIGTERM and a lost terminal shall, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM or SIGHUP came. Like KeyboardInterrupt, no error that anybody should catch on the way."""


@contextmanager
def termination_raised() -> Iterator[None]:
    """In this block SIGTERM and SIGHUP raise `Terminated` in the main thread. Elsewhere than there nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in _STOPPING if _is_heeded(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_STOPPING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


def _is_heeded(number: signal.Signals) -> bool:
    """nohup has SIGHUP ignored, and that shall stay so."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated
