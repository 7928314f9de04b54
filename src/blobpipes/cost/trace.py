"""What a job says and when: recorded from a session's chunks, or described in a few numbers.

A chunk does not tell when each of its messages was said, only when it was cut and how many it holds. So the messages
of a recorded chunk are spread evenly over the time in which they can have come. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from blobpipes.chunklog.header import ChunkHeader
from blobpipes.chunklog.pacing import COALESCE
from blobpipes.errors import InvalidOptionError

MOST_MESSAGES: Final = 2_000_000  # of one trace: beyond it a forecast takes minutes, and a rate says as much


class Message(NamedTuple):
    """One message of the trace."""

    at: float  # seconds from the session's opening until the job said it
    line: bytes  # as it is written
    urgent: bool = False  # a result or an error, which may leave before the interval is over


@dataclass(frozen=True, slots=True)
class Trace:
    """The messages of one job in order, from `opened` to `closed`."""

    messages: Sequence[Message]

    def __post_init__(self) -> None:
        if len(self.messages) < 2:
            raise ValueError("a trace has at least the messages that open and close it")

    @property
    def seconds(self) -> float:
        """From the session's opening to the job's last message."""
        return self.messages[-1].at


@dataclass(frozen=True, slots=True)
class Workload:
    """A job, described: it says the same number of messages in every second."""

    seconds: float  # how long it runs
    rate: float = 1.0  # messages a second
    size: int = 200  # bytes of a message, as it is written
    results: int = 1  # materializations and checks, spread over the run; the last comes at its end
    boot: float = 0.0  # seconds until it begins: a machine that starts, a queue

    def __post_init__(self) -> None:
        limits = (
            ("seconds", self.seconds, 0, 31 * 86_400),
            ("rate", self.rate, 0, 10_000),
            ("size", self.size, 40, 32 * 1024 * 1024),
            ("results", self.results, 0, 1_000_000),
            ("boot", self.boot, 0, 7 * 86_400),
        )
        for name, value, low, high in limits:
            if not (math.isfinite(value) and low <= value <= high):
                raise InvalidOptionError(
                    f"the plan's {name} = {value:g} is impossible", remedy=f"Give a value from {low:,} to {high:,}."
                )

    def trace(self, seconds: float | None = None) -> Trace:
        """Its messages, or those of its first `seconds`."""
        length = self.seconds if seconds is None else min(seconds, self.seconds)
        share = length / self.seconds if self.seconds else 1.0
        count, results = round(self.rate * length), round(self.results * share)
        if count + results > MOST_MESSAGES:
            raise InvalidOptionError(
                f"a job with {count + results:,} messages is too long to go through one by one",
                remedy="Give fewer hours or a lower rate.",
            )
        said = [Message(self.boot + _moment(n, count, length), _log_line(n, self.size)) for n in range(count)]
        said += [Message(self.boot + _moment(n, results, length), _result_line(n), True) for n in range(results - 1)]
        said += [Message(self.boot + length, _result_line(results - 1), True)] if results else []
        said.sort(key=lambda message: message.at)
        return Trace([Message(self.boot, OPENED), *said, Message(self.boot + length, CLOSED)])


@dataclass(frozen=True, slots=True)
class RecordedChunk:
    """One chunk of a session, as it was read."""

    elapsed: float  # seconds from the stream's opening until it was cut
    interval: float  # seconds between chunks, which the writer had promised
    lines: Sequence[tuple[bytes, bool]]  # and whether each was urgent


def recorded(header: ChunkHeader, lines: Iterable[tuple[bytes, bool]], interval: float) -> RecordedChunk:
    """A chunk of one of our writers, whose header tells when it was cut."""
    return RecordedChunk(header.elapsed, interval, list(lines))


def trace_of(chunks: Sequence[RecordedChunk], *, boot: float = 0.0) -> Trace | None:
    """The messages of a session's chunks, in order; None if there are fewer than two messages.

    Args:
        boot: seconds from the session's opening to the job's first message.
    """
    messages: list[Message] = []
    before = 0.0
    for chunk in chunks:
        since = before if chunk.elapsed - before <= chunk.interval * 1.05 else chunk.elapsed - COALESCE
        step = (chunk.elapsed - since) / max(1, len(chunk.lines))
        for number, (line, urgent) in enumerate(chunk.lines, 1):
            messages.append(Message(boot + since + number * step, line, urgent))
        before = chunk.elapsed
    return Trace(messages) if len(messages) > 1 else None


OPENED: Final = b'{"__dagster_pipes_version": "0.1", "method": "opened", "params": {"extras": {}}}'
CLOSED: Final = b'{"__dagster_pipes_version": "0.1", "method": "closed", "params": null}'


def _moment(number: int, count: int, length: float) -> float:
    """When a message is said: one in each of `count` equal parts of the run, never in step with any interval."""
    return (number + (number + 1) ** 2 * _GOLDEN % 1.0) * length / count


_GOLDEN: Final = 0.6180339887498949  # the squares' multiples fall evenly between whole numbers, and in no rhythm


def _log_line(number: int, size: int) -> bytes:
    """A line that compresses about as well as those of real jobs do: words that recur, figures that do not."""
    head = b'{"__dagster_pipes_version": "0.1", "method": "log", "params": {"message": "step %d: ' % number
    tail = b'", "level": "INFO"}}'
    room = max(0, size - len(head) - len(tail))
    pool = _pool()
    at = number * room % len(pool)
    text = pool[at : at + room]
    while len(text) < room:
        text += pool[: room - len(text)]
    return head + text + tail


@cache
def _pool() -> bytes:
    """Half a megabyte of what logs say."""
    figure, parts = 1, []
    for _ in range(1 << 14):
        figure = (figure * 1_103_515_245 + 12_345) % (1 << 31)
        parts.append(b"part-%05d.parquet has %d rows, " % (figure % 100_000, figure >> 7))
    return b"".join(parts)


def _result_line(number: int) -> bytes:
    return (
        b'{"__dagster_pipes_version": "0.1", "method": "report_asset_materialization", "params": '
        b'{"asset_key": "asset", "data_version": null, "metadata": {"rows": {"raw_value": %d, "type": "int"}}}}'
        % number
    )
