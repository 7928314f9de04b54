"""What does this process ask of stores? Its chunks tell the orchestration side.

The context is got before there is a writer. So one meter counts from the start of the process, or from the end of the
writer before, until a writer takes it over and goes on counting with it.
"""

from __future__ import annotations

import threading

from blobpipes.storage.metered import Meter

_lock = threading.Lock()
_meter = Meter()


def meter_before_writing() -> Meter:
    """The meter that the next writer will take over."""
    with _lock:
        return _meter


def take_meter() -> Meter:
    """The meter of a writer that begins now, with what was asked since the last one began."""
    global _meter
    with _lock:
        taken, _meter = _meter, Meter()
        return taken
