"""The demo, told: twelve jobs at once, a row for each while they run, and the year as a table at the end."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blobpipes.cli import exit_codes
from blobpipes.cli.drawing import Column, Line, Piece, Table
from blobpipes.cli.entries import state_style
from blobpipes.cli.events import Event, event_of
from blobpipes.cli.example_files import load_year
from blobpipes.cli.printers import Printer
from blobpipes.cli.running_job import end_fields
from blobpipes.cli.tally import Tally
from blobpipes.cli.wording import clipped, counted, duration, requests
from blobpipes.clients.endings import process_end
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import BlobpipesError
from blobpipes.storage.url import join, parse_url, without_secrets

LAST_WIDTH: Final = 46  # columns of the last log line in the live view: the whole fits 80
WIDE: Final = 110  # columns from which the whole table of the year fits
LEFT_OUT: Final = ("worst day", "messages")  # where it does not


@dataclass(slots=True)
class MonthRow:
    """One month in the live view."""

    month: str
    state: str = "queued"
    session: str | None = None
    figures: str = ""  # what its job has found, once it has ended
    tally: Tally = field(default_factory=Tally)


class YearOfFlights:
    """Runs the example's months and says everything. Used once."""

    def __init__(
        self,
        printer: Printer,
        *,
        url: str | None,
        months: Sequence[str],
        parallel: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._year = load_year()
        self._printer = printer
        self._clock = clock
        self._months = _checked(months, self._year.MONTHS)
        self._parallel = max(1, parallel)
        self._folder = Path(tempfile.mkdtemp(prefix="blobpipes-demo-"))
        self._given = url or f"{self._folder.as_uri()}?interval=1s"
        self._url = without_secrets(parse_url(self._given).base)
        self._is_local = url is None
        self._rows = {month: MonthRow(month) for month in self._months}
        self._ended: list[Any] = []
        self._began = clock.monotonic()

    def run(self) -> int:
        """Run them all; the exit code."""
        self._tell_beginning()
        with self._output.open("wb") as output:
            events = self._year.run_year(
                self._given,
                months=self._months,
                parallel=self._parallel,
                log=_silent_logger(),
                stdout=output,
                stderr=output,
            )
            with closing(events):  # after Ctrl-C the jobs under way still end
                for event in events:
                    self._say(event)
                    self._printer.status(self._live_view())
        self._printer.status(None)
        return self._tell_end()

    # --- while they run -------------------------------------------------------------------------------

    def _say(self, happened: Any) -> None:
        row = self._rows[happened.month]
        now, wall = self._clock.monotonic(), self._clock.wall()
        if isinstance(happened, self._year.MonthStarted):
            row.state, row.session = "running", happened.session
            fields = {"url": join(self._url, happened.session), "partition_key": row.month, "job_name": "flights"}
            self._event(Event("session", row.session, wall, fields))
        elif isinstance(happened, self._year.MonthMessage):
            event = event_of(happened.event.payload, session=row.session, at=wall)
            row.tally.add(event, now, chunk=happened.event.chunk)
            self._event(event)
        else:
            self._ended.append(happened)
            row.state = happened.report.verdict if happened.report else "not opened"
            row.figures = self._figures(happened.summary)
            self._say_end(row, happened)

    def _figures(self, summary: Mapping[str, Any] | None) -> str:
        """What the job has found, in a few words."""
        if summary is None:
            return ""
        return f"{summary['flights']:,} flights, {summary['on_time_share']:.0%} on time"

    def _say_end(self, row: MonthRow, ended: Any) -> None:
        error = ended.error
        if ended.report is not None:
            end = process_end("the job", getattr(error, "exit_code", None) or 0)
            fields = end_fields(ended.report, row.tally, end)
            self._event(Event("end", row.session, self._clock.wall(), fields))
        if error is not None:
            text = error.message if isinstance(error, BlobpipesError) else f"{type(error).__name__}: {error}"
            self._printer.note([Piece(f"{row.month}  ", "strong"), Piece(clipped(text), "bad")])

    def _event(self, event: Event) -> None:
        """Every event for programs; people without a live view get a line for each log message and each end."""
        if not self._printer.for_people:
            self._printer.event(event)
        elif not self._printer.is_live and event.kind in ("log", "end"):
            month = (event.session or "").rpartition("/")[2]
            text = event["message"] if event.kind == "log" else f"{event['state']}: {event['detail']}"
            self._printer.note([f"{month}  {clipped(text)}"])

    def _live_view(self) -> Table | None:
        if not self._printer.is_live:
            return None
        table = Table([Column("month"), Column("state"), Column("messages", right=True), Column("what it says")])
        for row in self._rows.values():
            style = "dim" if row.state == "queued" else state_style(row.state)
            last = row.figures or Piece(clipped(row.tally.last_text, LAST_WIDTH), "dim")
            table.rows.append([row.month, Piece(row.state, style), f"{row.tally.messages or ''}", last])
        return table

    # --- before and after -----------------------------------------------------------------------------

    def _tell_beginning(self) -> None:
        jobs = counted(len(self._months), "job")
        at_once = min(self._parallel, len(self._months))
        lines: Sequence[Line] = (
            [Piece("Flights from New York in 2013: ", "strong"), f"{jobs}, one for each month, {at_once} at once."],
            ["Each is a process of its own, which shares nothing with this one but a URL:"],
            [Piece(f"  {self._url}", "name"), Piece("  (a temporary folder)" if self._is_local else "", "dim")],
            [],
        )
        for line in lines:
            self._printer.note(line)

    def _tell_end(self) -> int:
        complete = sum(row.state == "complete" for row in self._rows.values())
        reports = [ended.report for ended in self._ended if ended.report is not None]
        asked = _sum([report.requests for report in reports])
        self._printer.table(self._year_table())
        self._tell_verdict(complete, sum(report.messages for report in reports), asked)
        fields = {
            "url": self._url,
            "sessions": len(self._rows),
            "complete": complete,
            "requests": asked,
            "months": [ended.summary for ended in self._ended if ended.summary],
            "seconds": round(self._clock.monotonic() - self._began, 3),
        }
        self._printer.event(Event("demo", None, self._clock.wall(), fields))
        for line in self._hints():
            self._printer.note(line)
        return exit_codes.OK if complete == len(self._rows) else exit_codes.FAILED

    def _tell_verdict(self, complete: int, messages: int, asked: Mapping[str, int]) -> None:
        good = complete == len(self._rows)
        said = "every message arrived" if good else f"what the jobs printed is in {self._output}"
        mark = Piece("✔ ", "good") if good else Piece("✘ ", "bad")
        took = duration(self._clock.monotonic() - self._began)
        counts = f"{counted(messages, 'message')}, {requests(asked)} of this side, {took}"
        verdict = f"{complete} of {counted(len(self._rows), 'session')} complete, {said}"
        self._printer.note([])
        self._printer.note([Piece(verdict, "strong"), f": {counts}"], margin=[mark])

    def _year_table(self) -> Table:
        titles = self._year.HEADINGS
        kept = [at for at, title in enumerate(titles) if title not in LEFT_OUT or (self._printer.width or WIDE) >= WIDE]
        table = Table([Column(titles[at], right=at > 0) for at in kept])
        for row in self._year.table_rows(self._ended):
            cells: list[str | Piece] = [row[at] for at in kept]
            table.rows.append([*cells[:-1], Piece(row[-1], state_style(row[-1]))])
        return table

    def _hints(self) -> list[Line]:
        shown = self._months[min(1, len(self._months) - 1)]
        results = self._year.default_results_url(self._url)
        return [
            [],
            ["Everything is still in the store, for whoever can read it:"],
            [Piece(f"  blobpipes ls {self._url}", "name")],
            [Piece(f"  blobpipes show {self._url} {shown}", "name")],
            [Piece(f"  {results}/{shown}/delays.png", "name")],
        ]

    @property
    def _output(self) -> Path:
        """What the jobs print."""
        return self._folder / "output.txt"


def _checked(months: Sequence[str], known: Sequence[str]) -> list[str]:
    wrong = next((month for month in months if month not in known), None)
    if wrong is not None:
        raise exit_codes.CommandError(
            f"there is no month {wrong!r} in the data",
            remedy=f"Give some of {known[0]} to {known[-1]}, or none for all.",
        )
    return list(dict.fromkeys(months)) or list(known)


def _sum(usages: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for usage in usages:
        for kind, number in usage.items():
            total[kind] = total.get(kind, 0) + number
    return total


def _silent_logger() -> logging.Logger:
    logger = logging.Logger("blobpipes.demo")  # noqa: LOG001 - apart from all others: messages are said as events
    logger.addHandler(logging.NullHandler())
    return logger
