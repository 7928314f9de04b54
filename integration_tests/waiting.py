"""Waiting for what another process or thread does, however slow the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WAIT = 120.0  # seconds until a test gives up; nothing here passes or fails by speed


def wait_for(condition: Callable[[], object]) -> None:
    """Look until it is so. For what can only be looked at: another process' progress."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT:g} s"
        threading.Event().wait(0.02)
