"""The flights job's figures, against the same figures computed row by row with the standard library."""

from __future__ import annotations

import statistics

import delays
import polars as pl
import pytest
import source

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def summary(january: pl.DataFrame) -> delays.MonthSummary:
    return delays.summarize("2013-01", january)


def minutes(rows: Rows, column: str) -> list[int]:
    return [int(row[column]) for row in rows if row[column] != "NA"]


def test_the_year_has_the_published_number_of_flights(flights: pl.DataFrame) -> None:
    assert flights.height == 336_776
    assert flights.filter(pl.col("dep_time").is_null()).height == 8_255


def test_a_month_is_exactly_the_rows_of_that_month(january_rows: Rows) -> None:
    january = source.read_month("2013-01")
    assert january.height == len(january_rows) == 27_004
    assert january["flight"].to_list() == [int(row["flight"]) for row in january_rows]


@pytest.mark.parametrize("month", ["2013-13", "2012-05", "2013-1", "January", ""])
def test_a_month_that_the_data_lacks_is_named_in_the_error(month: str) -> None:
    with pytest.raises(ValueError, match=rf"no month {month!r}: the data has 2013-01 to 2013-12"):
        source.check_month(month)


def test_a_missing_month_says_where_months_come_from() -> None:
    with pytest.raises(ValueError, match=r"pass --month, or launch the job for a partition"):
        source.check_month(None)


def test_data_that_is_not_installed_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PACKAGE", "nycflights14")
    with pytest.raises(FileNotFoundError, match=r"pip install .*nycflights14"):
        source.data_file("flights.csv.zip")


def test_the_summary_counts_what_the_rows_say(summary: delays.MonthSummary, january_rows: Rows) -> None:
    left = [row for row in january_rows if row["dep_time"] != "NA"]
    arrivals = minutes(january_rows, "arr_delay")
    assert summary.flights == 27_004
    assert summary.cancelled == len(january_rows) - len(left) == 521
    assert summary.diverted == len(left) - len(arrivals) == 85
    assert summary.on_time_share == pytest.approx(sum(delay < 15 for delay in arrivals) / 27_004)
    assert summary.longest_delay == max(arrivals) == 1272


def test_the_summary_averages_the_flights_that_flew(summary: delays.MonthSummary, january_rows: Rows) -> None:
    assert summary.mean_departure_delay == pytest.approx(statistics.fmean(minutes(january_rows, "dep_delay")))
    assert summary.mean_arrival_delay == pytest.approx(statistics.fmean(minutes(january_rows, "arr_delay")))


def test_nine_of_ten_arrivals_are_within_the_ninth_decile(summary: delays.MonthSummary, january_rows: Rows) -> None:
    arrivals = minutes(january_rows, "arr_delay")
    within = sum(delay <= summary.ninth_decile_delay for delay in arrivals) / len(arrivals)
    assert within == pytest.approx(0.9, abs=0.005)


def test_the_worst_day_has_the_smallest_share_on_time(summary: delays.MonthSummary, january_rows: Rows) -> None:
    shares = {}
    for day in {row["day"] for row in january_rows}:
        rows = [row for row in january_rows if row["day"] == day]
        shares[f"2013-01-{int(day):02}"] = sum(delay < 15 for delay in minutes(rows, "arr_delay")) / len(rows)
    assert summary.worst_day == min(shares, key=lambda day: shares[day]) == "2013-01-16"
    assert summary.worst_day_on_time_share == pytest.approx(min(shares.values()))


def test_every_flight_of_a_day_had_exactly_one_fate(january: pl.DataFrame) -> None:
    days = delays.by_day(january)
    assert days["day"].to_list() == list(range(1, 32))
    assert (days.select(pl.sum_horizontal(pl.exclude("day", "flights"))).to_series() == days["flights"]).all()


def test_airlines_are_named_and_add_up_to_the_month(january: pl.DataFrame, january_rows: Rows) -> None:
    airlines = delays.by_airline(january, source.read_airlines())
    assert airlines["flights"].sum() == 27_004
    assert airlines["airline"].null_count() == 0
    united = [row for row in january_rows if row["carrier"] == "UA"]
    assert airlines.row(0, named=True) == {
        "airline": "United Air Lines Inc.",
        "flights": len(united),
        "cancelled": sum(row["dep_time"] == "NA" for row in united),
        "on_time_percent": round(100 * sum(delay < 15 for delay in minutes(united, "arr_delay")) / len(united), 1),
        "mean_delay": round(statistics.fmean(minutes(united, "arr_delay")), 1),
    }


def test_delays_by_hour_are_the_means_of_those_departures(january: pl.DataFrame, january_rows: Rows) -> None:
    first_of_january_2013 = 2  # a Tuesday
    rows = [
        row
        for row in january_rows
        if row["hour"] == "17" and (first_of_january_2013 - 1 + int(row["day"]) - 1) % 7 + 1 == 5
    ]
    friday_at_five = pl.col("weekday").eq(5) & pl.col("hour").eq(17)
    found = delays.by_weekday_and_hour(january).filter(friday_at_five)["delay"].item()
    assert found == pytest.approx(statistics.fmean(minutes(rows, "dep_delay")))
