"""Each data-quality check of the flights job notices exactly the fault it is there for."""

from __future__ import annotations

import checks
import polars as pl
import pytest
import source

MONTH = "2013-01"


def failed(flights: pl.DataFrame, month: str = MONTH) -> set[str]:
    return {check.name for check in checks.run_checks(month, flights) if not check.passed}


def spoil(flights: pl.DataFrame, **values: int | None) -> pl.DataFrame:
    """The flights with other values in the first row, which is a flight that flew."""
    first = pl.int_range(pl.len()) == 0
    changed = [pl.when(first).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()]
    return flights.with_columns(changed)


def test_the_published_january_passes_every_check(january: pl.DataFrame) -> None:
    assert failed(january) == set()


def test_the_year_has_the_faults_that_it_is_known_for(flights: pl.DataFrame) -> None:
    by_month = {month: failed(flights.filter(pl.col("month") == int(month[-2:])), month) for month in source.MONTHS}
    assert {month: names for month, names in by_month.items() if names} == {
        "2013-02": {"few_cancellations"},  # the snow storm of 8 and 9 February
        "2013-03": {"plausible_speeds"},
        "2013-05": {"plausible_speeds"},  # 762 miles in 65 minutes
        "2013-06": {"arrivals_are_recorded"},
        "2013-07": {"plausible_speeds", "plausible_distances", "arrivals_are_recorded"},  # Newark to LaGuardia
    }


def test_a_lost_row_fails_the_row_count(january: pl.DataFrame) -> None:
    assert failed(january.tail(-1)) == {"row_count"}


def test_a_lost_day_of_one_airport_is_noticed(january: pl.DataFrame) -> None:
    lost = (pl.col("day") == 7) & (pl.col("origin") == "LGA")
    assert "every_day_has_flights" in failed(january.filter(~lost))


def test_a_repeated_row_is_a_duplicate(january: pl.DataFrame) -> None:
    assert failed(pl.concat([january.tail(-1), january.tail(1)])) == {"no_duplicates"}


def test_a_flight_that_arrived_without_leaving_is_inconsistent(january: pl.DataFrame) -> None:
    assert failed(spoil(january, dep_time=None)) == {"only_cancelled_flights_lack_departures"}


@pytest.mark.parametrize("column", ["dep_delay", "arr_delay"])
def test_a_delay_that_the_clock_contradicts_is_noticed(january: pl.DataFrame, column: str) -> None:
    assert failed(spoil(january, **{column: 7})) == {"delays_match_the_clock"}


@pytest.mark.parametrize("days", [-1, 2])
def test_a_delay_of_days_is_implausible(january: pl.DataFrame, days: int) -> None:
    delay = january["dep_delay"][0] + days * 24 * 60
    assert failed(spoil(january, dep_delay=delay)) == {"plausible_delays"}


@pytest.mark.parametrize("air_time", [20, 2000])
def test_a_flight_too_fast_or_too_slow_is_named(january: pl.DataFrame, air_time: int) -> None:
    spoilt = spoil(january, air_time=air_time)
    assert failed(spoilt) == {"plausible_speeds"}
    assert "UA1545 EWR-IAH on 1: mph" in checks.plausible_speeds(MONTH, spoilt).evidence["examples"]


def test_evidence_is_made_of_plain_values(january: pl.DataFrame) -> None:
    for check in checks.run_checks(MONTH, january):
        assert {type(value) for value in check.evidence.values()} <= {int, float, str}
