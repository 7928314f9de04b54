"""`blobpipes tune`: which interval buys what, and which one to take?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, add_place
from blobpipes.cli.workloads import (
    STORES,
    add_options,
    add_workload,
    conditions_of,
    jobs_of,
    options_of,
    rate_in_words,
    seconds_of,
    workload_of,
)

if TYPE_CHECKING:
    from blobpipes.chunklog.options import LogOptions
    from blobpipes.cli.drawing import Style
    from blobpipes.cli.printers import Printer
    from blobpipes.cli.tuning import Tuning
    from blobpipes.cost.prices import PriceTable
    from blobpipes.cost.tuner import Job, Point

DESCRIPTION: Final = """\
Go through a session again at other intervals, or through a job in numbers: what
it would cost and how late its messages would come. Recommends the cheapest one
that is fast enough (--latency), the fastest one that is cheap enough
(--budget), or else the one where neither the last second nor the last cent is
paid for dearly. Beside it stands the official pair."""
EPILOG: Final = """\
examples:
  blobpipes tune s3://bucket/jobs                    the newest session
  blobpipes tune s3://bucket/jobs nightly --latency 30s --html tuning.html
  blobpipes tune ./jobs --store gcs --jobs 1000
  blobpipes tune --hours 2 --rate 5 --store s3 --png tuning.png"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `tune` takes."""
    add_place(parser)
    parser.add_argument("--latency", metavar="TIME", help="95 of 100 messages shall be there within this time")
    parser.add_argument("--budget", type=float, metavar="USD", help="for a session; with --jobs, for a month")
    parser.add_argument("--store", metavar="NAME", help=f"at the prices of {STORES}")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the picture; needs blobpipes[plots]")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page that needs nothing else; the same")
    add_workload(parser)
    add_options(parser)
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Try the settings, say what was found, draw it."""
    from blobpipes.cli.exit_codes import OK
    from blobpipes.cost.price_files import load_prices

    tuning = _tune(args, load_prices(args.prices), printer)
    _say(tuning, printer)
    if args.png is not None:
        from blobpipes.cli.tuning_picture import as_png

        _write(args.png, as_png(tuning), printer)
    if args.html is not None:
        from blobpipes.cli.tuning_page import as_page

        _write(args.html, as_page(tuning).encode(), printer)
    return OK


def _tune(args: argparse.Namespace, table: PriceTable, printer: Printer) -> Tuning:
    from blobpipes.cli.tuning import Tuning
    from blobpipes.cost.bill import Cost, price
    from blobpipes.cost.forecast import Forecast
    from blobpipes.cost.tuner import pareto_front, recommend, try_official, try_settings

    jobs, conditions = jobs_of(args), conditions_of(args)
    if args.store is not None:
        table.require(args.store)  # before anything is read
    job, today, subject, store = _subject(args)
    prices = table.require(_priced_store(args.store, store, table, printer))

    def pricing(forecast: Forecast) -> Cost:
        return price(forecast.ledger, store=prices.key, table=table, region=args.region)

    ours = try_settings(job, today, pricing, conditions=conditions)
    budget = None if args.budget is None else args.budget / jobs
    latency = None if args.latency is None else seconds_of("latency", args.latency)
    best = recommend(ours, latency=latency, budget=budget)
    place = args.url.partition("?")[0] if args.url else ""
    return Tuning(
        subject=subject,
        prices=prices,
        collected=table.collected.isoformat(),
        jobs=jobs,
        ours=ours,
        official=try_official(job, today, pricing, conditions=conditions),
        front=pareto_front(ours),
        today=next(point for point in ours if point.interval == today.interval),
        recommended=best,
        line=f"{place}?interval={best.interval:g}s",
    )


def _subject(args: argparse.Namespace) -> tuple[Job, LogOptions, str, str]:
    """What to go through, the settings of today, words for it, and the store of its URL."""
    from blobpipes.cli.arguments import url_of
    from blobpipes.cli.exit_codes import CommandError
    from blobpipes.orchestration.catalog import SessionCatalog
    from blobpipes.orchestration.recordings import read_recording
    from blobpipes.orchestration.session_place import parse_storage

    if args.hours is not None:
        if args.url:
            raise CommandError("a job in numbers (--hours) has no URL", remedy="Leave one of the two out.")
        job = workload_of(args)
        words = f"A job of {args.hours:g} h, {rate_in_words(job.rate)}"
        return job, options_of(args), words, "s3"
    url = url_of(args)
    recording = read_recording(SessionCatalog(url).find(args.session))
    if recording.trace is None:
        raise CommandError(
            f"the session {recording.name} says too little to go through it again",
            remedy="Take one with messages, or describe a job: --hours, --rate.",
        )
    words = f"The session {recording.name}, {len(recording.trace.messages):,} messages"
    return recording.trace, options_of(args, recording.options), words, parse_storage(url, None, {}).price_key


def _priced_store(asked: str | None, found: str, table: PriceTable, printer: Printer) -> str:
    from blobpipes.cli.drawing import Piece

    if asked is not None:
        return asked
    if found in table.stores and found != "local":
        return found
    why = "Requests cost nothing here" if found == "local" else "The prices of this store are unknown"
    printer.note([Piece(f"{why}, so this is at the prices of S3; --store takes others.", "dim")])
    return "s3"


def _say(tuning: Tuning, printer: Printer) -> None:
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.events import Event
    from blobpipes.cost.bill import dollars

    right = {"right": True}
    columns = [Column("interval", **right), Column("95 % within", **right), Column("on average", **right)]
    table = Table([*columns, Column("requests", **right), Column(tuning.unit, **right), Column("")])
    for point in (*tuning.ours, *tuning.official):
        printer.event(Event("setting", None, None, _fields(tuning, point)))
    for point in tuning.ours:
        style: Style = "good" if point is tuning.recommended else "strong" if point is tuning.today else "plain"
        cells = (
            f"{point.interval:g} s",
            f"{point.seconds:.1f} s",
            f"{point.forecast.latency.mean:.1f} s",
            f"{point.forecast.requests:,}",
            dollars(tuning.money(point)),
            tuning.marks(point),
        )
        table.rows.append([Piece(cell, style) for cell in cells])
    printer.note([Piece(tuning.subject, "strong")])
    printer.table(table)
    theirs = next((each for each in tuning.official if each.interval == tuning.today.interval), None)
    if theirs is not None:
        text = f"the official pair at {theirs.interval:g} s: 95 % within {theirs.seconds:.1f} s, "
        printer.note([Piece(text + f"{dollars(tuning.money(theirs))} {tuning.unit}", "dim")])
    printer.note([Piece(f"{tuning.prices.name}, prices of {tuning.collected}", "dim")])
    printer.note([tuning.verdict()])
    printer.note(["The line to paste: ", Piece(tuning.line, "strong")])
    best = {**_fields(tuning, tuning.recommended), "line": tuning.line, "verdict": tuning.verdict()}
    printer.event(Event("recommended", None, None, best))


def _fields(tuning: Tuning, point: Point) -> dict[str, object]:
    ours = point.pair == "blobpipes"
    return {
        **point.to_dict(),
        "usd_a_month": tuning.money(point),
        "jobs": tuning.jobs,
        "store": tuning.prices.key,
        "today": ours and point is tuning.today,
        "recommended": ours and point is tuning.recommended,
        "on_front": ours and point in tuning.front,
    }


def _write(path: Path, data: bytes, printer: Printer) -> None:
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.exit_codes import EXISTS, CommandError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror or error}", exit_code=EXISTS, remedy="Give another path."
        ) from error
    printer.note([Piece(f"written: {path}", "dim")])
