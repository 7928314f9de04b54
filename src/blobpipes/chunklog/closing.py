"""Does this message line close its stream? The only thing that the engine reads in a message.

A header says by a flag that its log has ended; official writers have no header, so there the `closed`
message itself must be recognised.
"""

from __future__ import annotations

import json
from typing import Literal

Closing = Literal["clean", "failed"]


def closing_of(line: bytes) -> Closing | None:
    """How `line` closes its stream; None for every other line, damaged ones included."""
    if b'"closed"' not in line:  # nearly every line: no need to parse it
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("method") != "closed":
        return None
    params = message.get("params")
    return "failed" if isinstance(params, dict) and params.get("exception") else "clean"


def is_clean_close(line: bytes) -> bool:
    """`line` is a `closed` message of a normal end."""
    return closing_of(line) == "clean"
