"""Can the flights of one month be believed? Each check is one question, answered with evidence.

Errors say that the data is broken; warnings say that somebody should look. On the data as published every
month passes the former, and five months of the year have a real reason for a warning.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from source import AIRPORTS

# Flights per month, 336,776 in all: counted once in the published file, so that a truncated copy is noticed.
EXPECTED_FLIGHTS = (27004, 24951, 28834, 28330, 28796, 28243, 29425, 29327, 27574, 28889, 27268, 28135)

_cancelled = pl.col("dep_time").is_null()


@dataclass(frozen=True)
class CheckResult:
    """The answer to one question, and what it rests on."""

    name: str
    passed: bool
    severity: Literal["WARN", "ERROR"]
    evidence: dict[str, Any]


def run_checks(month: str, flights: pl.DataFrame) -> list[CheckResult]:
    """All checks on the flights of `month`, written YYYY-MM."""
    return [check(month, flights) for check in CHECKS]


def row_count(month: str, flights: pl.DataFrame) -> CheckResult:
    expected = EXPECTED_FLIGHTS[int(month[-2:]) - 1]
    evidence = {"rows": flights.height, "expected": expected}
    return CheckResult("row_count", flights.height == expected, "ERROR", evidence)


def every_day_has_flights(month: str, flights: pl.DataFrame) -> CheckResult:
    """From each airport, so that a lost part file cannot hide behind the month's total."""
    days = calendar.monthrange(int(month[:4]), int(month[-2:]))[1]
    found = flights.select("day", "origin").unique().height
    evidence = {"airport_days": found, "expected": days * len(AIRPORTS)}
    return CheckResult("every_day_has_flights", found == days * len(AIRPORTS), "ERROR", evidence)


def no_duplicates(_month: str, flights: pl.DataFrame) -> CheckResult:
    unique = flights.unique(["month", "day", "sched_dep_time", "carrier", "flight", "origin"]).height
    return _no_rows("no_duplicates", "ERROR", "duplicates", flights.height - unique)


def only_cancelled_flights_lack_departures(_month: str, flights: pl.DataFrame) -> CheckResult:
    """A flight without a departure was cancelled, so nothing else about it can have been measured."""
    measured = pl.any_horizontal(pl.col("dep_delay", "arr_time", "arr_delay", "air_time").is_not_null())
    wrong = flights.filter(_cancelled & measured).height
    name = "only_cancelled_flights_lack_departures"
    return _no_rows(name, "ERROR", "inconsistent", wrong, cancelled=flights.filter(_cancelled).height)


def delays_match_the_clock(_month: str, flights: pl.DataFrame) -> CheckResult:
    """The delays are what the scheduled and real times of day say, whatever happened at midnight."""
    off = flights.filter(_delay_differs("dep") | _delay_differs("arr")).height
    return _no_rows("delays_match_the_clock", "ERROR", "mismatches", off)


def plausible_delays(_month: str, flights: pl.DataFrame) -> CheckResult:
    """Not more than an hour early, not more than a day late, at departure."""
    wild = flights.filter(~pl.col("dep_delay").is_between(-60, 24 * 60)).height
    earliest, latest = flights.select(low=pl.col("dep_delay").min(), high=pl.col("dep_delay").max()).row(0)
    return _no_rows("plausible_delays", "ERROR", "implausible", wild, earliest=earliest, latest=latest)


def plausible_speeds(_month: str, flights: pl.DataFrame) -> CheckResult:
    """Airliners fly at 75 to 600 miles an hour, take-off and landing included."""
    speed = pl.col("distance") / pl.col("air_time") * 60
    wild = flights.with_columns(mph=speed.round()).filter(~speed.is_between(75, 600))
    return _no_rows("plausible_speeds", "WARN", "implausible", wild.height, examples=_examples(wild, "mph"))


def plausible_distances(_month: str, flights: pl.DataFrame) -> CheckResult:
    """Nobody schedules a flight of less than fifty miles."""
    short = flights.filter(pl.col("distance") < 50)
    return _no_rows("plausible_distances", "WARN", "implausible", short.height, examples=_examples(short, "distance"))


def arrivals_are_recorded(_month: str, flights: pl.DataFrame) -> CheckResult:
    """At most one in two hundred of the flights that left is diverted, or has no arrival for other reasons."""
    share = flights.filter(~_cancelled & pl.col("arr_delay").is_null()).height / flights.height
    return CheckResult("arrivals_are_recorded", share <= 0.005, "WARN", {"missing_percent": round(100 * share, 2)})


def few_cancellations(_month: str, flights: pl.DataFrame) -> CheckResult:
    """At most one flight in twenty is cancelled."""
    share = flights.filter(_cancelled).height / flights.height
    return CheckResult("few_cancellations", share <= 0.05, "WARN", {"cancelled_percent": round(100 * share, 2)})


CHECKS: tuple[Callable[[str, pl.DataFrame], CheckResult], ...] = (
    row_count,
    every_day_has_flights,
    no_duplicates,
    only_cancelled_flights_lack_departures,
    delays_match_the_clock,
    plausible_delays,
    plausible_speeds,
    plausible_distances,
    arrivals_are_recorded,
    few_cancellations,
)


def _no_rows(name: str, severity: Literal["WARN", "ERROR"], what: str, rows: int, **evidence: Any) -> CheckResult:
    """Passed if no row is wrong."""
    return CheckResult(name, rows == 0, severity, {what: rows, **evidence})


def _delay_differs(event: Literal["dep", "arr"]) -> pl.Expr:
    elapsed = _minutes(f"{event}_time") - _minutes(f"sched_{event}_time")
    return (elapsed - pl.col(f"{event}_delay")) % (24 * 60) != 0


def _minutes(column: str) -> pl.Expr:
    """Minutes since midnight of a time written as the number hhmm."""
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def _examples(flights: pl.DataFrame, measure: str) -> str:
    """The first few rows in words: `DL1499 LGA-ATL on 25: mph 703`."""
    rows = flights.select("carrier", "flight", "origin", "dest", "day", measure).head(3).rows()
    return "; ".join(f"{c}{f} {a}-{b} on {day}: {measure} {value:g}" for c, f, a, b, day, value in rows) or "none"
