"""What goes in and out of the reader core: where it stands, settings, actions, reports and the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from blobpipes.chunklog.options import LogOptions
from blobpipes.storage.store import ObjectInfo
from blobpipes.storage.usage import Usage


class State(Enum):
    """Where the reader stands."""

    WAIT_FIRST = "wait_first"
    TAIL = "tail"
    HOLD = "hold"  # closed with an exception, and a restart was announced
    DRAIN = "drain"  # the process is gone: read to the end
    SEAL = "seal"  # nothing is there after the end: put the seal
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What the reader may do and for how long it is patient. Times are seconds."""

    options: LogOptions = field(default_factory=LogOptions)
    owner: str = "reader"  # names this reader in a seal that it writes
    may_seal: bool = True  # the store has an atomic put-if-absent, and we may write
    restarts: int = 0  # how many more processes may continue the log after one that failed
    denied_is_absent: bool = False  # the store answers 403 for an absent key (no list permission)
    corrupt_patience: float = 30.0  # a damaged chunk may be not completely visible yet
    gap_patience: float = 60.0  # a hole may be a listing that is ahead of a get
    store_patience: float = 900.0  # a store that fails for this long ends the session; the chunks stay
    end_grace: float = 2.0  # between the two looks that end a log which cannot be sealed


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message line of the log, in order and exactly once per reader."""

    stream: str  # which process said it
    seq: int  # from 1 within the stream
    line: bytes  # one JSON text, if the writer kept the rules
    chunk: int


ProblemKind = Literal[
    "corrupt",  # a chunk whose bytes do not match its header: its messages are lost
    "gap",  # a chunk or a range of messages is missing
    "store",  # the store fails or refuses; reading goes on as soon as it can
    "silent",  # the writer has missed its heartbeats
    "restarted",  # another process continues the log
    "overwritten",  # an official writer started again over its own chunks
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault that was isolated, for the report."""

    kind: ProblemKind
    text: str
    chunk: int | None = None


Verdict = Literal["complete", "failed", "truncated", "refused", "unreachable"]


@dataclass(frozen=True, slots=True)
class LogEnd:
    """How the log ended. `complete` and `failed` mean that every message arrived."""

    verdict: Verdict
    detail: str  # one sentence for people
    chunks: int  # chunks read
    messages: int  # messages delivered
    missing: int  # messages known to be lost; 0 does not mean none where the verdict is not complete or failed
    last_seq: Mapping[str, int]  # last number delivered, per stream
    usage: Usage | None = None  # what the processes that wrote have asked of the store; None: not all of them say


@dataclass(frozen=True, slots=True)
class Get:
    """Get chunk `number`: on_object or on_failed."""

    number: int


@dataclass(frozen=True, slots=True)
class ListChunks:
    """List the log's chunks: on_listed or on_failed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Put `data` as chunk `number` if absent: on_sealed or on_failed."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand these to the handler, in this order."""

    messages: Sequence[Delivered]


@dataclass(frozen=True, slots=True)
class Report:
    """Tell of a problem."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Finish:
    """The log has ended; nothing more will be asked."""

    end: LogEnd


ReaderAction = Get | ListChunks | Seal | Deliver | Report | Finish


@dataclass(frozen=True, slots=True)
class Listed:
    """One chunk in a listing."""

    number: int
    info: ObjectInfo
