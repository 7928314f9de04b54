"""`blobpipes ls`: which sessions are under a URL, and how do they stand?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, url_of

if TYPE_CHECKING:
    from blobpipes.cli.drawing import Table
    from blobpipes.cli.printers import Printer
    from blobpipes.orchestration.catalog import SessionSummary

DESCRIPTION: Final = """\
List the sessions under a URL, the newest first, with their state: waiting,
running, silent, complete, failed, truncated, damaged or cleaned. Costs one
LIST, and a GET or two for each session shown."""
EPILOG: Final = """\
examples:
  blobpipes ls s3://bucket/jobs
  blobpipes ls ./sessions --limit 5 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `ls` takes."""
    parser.add_argument("url", nargs="?", metavar="URL", help="where sessions live (default: BLOBPIPES_URL)")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="show at most N sessions; 0 for all (50)")
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """List them."""
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.events import Event
    from blobpipes.cli.exit_codes import OK
    from blobpipes.cli.wording import counted
    from blobpipes.clock import SYSTEM_CLOCK
    from blobpipes.orchestration.catalog import SessionCatalog

    catalog = SessionCatalog(url_of(args))
    limit = args.limit if args.limit > 0 else None
    found = catalog.summaries(limit + 1 if limit else None)
    shown, more = found[:limit], len(found) > len(found[:limit])
    for each in shown:
        if args.json:
            printer.event(Event("session", each.name, each.created, _fields(each)))
    if shown:
        printer.table(_table(shown, SYSTEM_CLOCK.wall()))
    else:
        printer.note([Piece(f"no sessions under {catalog.url}", "dim")])
    if more:
        printer.note(
            [Piece(f"and older ones; --limit {2 * len(shown)} shows {counted(2 * len(shown), 'session')}", "dim")]
        )
    return OK


def _fields(each: SessionSummary) -> dict[str, object]:
    from blobpipes.cli.wording import iso_time

    return {
        "url": each.url,
        "state": each.standing.state,
        "detail": each.standing.detail,
        "created": iso_time(each.created),
        "last_chunk": iso_time(each.last_at),
        "messages": each.messages,
        "chunks": each.chunks,
        "bytes": each.bytes,
        "archived": iso_time(each.archived_at),
    }


def _table(found: list[SessionSummary], now: float) -> Table:
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.entries import state_style
    from blobpipes.cli.wording import age, size

    table = Table(
        [
            Column("session", folds=True),
            Column("state"),
            Column("age", right=True),
            Column("messages", right=True),
            Column("chunks", right=True),
            Column("size", right=True),
        ]
    )
    for each in found:
        state = each.standing.state
        since = f" {age(now - each.last_at)}" if state == "silent" and each.last_at is not None else ""
        since_created = age(now - each.created) if each.created is not None else "?"
        messages = "?" if each.messages is None else f"{each.messages:,}"
        style = state_style(state)
        since += ", archived" if each.archived_at is not None else ""
        table.rows.append(
            [each.name, Piece(state + since, style), since_created, messages, f"{each.chunks:,}", size(each.bytes)]
        )
    return table
