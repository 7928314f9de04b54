"""`blobpipes cost`: what did these sessions cost, and what would a plan cost?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from blobpipes.cli.arguments import add_common
from blobpipes.cli.workloads import (
    STORES,
    add_options,
    add_workload,
    conditions_of,
    jobs_of,
    options_of,
    rate_in_words,
    workload_of,
)

if TYPE_CHECKING:
    from blobpipes.cli.drawing import Cell
    from blobpipes.cli.printers import Printer
    from blobpipes.cost.bill import Cost
    from blobpipes.cost.forecast import Forecast
    from blobpipes.cost.tuner import Pair
    from blobpipes.orchestration.recordings import Recording

DESCRIPTION: Final = """\
With a URL: what its sessions have asked of the store, and what that costs. The
job's half was counted by the job; the orchestration side's half is estimated.
With --hours: what a plan would cost in a month on each store, and how late its
messages would come, beside the official pair at the same interval."""
EPILOG: Final = """\
examples:
  blobpipes cost s3://bucket/jobs
  blobpipes cost s3://bucket/jobs nightly-2026-11-22 --json
  blobpipes cost ./jobs --store s3                   had it been in S3
  blobpipes cost --jobs 1000 --hours 2 --interval 10s"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `cost` takes."""
    parser.add_argument("url", nargs="?", metavar="URL", help="where sessions live (default: BLOBPIPES_URL)")
    parser.add_argument("session", nargs="?", metavar="SESSION", help="only this one; a unique part of its name")
    parser.add_argument("--store", metavar="NAME", help=f"at the prices of {STORES}")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most N sessions; 0 for all (50)")
    add_workload(parser)
    add_options(parser)
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """A plan, or what there is."""
    if args.hours is not None or args.jobs is not None:
        return _plan(args, printer)
    return _sessions(args, printer)


# --- what sessions have cost ---------------------------------------------------------------------------


def _sessions(args: argparse.Namespace, printer: Printer) -> int:
    from blobpipes.cli.arguments import url_of
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.events import Event
    from blobpipes.cli.exit_codes import OK
    from blobpipes.cli.wording import counted
    from blobpipes.cost.bill import dollars, price
    from blobpipes.cost.price_files import load_prices
    from blobpipes.orchestration.catalog import SessionCatalog
    from blobpipes.orchestration.recordings import read_recording
    from blobpipes.orchestration.session_place import parse_storage
    from blobpipes.storage.metered import Meter

    table, url, meter = load_prices(args.prices), url_of(args), Meter()
    catalog = SessionCatalog(url, meter=meter)
    store = table.require(args.store).key if args.store else parse_storage(url, None, {}).price_key
    names = [args.session] if args.session else [each.name or None for each in catalog.footprints()]
    shown = names[: args.limit] if args.limit > 0 else names
    right = {"right": True}
    columns = [Column("session", folds=True), Column("requests", **right), Column("job", **right)]
    drawn = Table([*columns, Column("orchestration", **right), Column("together", **right)])
    total, notes = 0.0, dict[str, None]()
    for name in shown:
        recording = read_recording(catalog.find(name), meter)
        cost = price(recording.ledger(conditions_of(args)), store=store, table=table, region=args.region)
        total += cost.usd
        notes.update(dict.fromkeys(recording.caveats))
        printer.event(Event("cost", recording.name, None, _fields(recording, cost)))
        drawn.rows.append(_row(recording, cost))
    prices = table.of(store)
    if drawn.rows:
        printer.table(drawn)
        priced = dollars(total) if prices.is_known else "an unknown price"
        what = f"{counted(len(drawn.rows), 'session')}: {priced} on {prices.name}, prices of {table.collected}"
        printer.note([Piece(what, "strong")])
    else:
        printer.note([Piece(f"no sessions under {catalog.url}", "dim")])
    for note in notes:
        printer.note([Piece(f"  {note}", "dim")])
    if len(shown) < len(names):
        left = counted(len(names) - len(shown), "older session")
        printer.note([Piece(f"  {left} left out; --limit 0 shows all", "dim")])
    if store == "local":
        printer.note([Piece("  requests cost nothing here; --store s3 shows what they would cost there", "dim")])
    return OK


def _fields(recording: Recording, cost: Cost) -> dict[str, Any]:
    fields = cost.to_dict()
    fields["worker"] = None if recording.worker is None else fields["worker"]
    return {
        "url": recording.url,
        **fields,
        "known": cost.prices.is_known and recording.worker is not None,
        "notes": recording.caveats,
        "chunks": recording.chunks,
    }


def _row(recording: Recording, cost: Cost) -> list[Cell]:
    from blobpipes.cost.bill import dollars

    def priced(usd: float) -> str:
        return dollars(usd) if cost.prices.is_known else "unknown"

    at_least = "" if recording.worker is not None else "≥ "
    return [
        recording.name,
        f"{cost.ledger.total.total:,}",
        at_least + priced(cost.worker_usd),
        "~ " + priced(cost.reader_usd),
        priced(cost.usd),
    ]


# --- what a plan would cost ----------------------------------------------------------------------------


def _plan(args: argparse.Namespace, printer: Printer) -> int:
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.events import Event
    from blobpipes.cli.exit_codes import OK, CommandError
    from blobpipes.cli.wording import counted
    from blobpipes.cost.bill import dollars, price
    from blobpipes.cost.price_files import load_prices
    from blobpipes.cost.tuner import as_late, forecast

    if args.url:
        raise CommandError(
            "a plan (--hours, --jobs) has no URL", remedy="Leave the URL out, or ask for its sessions without a plan."
        )
    table, jobs, job = load_prices(args.prices), jobs_of(args), workload_of(args)
    options, conditions = options_of(args), conditions_of(args)
    wanted = [args.store] if args.store else [key for key in table.stores if key != "local"]
    stores = [table.require(key) for key in wanted]
    theirs = forecast("official", job, options, conditions)
    slower = as_late(job, options, theirs.latency.mean, conditions=conditions)
    plans: list[tuple[Pair, float, Forecast]] = [
        ("blobpipes", options.interval, forecast("blobpipes", job, options, conditions)),
        ("official", options.interval, theirs),
        ("blobpipes", slower[0], slower[1]),
    ]
    titles = ("blobpipes", "the official pair", "blobpipes, as late as that")
    drawn = Table([Column("a month on"), *(Column(title, right=True) for title in titles)])
    for prices in stores:
        row: list[Cell] = [prices.name]
        for pair, interval, found in plans:
            cost = price(found.ledger, store=prices.key, table=table, region=args.region)
            fields = {"pair": pair, "store": prices.key, "store_name": prices.name, "prices_of": cost.collected}
            money = {"usd_a_job": cost.usd, "usd_a_month": cost.usd * jobs, "jobs": jobs}
            settings = {"interval": interval, "region": args.region}
            printer.event(Event("plan", None, None, {**fields, **money, **settings, **found.to_dict()}))
            row.append(dollars(cost.usd * jobs))
        drawn.rows.append(row)
    drawn.rows.append(["with an interval of", *(f"{interval:g} s" for _, interval, _ in plans)])
    drawn.rows.append(["messages come after, on average", *(f"{found.latency.mean:.1f} s" for *_, found in plans)])
    drawn.rows.append(["and 95 of 100 within", *(f"{found.latency.p95:.1f} s" for *_, found in plans)])
    printer.table(drawn)
    what = f"{counted(round(jobs), 'job')} a month of {job.seconds / 3600:g} h, {rate_in_words(job.rate)}"
    printer.note([Piece(f"{what}; prices of {table.collected}", "dim")])
    if theirs.lost:
        lost = counted(theirs.lost, "message")
        printer.note([Piece(f"  of each job the official reader would never see {lost}", "warning")])
    return OK
