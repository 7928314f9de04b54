"""What would a session of the official pair ask of its store, and how late would its messages come?

A model of two loops as they stand in dagster-pipes 1.13 (PipesBlobStoreMessageWriterChannel) and dagster 1.13
(PipesThreadedMessageReader). Both sleep a second between two thoughts and wait until *more* whole seconds than the
interval have passed. The reader asks for the first chunk by a HEAD in every second until it is there. Pure.
"""

from __future__ import annotations

import bisect
from typing import Final

from blobpipes.cost.bill import Ledger
from blobpipes.cost.forecast import LONGEST, Conditions, Forecast, Latency, Tally, prolong
from blobpipes.cost.trace import Trace, Workload

NAP: Final = 1.0  # seconds that either loop sleeps
READ_ON: Final = 10  # whole seconds that the reader goes on after the process has ended
JOIN: Final = 60.0  # seconds after which the process no longer waits for its uploader


def forecast_official(trace: Trace, interval: float, conditions: Conditions | None = None) -> Forecast:
    """A session of the official pair, with this interval on both sides."""
    given = conditions or Conditions()
    worker, reader = Tally(), Tally()
    reader.put(given.context_size)
    reader.requests["delete"] += 1
    worker.get(given.context_size)
    chunks, ended = _write(trace, interval, given, worker)
    seen_at = _read(chunks, ended + given.exit_notice, interval, given, reader)
    latencies = [at - message.at for message, at in zip(trace.messages, seen_at, strict=False)]
    return Forecast(
        Ledger(worker.usage(), reader.usage()), Latency.of(latencies), len(chunks), len(trace.messages) - len(latencies)
    )


def forecast_official_workload(workload: Workload, interval: float, conditions: Conditions | None = None) -> Forecast:
    """As `forecast_official`; of a long job only a part is gone through, and the rest is like its second half."""
    part = _window(workload)
    whole = forecast_official(workload.trace(part), interval, conditions)
    if part >= workload.seconds:
        return whole
    half = forecast_official(workload.trace(part / 2), interval, conditions)
    return prolong(half, whole, (workload.seconds - part) / (part / 2))


def _window(workload: Workload) -> float:
    """Longer than for our pair: its two loops drift against each other, and a beat takes the better part of an hour."""
    return min(workload.seconds, LONGEST, MESSAGES / workload.rate if workload.rate else LONGEST)


MESSAGES: Final = 60_000

_Chunk = tuple[float, int, int]  # when it is there, how many messages it holds, its bytes


def _write(trace: Trace, interval: float, conditions: Conditions, tally: Tally) -> tuple[list[_Chunk], float]:
    """The chunks, and when the process ends."""
    messages = trace.messages
    times = [message.at for message in messages]
    now = last = times[0]
    closed_at, taken = times[-1], 0
    chunks: list[_Chunk] = []
    while True:
        waiting = bisect.bisect_right(times, now) - taken
        is_closed = now >= closed_at
        if is_closed and not waiting:
            return chunks, min(now, closed_at + JOIN)
        if waiting and (is_closed or _is_past(now - last, interval)):
            size = sum(len(message.line) for message in messages[taken : taken + waiting]) + waiting - 1
            tally.put(size)
            last, taken = now, taken + waiting
            now += conditions.put
            chunks.append((now, waiting, size))
        now += NAP


def _read(chunks: list[_Chunk], gone_at: float, interval: float, conditions: Conditions, tally: Tally) -> list[float]:
    """When each message arrives; fewer than there are if the reader stops before it has read all."""
    now = last = 0.0
    counter, closed_seen_at = 0, None
    can_read = False
    seen: list[float] = []
    while True:
        if counter == len(chunks):
            return seen  # the last one holds `closed`
        if not can_read:
            tally.get()
            now += conditions.get
            can_read = chunks[0][0] <= now
        if can_read and (_is_past(now - last, interval) or now >= gone_at):
            last = now
            ready, count, size = chunks[counter]
            now += conditions.get
            tally.get(size if ready <= now else 0)
            if ready <= now:
                seen += [now] * count
                counter += 1
        now += NAP
        if now >= gone_at:
            closed_seen_at = now if closed_seen_at is None else closed_seen_at
            if int(now - closed_seen_at) > READ_ON:
                return seen


def _is_past(seconds: float, interval: float) -> bool:
    """As `timedelta.seconds` has it: whole seconds, without the days."""
    return int(seconds) % 86_400 > interval
