"""When nobody reads our output: `| head` has gone, or `>&-` has closed it from the start."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def replace_closed_streams() -> None:
    """Python has None for a standard stream that was closed before it started; what is written there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for good


def silence(stream: TextIO) -> None:
    """What is still to be flushed goes nowhere, so that the interpreter ends without a word about it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
