"""What the model is made of: messages that know who said them, chunks by number, and cores without a clock.

**Time.** The clock of every core always reads 0 and each wait is over as soon as something wants it to be: a
core is polled at the moment that it names itself. So anything that may happen at some time may happen now, in
any order, and no state differs from another by its times. What is lost by that: patience never runs out, so
the branches that give up on a *weak* store (holes, damage, hours of refusals) are not walked here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from blobpipes.chunklog.closing import is_clean_close
from blobpipes.chunklog.header import ChunkHeader, Flag, LegacyChunk, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import Deliver, Delivered, Finish, Get, LogEnd, ReaderAction, ReaderSettings
from blobpipes.chunklog.writer_core import WriterCore
from tests.explorer.automaton import Event

NOW: Final = 0.0
READER: Final = 9  # owner of what the reader puts; processes are 0, 1, 2


# --- messages ---------------------------------------------------------------------------------------


def line(process: int, index: int, kind: str = "log") -> bytes:
    """Message `index` (from 0) of a process; `kind` is opened, log, clean or failed."""
    method = {"clean": "closed", "failed": "closed"}.get(kind, kind)
    params: dict[str, Any] = {"id": [process, index]}
    if kind == "failed":
        params["exception"] = {"name": "Error"}
    return json.dumps({"method": method, "params": params}).encode()


@cache
def said_by(text: bytes) -> tuple[int, int]:
    """Which process said this line, and as its how manyth message (from 0)."""
    process, index = json.loads(text)["params"]["id"]
    return process, index


def name_of(process: int) -> str:
    return "reader" if process == READER else f"P{process + 1}"


# --- chunks -----------------------------------------------------------------------------------------


class Chunk(NamedTuple):
    """One object of the log, and what stands in it."""

    data: bytes
    header: ChunkHeader | None  # None only for what an official writer would make
    messages: tuple[tuple[int, int], ...]  # (process, index)
    has_ended: bool  # a clean close or a seal: nothing may follow

    is_last: bool  # it ends the log, or its process: the reader does something about it
    text: str  # for people

    def __str__(self) -> str:
        return self.text


class Chunks:
    """Every chunk that was ever put, by number."""

    def __init__(self) -> None:
        self._all: list[Chunk] = []
        self._numbers: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        number = self._numbers.get(data)
        if number is None:
            number = self._numbers[data] = len(self._all)
            self._all.append(_look_into(data))
        return number

    def __getitem__(self, number: int) -> Chunk:
        return self._all[number]


def _look_into(data: bytes) -> Chunk:
    chunk = parse_chunk(data)
    assert isinstance(chunk, (NegotiatedChunk, LegacyChunk)), f"a chunk that cannot be read: {data!r}"
    header = chunk.header if isinstance(chunk, NegotiatedChunk) else chunk.marks
    messages = tuple(map(said_by, chunk.lines))
    text = " ".join(f"{name_of(process)}.{index}" for process, index in messages) or "no messages"
    if header is not None:
        text += f"; epoch {header.epoch}" + "".join(f", {flag}" for flag in sorted(header.flags))
    if isinstance(chunk, NegotiatedChunk):
        seals = chunk.header.seals
        return Chunk(data, header, messages, seals, seals or chunk.header.has(Flag.FAIL), text)
    closed = is_clean_close(chunk.lines[-1])
    return Chunk(data, header, messages, closed, closed, text)


# --- cores without a clock --------------------------------------------------------------------------


class AnyTime:
    """Stands in for both pacings: everything is due as soon as there is something to do."""

    def __init__(self, *, in_waves: bool = False) -> None:
        self._pause = 0.0 if in_waves else 1.0  # a reader that is never early asks for one chunk at a time

    def due(self, now: float, waiting: object) -> float | None:
        return None if waiting is None else now

    def next_within(self, now: float) -> float:
        return 0.0

    def frozen(self, now: float, waiting: object) -> None: ...

    def after_chunk(self, now: float, *_: object, **__: object) -> float:
        return now + self._pause

    def after_unpaced_chunk(self, now: float) -> float:
        return now + self._pause

    def after_absent(self, now: float) -> float:
        return now + self._pause


def apply_to_writer(core: WriterCore, event: Event) -> Any:
    """One call of the writer core. ("poll",) gives its request or None; the others nothing."""
    match event:
        case ("accept", text):
            core.accept(text, NOW)
        case ("close", text, failed):
            core.close(text, NOW, failed=failed)
        case ("poll",):
            due = core.due(NOW)
            return None if due is None else core.poll(max(NOW, due))
        case ("stored",):
            core.on_stored(NOW)
        case ("exists",):
            core.on_exists(NOW)
        case ("read", data):
            core.on_read(data, NOW)
        case ("listed", highest):
            core.on_listed(highest, NOW)
        case ("failed" | "refused" as how,):
            core.on_failed(NOW, refused=how == "refused", chance=0.0)
        case ("abandon",):
            core.abandon("out of time")
        case _:
            raise AssertionError(event)
    return None


def apply_to_reader(core: ReaderCore | OfficialReader, event: Event) -> tuple[ReaderAction, ...]:
    """One call of the reader core; the actions that it wants."""
    match event:
        case ("poll",):
            due = core.due()
            return () if due is None else tuple(core.poll(max(NOW, due)))
        case ("gone",):
            core.process_gone(NOW)
            return ()
        case ("object", number, data):
            return tuple(core.on_object(number, data, NOW))
        case ("listed", chunks):
            return tuple(core.on_listed(chunks, NOW))
        case ("sealed", stored):
            return tuple(core.on_sealed(stored, NOW))
        case ("failed", action):
            return tuple(core.on_failed(action, NOW, refused=False, chance=0.0, text="no answer"))
        case ("refused", action):
            return tuple(core.on_failed(action, NOW, refused=True, chance=0.0, text="refused"))
        case _:
            raise AssertionError(event)


OPTIONS: Final = LogOptions(heartbeat=0)  # no chunk without a message, so that a run is finite


def new_reader(kind: type[ReaderCore], settings: ReaderSettings, *, in_waves: bool) -> ReaderCore:
    core = kind(settings, NOW)
    core._pacing = AnyTime(in_waves=in_waves)  # type: ignore[assignment]
    return core


# --- an official reader ------------------------------------------------------------------------------


@dataclass
class OfficialReader:
    """Number after number, every line as it stands: no identity, no seal. Ends when gone and nothing is there.

    Kinder than the real one, which may also end earlier; what it drops is no fault of the writer's.
    """

    next_number: int = 1
    is_gone: bool = False
    is_done: bool = False
    last_seq: dict[str, int] = field(default_factory=dict)

    def due(self) -> float | None:
        return None if self.is_done else NOW

    def poll(self, now: float) -> Sequence[ReaderAction]:
        return [Get(self.next_number)]

    def process_gone(self, now: float) -> None:
        self.is_gone = True

    def on_object(self, number: int, data: bytes | None, now: float) -> Sequence[ReaderAction]:
        if data is not None:
            self.next_number += 1
            return [Deliver([Delivered("official", 0, text, number) for text in data.split(b"\n")])]
        if not self.is_gone:
            return []
        self.is_done = True
        return [Finish(LogEnd("complete", "", self.next_number - 1, 0, 0, {}))]

    def on_failed(self, action: ReaderAction, now: float, **_: object) -> Sequence[ReaderAction]:
        return []

    def on_sealed(self, stored: bool, now: float) -> Sequence[ReaderAction]:
        raise AssertionError("an official reader never seals")

    def on_listed(self, chunks: object, now: float) -> Sequence[ReaderAction]:
        raise AssertionError("an official reader never lists")
