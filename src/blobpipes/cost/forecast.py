"""What a model says: requests, bytes and how late messages come. Shared by the models of both pairs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from blobpipes.cost.bill import Ledger
from blobpipes.storage.usage import KINDS, Usage


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a session meets in the world. Times are seconds."""

    put: float = 0.06
    """How long the store takes for a put. 60 ms is usual for a few KB within a region; measure yours with
    `blobpipes doctor` or take it from the trace of a session."""

    get: float = 0.03
    """How long it takes for a get, absent objects included."""

    exit_notice: float = 1.0
    """From the end of the job's process until the orchestration side knows of it."""

    context_size: int = 1000
    """Bytes of the context that the job is given."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the moment the job says a message until the orchestration side has it, over all messages."""

    mean: float = 0.0
    median: float = 0.0
    p95: float = 0.0  # 95 of 100 messages are there by then
    p99: float = 0.0
    worst: float = 0.0

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """The distribution of these."""
        if not seconds:
            return cls()
        ordered = sorted(seconds)

        def at(share: float) -> float:
            return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

        return cls(math.fsum(ordered) / len(ordered), at(0.5), at(0.95), at(0.99), ordered[-1])

    def to_dict(self) -> dict[str, float]:
        """Rounded to milliseconds."""
        return {name: round(getattr(self, name), 3) for name in ("mean", "median", "p95", "p99", "worst")}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a session would ask, and how late its messages would come."""

    ledger: Ledger
    latency: Latency
    chunks: int
    lost: int = 0  # messages that the orchestration side would never see

    @property
    def requests(self) -> int:
        """Of both sides and of all kinds."""
        return sum(self.ledger.total.requests.values())

    def to_dict(self) -> dict[str, Any]:
        """In JSON's own types."""
        return {
            "requests": dict(self.ledger.total.requests),
            "bytes_up": self.ledger.total.bytes_up,
            "bytes_down": self.ledger.total.bytes_down,
            "latency": self.latency.to_dict(),
            "chunks": self.chunks,
            "lost": self.lost,
        }


@dataclass(slots=True)
class Tally:
    """A usage in the making."""

    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes_up: int = 0
    bytes_down: int = 0

    def put(self, size: int) -> None:
        self.requests["put"] += 1
        self.bytes_up += size

    def get(self, size: int = 0) -> None:
        self.requests["get"] += 1
        self.bytes_down += size

    def usage(self) -> Usage:
        return Usage(MappingProxyType(dict(self.requests)), self.bytes_up, self.bytes_down)


LONGEST: Final = 7200.0  # seconds that are gone through message by message; what is longer repeats its second half
MESSAGES: Final = 10_000  # as many as a forecast of a long job goes through, if that is long enough
CHUNKS: Final = 240  # and as many chunks
INTERVALS: Final = 20  # but no fewer intervals than that


def window(seconds: float, rate: float, interval: float) -> float:
    """How much of a steady job to go through one by one: long enough for its shape, short enough for a person."""
    affordable = min(LONGEST, CHUNKS * interval, MESSAGES / rate if rate else LONGEST)
    return min(seconds, max(INTERVALS * interval, affordable))


def prolong(half: Forecast, whole: Forecast, times: float) -> Forecast:
    """A longer session of the same kind: `times` more of what came between the end of `half` and that of `whole`."""

    def grown(name: str) -> Usage | None:
        first, last = getattr(half.ledger, name), getattr(whole.ledger, name)
        return None if first is None or last is None else _grown(first, last, times)

    return Forecast(
        Ledger(grown("worker"), grown("reader") or Usage()),
        whole.latency,
        _more(half.chunks, whole.chunks, times),
        _more(half.lost, whole.lost, times),
    )


def _grown(first: Usage, last: Usage, times: float) -> Usage:
    requests: Mapping[str, int] = {
        kind: _more(first.requests.get(kind, 0), last.requests.get(kind, 0), times) for kind in KINDS
    }
    return Usage(
        MappingProxyType(dict(requests)),
        _more(first.bytes_up, last.bytes_up, times),
        _more(first.bytes_down, last.bytes_down, times),
    )


def _more(first: int, last: int, times: float) -> int:
    return last + round((last - first) * times)
