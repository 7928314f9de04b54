"""What goes in and out of the writer core: where it stands, and what it asks of the store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class State(Enum):
    """Where the writer stands. The last four are final."""

    CLAIM = "claim"  # the first chunk is not stored yet
    OPEN = "open"
    DRAIN = "drain"  # `closed` was accepted
    VERIFY = "verify"  # everything is stored; is the log still there?
    CLOSED = "closed"
    SEALED = "sealed"  # the log had ended before this process began
    FENCED = "fenced"  # somebody else owns the log now
    ABANDONED = "abandoned"  # gave up with messages not stored


FINAL: Final = frozenset({State.CLOSED, State.SEALED, State.FENCED, State.ABANDONED})


class Verb(Enum):
    """What the shell is asked to do. It answers by the `on_` method named beside each."""

    PUT = "put"  # put-if-absent chunk `number`: on_stored, on_exists
    READ = "read"  # get chunk `number`: on_read
    LIST = "list"  # the highest chunk number there is, 0 for none: on_listed
    # each of them may be answered by on_failed


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask the store."""

    verb: Verb
    number: int = 0
    data: bytes = b""
