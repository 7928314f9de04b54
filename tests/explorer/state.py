"""What a scenario allows, and one state of the whole: processes, store, reader, faults still to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.writer_core import WriterCore


class Faults(NamedTuple):
    """How many of each may still happen, at any moment."""

    requests: int = 0  # a request is lost: nothing done, no answer
    replies: int = 0  # a put is done, its answer is lost
    late: int = 0  # a put has no answer and lands at any later moment, or never
    exists: int = 0  # the store says "exists" of a slot that is empty
    kills: int = 0  # SIGKILL of a process
    crashes: int = 0  # the reader dies and is started again
    timeouts: int = 0  # `close` runs out of time
    refusals: int = 0  # the store refuses a put or a writer's read, though the credentials are good
    lies: int = 0  # the platform says that all processes are gone while they are not
    answers: int = 99  # how many of the first four, of `timeouts` and of `refusals` may happen together

    def less(self, fault: str) -> Faults:
        """One `fault` has happened."""
        left = self._replace(**{fault: getattr(self, fault) - 1})
        if fault in ("kills", "crashes", "lies"):
            return left
        left = left._replace(answers=self.answers - 1)
        return left if left.answers else left._replace(requests=0, replies=0, late=0, exists=0, timeouts=0, refusals=0)


Starts = Literal["once", "restart", "zombie", "together"]
Spool = Literal["off", "all", "unstored"]
Sink = Literal["handler", "ids", "cursor before", "cursor after"]
Cleaning = Literal["keep", "tombstone", "handled", "everything"]


@dataclass(frozen=True)
class Scenario:
    """The bounds of one search."""

    name: str
    title: str
    faults: Faults = Faults()  # noqa: RUF009 - a value
    processes: int = 1
    starts: Starts = "once"
    """"restart": the next process once one is over. "zombie": at any time, the older goes on unseen by the
    platform. "together": all at once."""
    says: int = 1  # messages of each process between `opened` and `closed`
    closes_early: bool = False  # `closed` may come at any point
    may_fail: bool = False  # `closed` may carry an exception
    spool: Spool = "off"
    """What a dead process accepted is replayed by the next, as the same stream: "all" of it, or what was not
    known to be "unstored" when it died."""
    per_chunk: int = 10  # messages that one chunk holds
    restarts: int = 0  # how many the reader was told to expect
    sink: Sink = "handler"
    """"handler": a restarted reader has a new one. The others outlive the reader: ids of what they hold, or a
    cursor that is stored before or after each chunk is handled."""
    cleaning: Cleaning = "keep"
    official: bool = False  # the reader is an official one, so the bytes are official too
    compatible: bool = False  # official bytes, though the reader is ours
    in_waves: bool = False
    """The reader asks for 2, 4, 8, 16 chunks at a time after hits, and is answered in any order. Otherwise it
    does so only while it drains, and is answered in order."""
    reduced: bool = True
    """Leave out orders that make no difference: a message said earlier or later before its process' next request,
    a read of what never changes. A test compares the outcomes with those of the full search."""
    stale: bool = False  # an answer "not there" may be old when it arrives


@dataclass(frozen=True)
class Parts:
    """What the scenario is played with. The shipped parts, unless an ablation takes one away."""

    writer: type[WriterCore] = WriterCore
    reader: type[ReaderCore] = ReaderCore
    put_overwrites: bool = False
    awaits_answers: bool = True
    may_seal: bool = True


Status = Literal["new", "runs", "killed", "closed", "raised"]


class Process(NamedTuple):
    """One process that writes. It is over when killed, when `close` returned, or when a call raised."""

    status: Status = "new"
    core: int = -1  # in the automaton of writers
    said: int = 0  # messages accepted, `opened` and `closed` included
    closing: str = ""  # "clean" or "failed" once `closed` was accepted
    stream: int = 0  # which process began the stream that this one continues: itself without a spool
    first: int = 1  # sequence number of its own `opened`
    stored: int = 0  # once it is over: up to which number its spool knows the stream to be stored


class Slot(NamedTuple):
    """What stands under one number."""

    chunk: int
    owner: int  # a process, or READER


class Cursor(NamedTuple):
    """What a sink without ids remembers: the next chunk, and the last number per stream."""

    number: int = 1
    marks: tuple[tuple[str, int], ...] = ()


class Ended(NamedTuple):
    """How the reader says that the log ended."""

    verdict: str
    missing: int
    marks: tuple[tuple[str, int], ...]  # the last number delivered, per stream


class Reader(NamedTuple):
    """The reading side: the core, its requests on the way, and what it has told."""

    core: int
    asked: tuple[tuple[Any, Any], ...] = ()  # (action, the event of an answer that is on its way, or None)
    outbox: tuple[object, ...] = ()  # for a sink that outlives the reader: what is still to be done, in order
    seen: tuple[int, ...] = ()  # messages handled, per process
    ids: tuple[tuple[str, int], ...] = ()  # what a sink with ids holds: the last number per stream
    cursor: Cursor = Cursor()  # where the sink has one
    restarts_told: int = 0
    ended: Ended | None = None


class State(NamedTuple):
    """Everything that decides what may happen next."""

    processes: tuple[Process, ...]
    slots: tuple[Slot | None, ...]  # number 1 is slots[0]; never ends with None
    late: tuple[tuple[int, int, int], ...]  # puts that may still land: number, chunk, owner
    reader: Reader
    faults: Faults
    gone: bool = False  # the platform has said, and it is true, that nobody will come any more
    filled: int = 0  # the highest number that was ever filled
    cleaned: int = 0  # 0: not begun; n: all up to number n is deleted, but for a tombstone in 1
    broken: str = ""  # the invariant that the last step broke


def less(state: State, fault: str) -> State:
    return state._replace(faults=state.faults.less(fault))


def break_rule(state: State, rule: str, text: str) -> State:
    return state if state.broken else state._replace(broken=f"{rule}: {text}")


class Step(NamedTuple):
    """One thing that may happen."""

    who: str
    what: str
    state: State
    is_fair: bool = True  # it will happen if nothing else does; faults are not
