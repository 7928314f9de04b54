"""After whoever read our output has gone, as `head` does."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


def silence(stream: TextIO) -> None:
    """What is still to be flushed goes nowhere, so that the interpreter ends without a word about it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
