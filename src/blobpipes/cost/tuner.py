"""Which interval buys what? Forecasts at many settings, those of them that nothing beats, and the one to take. Pure.

A setting is beaten if another one is neither dearer nor slower, and better in one of the two. Those that are left are
the Pareto front: going along it, seconds are bought for dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from blobpipes.chunklog.options import LogOptions
from blobpipes.cost.bill import Cost
from blobpipes.cost.forecast import Conditions, Forecast
from blobpipes.cost.official_pair import forecast_official, forecast_official_workload
from blobpipes.cost.our_pair import forecast_our_workload, forecast_ours
from blobpipes.cost.trace import Trace, Workload
from blobpipes.errors import InvalidOptionError

Pair: TypeAlias = Literal["blobpipes", "official"]
Job: TypeAlias = Trace | Workload
Pricing: TypeAlias = Callable[[Forecast], Cost]

INTERVALS: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0)  # seconds
OFFICIAL_INTERVALS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One setting, and what a session with it would cost and take."""

    pair: Pair
    options: LogOptions  # of the official pair only the interval counts
    forecast: Forecast
    cost: Cost

    @property
    def interval(self) -> float:
        """Seconds."""
        return self.options.interval

    @property
    def usd(self) -> float:
        """Of one session."""
        return self.cost.usd

    @property
    def seconds(self) -> float:
        """The latency by which settings are compared: 95 of 100 messages are there by then."""
        return self.forecast.latency.p95

    def to_dict(self) -> dict[str, Any]:
        """In JSON's own types."""
        return {"pair": self.pair, "interval": self.interval, "usd": self.usd, **self.forecast.to_dict()}


def forecast(pair: Pair, job: Job, options: LogOptions, conditions: Conditions) -> Forecast:
    """One setting of either pair for one job."""
    if pair == "official":
        if isinstance(job, Workload):
            return forecast_official_workload(job, options.interval, conditions)
        return forecast_official(job, options.interval, conditions)
    if isinstance(job, Workload):
        return forecast_our_workload(job, options, conditions)
    return forecast_ours(job, options, conditions)


def try_settings(
    job: Job, today: LogOptions, pricing: Pricing, *, conditions: Conditions, intervals: Iterable[float] = INTERVALS
) -> list[Point]:
    """Today's options at each interval, its own included, from the shortest on."""
    tried = sorted({*intervals, today.interval})
    settings = [replace(today, interval=interval) for interval in tried]
    return [_point("blobpipes", job, options, pricing, conditions) for options in settings]


def try_official(job: Job, today: LogOptions, pricing: Pricing, *, conditions: Conditions) -> list[Point]:
    """The official pair at some intervals."""
    tried = sorted({*OFFICIAL_INTERVALS, today.interval})
    return [_point("official", job, LogOptions(interval=interval), pricing, conditions) for interval in tried]


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Those that no other one beats, from the cheapest to the fastest."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.usd, each.seconds)):
        if not front or point.seconds < front[-1].seconds:
            front.append(point)
    return front


def recommend(points: Sequence[Point], *, latency: float | None = None, budget: float | None = None) -> Point:
    """The cheapest setting that is fast enough, or the fastest that is cheap enough; else where the front bends.

    Args:
        latency: seconds within which 95 of 100 messages shall be there.
        budget: US dollars that one session may cost.

    Raises:
        InvalidOptionError: no setting is fast or cheap enough; says what the best one does.
    """
    front = pareto_front(points)
    fitting = [point for point in front if budget is None or point.usd <= budget]
    if not fitting:
        least = front[0]
        raise InvalidOptionError(
            f"no setting costs at most ${budget:.3g} a session", remedy=f"The cheapest one costs ${least.usd:.3g}."
        )
    if latency is not None:
        fast = [point for point in fitting if point.seconds <= latency]
        if not fast:
            best = fitting[-1].seconds
            raise InvalidOptionError(
                f"no setting within the budget brings 95 % of the messages within {latency:g} s",
                remedy=f"The fastest one takes {best:.1f} s.",
            )
        return fast[0]
    return fitting[-1] if budget is not None else _balance(fitting)


def as_late(job: Job, today: LogOptions, seconds: float, *, conditions: Conditions) -> tuple[float, Forecast]:
    """The longest interval with which, on average, messages come within so many seconds; and what it would ask.

    The shortest interval there is, if even that takes longer.
    """
    short, long = max(seconds, INTERVALS[0]), max(2 * seconds, 2 * INTERVALS[0])
    best = forecast("blobpipes", job, replace(today, interval=short), conditions)
    if best.latency.mean > seconds:
        short, long = INTERVALS[0], short
        best = forecast("blobpipes", job, replace(today, interval=short), conditions)
    for _ in range(_HALVINGS):
        middle = round((short + long) / 2, 2)
        found = forecast("blobpipes", job, replace(today, interval=middle), conditions)
        if found.latency.mean <= seconds:
            short, best = middle, found
        else:
            long = middle
    return short, best


_HALVINGS: Final = 6


def _point(pair: Pair, job: Job, options: LogOptions, pricing: Pricing, conditions: Conditions) -> Point:
    found = forecast(pair, job, options, conditions)
    return Point(pair, options, found, pricing(found))


def _balance(front: Sequence[Point]) -> Point:
    """Where the front bends: neither the last percent of speed at any price, nor the last cent at any patience.

    Money counts as a share of what the dearest of them costs, time as a share of what the slowest one takes.
    """
    dearest = max(point.usd for point in front) or 1.0
    slowest = max(point.seconds for point in front) or 1.0
    return min(front, key=lambda point: point.usd / dearest + point.seconds / slowest)
