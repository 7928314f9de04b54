"""When is the next chunk put, and when does the reader look? Decided here, without a clock.

The writer's rule makes the interval a price ceiling: one regular chunk per interval, and one early chunk
per interval for results and errors. The reader's rule makes the interval the longest pause between two
looks, phased so that a look falls just after the writer's next chunk instead of anywhere within it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from blobpipes.chunklog.options import LogOptions

COALESCE: Final = 0.2  # seconds that a message waits for company when it need not wait for the interval
RAMP_TIME: Final = 30.0  # seconds for which `ramp` replaces the interval

OFFICIAL_GAP: Final = 12.5  # an official reader needs 11 to 12 s per chunk
OFFICIAL_BURST: Final = 3  # and reads about 11 chunks after the end, so a few early ones are safe

FIRST_LOOK: Final = 0.25  # the pause before the second look for chunk 1; grows by half to the interval
BOLD_PROBE: Final = 0.5  # seconds by which a look comes earlier than the last, until one comes too early
SMALL_PROBE: Final = 0.01  # and from then on
SECOND_LOOK: Final = 0.5  # seconds after a missed prediction
PHASE_SLACK: Final = 0.05  # of an interval: what is hardly longer than one interval needs no look in between
SILENT_LOOKS: Final = 6  # looks without a message after which `idle` may replace the interval


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the writer holds that is in no chunk yet."""

    messages: int
    size: int  # bytes
    since: float  # when the oldest was accepted
    urgent_since: float | None  # when the oldest urgent one was accepted


@dataclass(slots=True)
class WriterPacing:
    """Decides when a chunk is due. Times are the writer's monotonic clock."""

    options: LogOptions
    official_reader: bool  # the other side cannot keep up with more than one chunk per OFFICIAL_GAP
    opened_at: float
    _last_regular: float | None = None
    _last_early: float | None = None
    _last_any: float = 0.0
    _tokens: float = OFFICIAL_BURST
    _tokens_at: float = 0.0

    def interval(self, now: float) -> float:
        """Seconds between regular chunks at this moment."""
        ramping = self.options.ramp > 0 and now - self.opened_at < RAMP_TIME
        return min(self.options.ramp, self.options.interval) if ramping else self.options.interval

    def due(self, now: float, waiting: Waiting | None) -> float | None:
        """When a chunk is due (not before `now` if late), or None if nothing ever will be without news."""
        if waiting is None:
            return self._heartbeat_due()
        moment = min(self._regular_due(now, waiting), self._early_due(now, waiting))
        return max(moment, self._token_due()) if self.official_reader else moment

    def next_within(self, now: float) -> float:
        """Seconds from a chunk frozen `now` to the next regular one, if there will be messages."""
        left = 0.0 if self._last_regular is None else self._last_regular + self.interval(now) - now
        return left if left > 0 else self.interval(now)

    def frozen(self, now: float, waiting: Waiting | None) -> None:
        """A chunk of what was `waiting` was frozen. A heartbeat leaves the interval's slot free."""
        if waiting is not None and now < self._regular_due(now, waiting):
            self._last_early = now
        elif waiting is not None:
            self._last_regular = now
        self._last_any = now
        if self.official_reader:
            self._tokens = max(0.0, self._tokens_now(now) - 1)
            self._tokens_at = now

    def _regular_due(self, now: float, waiting: Waiting) -> float:
        if waiting.size >= full_size(self.options) or waiting.messages >= self.options.max_messages:
            return waiting.since
        coalesced = waiting.since + COALESCE
        if self._last_regular is None:
            return waiting.since
        return max(coalesced, self._last_regular + self.interval(now))

    def _early_due(self, now: float, waiting: Waiting) -> float:
        if waiting.urgent_since is None:
            return float("inf")
        allowed = float("-inf") if self._last_early is None else self._last_early + self.interval(now)
        return max(waiting.urgent_since + COALESCE, allowed)

    def _heartbeat_due(self) -> float | None:
        if self.official_reader or self.options.heartbeat <= 0 or self._last_regular is None:
            return None
        return self._last_any + heartbeat_pause(self.options)

    def _tokens_now(self, now: float) -> float:
        return min(float(OFFICIAL_BURST), self._tokens + (now - self._tokens_at) / OFFICIAL_GAP)

    def _token_due(self) -> float:
        return self._tokens_at + max(0.0, 1 - self._tokens) * OFFICIAL_GAP


@dataclass(slots=True)
class ReaderPacing:
    """Decides when to look for the next chunk. Times are the reader's monotonic clock.

    `_aim` is how long after the writer's own time of a chunk a look finds it. The first chunk may have stood there
    for as long as the last look without it is past, so half of that doubt is taken off after each hit until little
    is left. Then, like a sender that probes for the capacity of a link, each hit lowers the aim a little and a miss
    raises it, so that looks stay close behind the chunks whatever a put takes and however the two clocks drift.
    """

    interval: float
    idle: float = 0.0
    _first_pause: float = FIRST_LOOK
    _seen_any: bool = False
    _stream: str | None = None
    _caught_up: bool = False  # an absent answer has followed a chunk of this stream: it was fresh
    _aim: float = float("inf")
    _doubt: float = 0.0  # by so much the aim may still be too late
    _step: float = 0.0  # by so much the last hit lowered the aim
    _absent_at: float = float("-inf")  # when the last look found nothing
    _hits: int | None = None  # predictions that were right since the last miss; None before the first miss
    _predicted: float | None = None
    _missed: bool = False
    _silent: int = 0

    def after_chunk(self, now: float, stream: str, elapsed: float, next_within: float, *, empty: bool) -> float:
        """When to look after a negotiated chunk: at once while behind, else when the next can be there."""
        self._seen_any = True
        self._silent = self._silent + 1 if empty else 0
        if stream != self._stream:
            self._stream, self._aim, self._caught_up, self._hits = stream, float("inf"), False, None
            self._step, self._doubt = 0.0, min(self.interval, now - self._absent_at)
        lag = now - elapsed  # the clocks' difference included
        as_predicted = lag < self._aim + BOLD_PROBE  # a chunk that was frozen long before proves nothing
        if lag < self._aim < float("inf"):
            self._doubt = max(0.0, self._doubt - (self._aim - lag))
        self._aim = lag if self._missed else min(self._aim, lag)
        if self._aim < self._absent_at - elapsed:  # too early: a look at that moment did not find this chunk
            self._aim, self._hits, self._doubt = self._absent_at - elapsed, 0, 0.0
        if self._aim + elapsed + next_within <= now:
            return now
        self._learn(as_predicted=as_predicted)
        promised = self._aim + elapsed + next_within
        self._predicted = self._latest_within_interval(now, promised, next_within)
        return self._phased(now, self._predicted) if self._caught_up else now

    def after_unpaced_chunk(self, now: float) -> float:
        """When to look after a chunk that announces nothing: at once, to read up to the end."""
        self._seen_any = True
        self._silent, self._predicted = 0, None
        return now

    def after_absent(self, now: float) -> float:
        """When to look after an answer "not there"."""
        self._absent_at = now
        if not self._seen_any:
            pause, self._first_pause = self._first_pause, min(self._first_pause * 1.5, self.interval)
            return now + min(pause, self.interval)
        self._caught_up = True
        if self._predicted is not None and now < self._predicted:
            return self._phased(now, self._predicted)
        if self._predicted is not None:  # a put that takes a little longer than usual: one more look
            self._missed, self._predicted = True, None
            return now + min(max(SECOND_LOOK, self._step), self.interval)  # where it would have been found before
        self._missed = False
        self._silent += 1
        pause = max(self.idle, self.interval) if self._silent > SILENT_LOOKS else self.interval
        return now + pause

    def _learn(self, *, as_predicted: bool) -> None:
        """The newest chunk that there can be was found: did the last look come too early, or as predicted?"""
        if self._missed:
            self._missed, self._hits, self._doubt = False, 0, self._step
        elif self._predicted is not None and self._caught_up and as_predicted:
            self._step = self._probe()
            self._aim -= self._step
            self._doubt = max(0.0, self._doubt - self._step)
            self._hits = None if self._hits is None else self._hits + 1

    def _probe(self) -> float:
        """How much earlier the next look may be: by halves, then boldly until the first miss, then in small steps."""
        if self._doubt > 2 * BOLD_PROBE:
            return self._doubt / 2
        return BOLD_PROBE if self._hits is None else min(BOLD_PROBE, SMALL_PROBE * 2.0 ** (self._hits // 16))

    def _latest_within_interval(self, now: float, promised: float, next_within: float) -> float:
        """A writer faster than our interval: its last chunk that we can await without exceeding it."""
        if next_within <= 0 or promised + next_within > now + self.interval:
            return promised
        return promised + next_within * int((now + self.interval - promised) / next_within)

    def _phased(self, now: float, target: float) -> float:
        """The first of the looks, one interval apart, of which one falls on `target`."""
        whole = max(0, math.ceil((target - now) / self.interval - PHASE_SLACK) - 1)
        return min(target - whole * self.interval, now + self.interval)


def full_size(options: LogOptions) -> int:
    """Bytes at which a chunk is due at once; below the buffer's limit, at which callers would wait."""
    return min(options.max_chunk, options.max_buffer // 2)


def heartbeat_pause(options: LogOptions) -> float:
    """Seconds between the heartbeats of a silent writer: never more often than paid-for chunks."""
    return max(options.heartbeat, options.interval)


def backoff(attempt: int, *, refused: bool, chance: float) -> float:
    """Seconds to wait after failed try number `attempt` (from 1); `chance` is uniform in [0, 1).

    Full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): 0.2 s doubled
    up to 10 s. A refusal passes only when somebody renews credentials, so it is tried more slowly.
    """
    if refused:
        return min(30.0, float(1 << min(attempt, 6))) * (1 + chance)
    return min(10.0, 0.2 * float(1 << min(attempt - 1, 10))) * chance
