"""How late were the flights of one month? Data frames in, figures out: no pipes, no files, no clock."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

LATE = 15  # minutes after schedule from which the U.S. DOT's statistics count an arrival as late
VERY_LATE = 60  # minutes

_cancelled = pl.col("dep_time").is_null()
_on_time = pl.col("arr_delay") < LATE
_late = pl.col("arr_delay").is_between(LATE, VERY_LATE, closed="left")
_very_late = pl.col("arr_delay") >= VERY_LATE
_diverted = ~_cancelled & pl.col("arr_delay").is_null()  # left, but did not arrive where it should


@dataclass(frozen=True)
class MonthSummary:
    """One month in a few figures. Delays are minutes after schedule, shares are parts of all scheduled flights."""

    month: str
    flights: int
    cancelled: int
    diverted: int
    on_time_share: float
    mean_departure_delay: float
    mean_arrival_delay: float
    ninth_decile_delay: float  # nine of ten arrivals were no later than this
    worst_day: str  # the day with the smallest share on time, "2013-02-09"
    worst_day_on_time_share: float
    longest_delay: int  # at arrival

    @property
    def cancelled_share(self) -> float:
        return self.cancelled / self.flights


def summarize(month: str, flights: pl.DataFrame) -> MonthSummary:
    """The figures of `month`, whose flights these are: at least one that arrived."""
    figures = flights.select(
        flights=pl.len(),
        cancelled=_cancelled.sum(),
        diverted=_diverted.sum(),
        on_time_share=_on_time.sum() / pl.len(),
        mean_departure_delay=pl.col("dep_delay").mean(),
        mean_arrival_delay=pl.col("arr_delay").mean(),
        ninth_decile_delay=pl.col("arr_delay").quantile(0.9, "nearest"),
        longest_delay=pl.col("arr_delay").max(),
    ).row(0, named=True)
    worst = by_day(flights).sort(pl.col("on_time") / pl.col("flights")).row(0, named=True)
    return MonthSummary(
        month=month,
        worst_day=f"{month}-{worst['day']:02}",
        worst_day_on_time_share=worst["on_time"] / worst["flights"],
        **figures,
    )


def by_day(flights: pl.DataFrame) -> pl.DataFrame:
    """One row per day, in order: `flights`, and how many were on time, late, very late, diverted, cancelled."""
    return (
        flights.group_by("day")
        .agg(
            flights=pl.len(),
            on_time=_on_time.sum(),
            late=_late.sum(),
            very_late=_very_late.sum(),
            diverted=_diverted.sum(),
            cancelled=_cancelled.sum(),
        )
        .sort("day")
    )


def by_airline(flights: pl.DataFrame, airlines: pl.DataFrame) -> pl.DataFrame:
    """One row per airline, the biggest first. An airline none of whose flights arrived has a null mean delay."""
    return (
        flights.join(airlines, on="carrier", how="left")
        .group_by(airline="name")
        .agg(
            flights=pl.len(),
            cancelled=_cancelled.sum(),
            on_time_percent=(100 * _on_time.sum() / pl.len()).round(1),
            mean_delay=pl.col("arr_delay").mean().round(1),
        )
        .sort("flights", "airline", descending=[True, False])
    )


def by_weekday_and_hour(flights: pl.DataFrame) -> pl.DataFrame:
    """Mean departure delay in minutes: one row per `weekday` (1 is Monday) and scheduled `hour` of departure."""
    return (
        flights.with_columns(weekday=pl.date("year", "month", "day").dt.weekday())
        .group_by("weekday", "hour")
        .agg(delay=pl.col("dep_delay").mean())
        .sort("weekday", "hour")
    )
