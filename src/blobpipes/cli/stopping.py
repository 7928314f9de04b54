"""Being told to stop: Ctrl-C raises in the main thread by itself; SIGTERM shall, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt, no error that anybody should catch on the way."""


@contextmanager
def termination_raised() -> Iterator[None]:
    """In this block SIGTERM raises `Terminated` in the main thread. Elsewhere than there nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated
