"""`blobpipes gc`: clean up old sessions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, age_of, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Clean up the sessions under a URL whose last chunk is older than an age. A
session is emptied first: its first chunk becomes a tombstone, which tells a
process that wakes up late that its session is over. A later run removes what
is still there and as old again. Archives are removed by the same ages; what
others keep beside a session is left alone."""
EPILOG: Final = """\
examples:
  blobpipes gc s3://bucket/jobs --dry-run
  blobpipes gc s3://bucket/jobs --older-than 30d"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `gc` takes."""
    parser.add_argument("url", nargs="?", metavar="URL", help="where sessions live (default: BLOBPIPES_URL)")
    parser.add_argument("--older-than", default="7d", metavar="AGE", help="for instance 12h or 30d (7d)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Clean up, and say what went."""
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.events import Event
    from blobpipes.cli.exit_codes import OK
    from blobpipes.cli.wording import age, counted, size
    from blobpipes.orchestration.cleanup import collect

    right = {"right": True}
    columns = [Column("session", folds=True), Column("was"), Column("age", **right), Column("objects", **right)]
    table = Table([*columns, Column("size", **right), Column("now")])
    objects = total = 0
    for each in collect(url_of(args), older_than=age_of(args.older_than), dry_run=args.dry_run):
        fields = {"url": each.url, "state": each.state, "action": each.action, "objects": each.objects}
        if args.json:
            printer.event(Event("collected", each.name, None, {**fields, "bytes": each.bytes, "dry_run": args.dry_run}))
        table.rows.append([each.name, each.state, age(each.age), f"{each.objects:,}", size(each.bytes), each.action])
        objects, total = objects + each.objects, total + each.bytes
    if table.rows:
        printer.table(table)
    doing = "would go" if args.dry_run else "gone"
    what = f"{counted(len(table.rows), 'session')}, {counted(objects, 'object')} and {size(total)} {doing}"
    printer.note([Piece(what, "dim")])
    return OK
