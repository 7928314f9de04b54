"""What a page shows, gathered while a session is read: its events, and facts of its chunks.

A printer that writes nothing down but remembers. Log rows are lines: output is put together from text that may be
cut anywhere, as the terminal does. What a page cannot hold is left out in the middle, and counted.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from blobpipes.chunklog.header import Flag, LegacyChunk, NegotiatedChunk, parse_chunk
from blobpipes.cli.drawing import Line, Table
from blobpipes.cli.entries import evidence, outcome_of
from blobpipes.cli.events import Event
from blobpipes.cli.tally import Tally
from blobpipes.cli.wording import clipped, counted, harmless
from blobpipes.orchestration.follow import SeenChunk
from blobpipes.wire.exceptions import format_exception_tree

FIRST_ROWS: Final = 50_000  # log rows that a page keeps from the beginning
LAST_ROWS: Final = 150_000  # and from the end
FIRST_SIZE: Final = 8 << 20  # characters of the first
LAST_SIZE: Final = 24 << 20  # and of the last
LONGEST_TEXT: Final = 20_000  # characters of one row
_MARKED: Final = frozenset({"WARNING", "ERROR", "CRITICAL", "result", "check", "problem", "session"})
LONGEST_OUTPUT: Final = 10_000  # characters of output after which a line is broken


class Row(NamedTuple):
    """One line of the log."""

    at: float | None  # seconds since 1970
    kind: str  # DEBUG ... CRITICAL, stdout, stderr, result, check, custom, problem, session
    text: str


class Mark(NamedTuple):
    """What the timeline shows of the messages of one kind that one chunk brought."""

    at: float
    kind: str  # as of a row; beside `check` also `failed check` and `warned check`
    text: str  # of the first
    messages: int


class ChunkFact(NamedTuple):
    """What one chunk tells of itself, beside its messages."""

    number: int
    size: int  # bytes in the store
    messages: int
    stored_at: float | None  # seconds since 1970, by the store's clock
    elapsed: float | None  # seconds since its stream opened, by the writer's clock, when it was cut
    stream: str
    by_job: bool = True  # and not a reader's seal
    asked: int | None = None  # requests of its process so far, this put included; None where it keeps no ledger


class Rows:
    """The log, bounded in rows and in characters: the first and the last rows stay."""

    def __init__(self) -> None:
        self.first: list[Row] = []
        self.last: deque[Row] = deque()
        self.left_out = 0
        self.counts: Counter[str] = Counter()  # by kind, also of what is left out
        self._first_size = self._last_size = 0  # characters

    def add(self, row: Row) -> None:
        self.counts[row.kind] += 1
        if not self.last and len(self.first) < FIRST_ROWS and self._first_size < FIRST_SIZE:
            self.first.append(row)
            self._first_size += len(row.text)
            return
        self.last.append(row)
        self._last_size += len(row.text)
        while len(self.last) > LAST_ROWS or self._last_size > LAST_SIZE:
            self._last_size -= len(self.last.popleft().text)
            self.left_out += 1

    def all(self) -> Sequence[Row]:
        """What stays, with one row that says what does not."""
        if not self.left_out:
            return [*self.first, *self.last]
        gap = Row(self.last[0].at, "problem", f"{counted(self.left_out, 'line')} left out of this page")
        return [*self.first, gap, *self.last]


@dataclass(slots=True)
class Collected:
    """A whole session, for the page."""

    session: Event | None = None
    end: Event | None = None
    closed: Event | None = None
    rows: Rows = field(default_factory=Rows)
    chunks: list[ChunkFact] = field(default_factory=list)
    marks: dict[tuple[float, str], Mark] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    problems: list[Event] = field(default_factory=list)
    requests: Mapping[str, int] = field(default_factory=dict)  # that reading the session took, by kind
    price: Sequence[tuple[str, str]] = ()  # what and how much, if anybody counted


class PageCollector:
    """A printer that remembers. One thread uses it."""

    for_people = False
    is_live = False
    width = None

    def __init__(self) -> None:
        self.collected = Collected()
        self._last_at: float | None = None
        self._begun: dict[str, tuple[float | None, str]] = {}  # the last line of a stream, without its end so far

    def event(self, event: Event) -> None:
        collected = self.collected
        match event.kind:
            case "session":
                collected.session = event
            case "end":
                self._finish_output()
                collected.end = event
            case "output":
                self._output(event)
            case _:
                self._note(event)

    def results(self, tally: Tally) -> None:
        self.collected.tally = tally

    def table(self, table: Table) -> None:
        """Drawn by the page itself."""

    def note(self, line: Line, *, margin: Line = ()) -> None:
        """For a terminal."""

    def status(self, status: Line | Table | None) -> None:
        """For a terminal."""

    def close(self) -> None:
        """Nothing to give back."""

    def chunk(self, seen: SeenChunk) -> None:
        """One chunk was read. They come in any order."""
        parsed = parse_chunk(seen.data)
        header = parsed.header if isinstance(parsed, NegotiatedChunk) else None
        messages = len(parsed.lines) if isinstance(parsed, (NegotiatedChunk, LegacyChunk)) else 0
        fact = ChunkFact(
            seen.number,
            len(seen.data),
            messages,
            seen.stored_at,
            header.elapsed if header is not None and messages else None,
            header.stream if header is not None else "",
            header is None or not (header.has(Flag.READER_SEAL) or header.has(Flag.TOMB)),
            header.usage.total + 1 if header is not None and header.usage is not None else None,
        )
        self.collected.chunks.append(fact)

    def _note(self, event: Event) -> None:
        """One row, and perhaps a mark on the timeline."""
        if event.kind == "closed":
            self._finish_output()
            self.collected.closed = event
        if event.kind == "problem":
            self.collected.problems.append(event)
        if event.kind != "problem":
            self._last_at = event.at
        at = self._last_at  # a problem has no time of its own: it was met behind what came before it
        row = Row(at, _kind_of(event), harmless(_text_of(event)).rstrip("\n")[:LONGEST_TEXT])
        self.collected.rows.add(row)
        if row.at is not None and row.kind in _MARKED:
            kind = _mark_kind(event, row.kind)
            earlier = self.collected.marks.get((row.at, kind))
            mark = earlier._replace(messages=earlier.messages + 1) if earlier else Mark(row.at, kind, row.text[:200], 1)
            self.collected.marks[row.at, kind] = mark

    def _output(self, event: Event) -> None:
        """Whole lines only: text may be cut anywhere."""
        stream = event["stream"]
        _, begun = self._begun.pop(stream, (None, ""))
        *lines, rest = (begun + harmless(event["text"])).split("\n")
        for line in _broken(lines):
            self.collected.rows.add(Row(event.at, stream, line))
        if len(rest) > LONGEST_OUTPUT:
            self.collected.rows.add(Row(event.at, stream, rest))
        elif rest:
            self._begun[stream] = event.at, rest

    def _finish_output(self) -> None:
        for stream, (at, text) in self._begun.items():
            self.collected.rows.add(Row(at, stream, text))
        self._begun.clear()


def _broken(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        for start in range(0, max(1, len(line)), LONGEST_TEXT):
            yield line[start : start + LONGEST_TEXT]


def _kind_of(event: Event) -> str:
    match event.kind:
        case "log":
            return str(event["level"])
        case "materialization":
            return "result"
        case "opened" | "closed":
            return "session"
        case other:
            return other


def _mark_kind(event: Event, kind: str) -> str:
    if event.kind != "check" or event["passed"]:
        return kind
    return "warned check" if event["severity"] == "WARN" else "failed check"


def _text_of(event: Event) -> str:
    match event.kind:
        case "log":
            return str(event["message"])
        case "opened":
            return "the job has opened its messages"
        case "closed":
            exception = event["exception"]
            if exception is None:
                return "the job has closed its messages"
            return f"closed with {clipped(exception['message'])}\n\n{format_exception_tree(exception)}"
        case "materialization":
            return f"{event['asset_key']} materialized, {counted(len(event['metadata']), 'value')}"
        case "check":
            outcome, _ = outcome_of(event)
            shown = evidence(event["metadata"])
            return f"{event['check_name']} {outcome}" + (f"  {shown}" if shown else "")
        case "custom":
            return json.dumps(event["payload"], ensure_ascii=False)
        case "problem":
            where = f" (chunk {event['chunk']})" if event["chunk"] is not None else ""
            return f"{event['kind']}{where}: {event['text']}"
        case _:
            return str(dict(event.fields))
