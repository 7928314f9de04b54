"""`blobpipes archive`: fold finished sessions into one compressed object each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, add_place, age_of, url_of

if TYPE_CHECKING:
    from blobpipes.cli.drawing import Cell
    from blobpipes.cli.events import Event
    from blobpipes.cli.printers import Printer
    from blobpipes.errors import NotArchivedError
    from blobpipes.orchestration.archive import Archived

DESCRIPTION: Final = """\
Fold the sessions under a URL that have ended into one compressed object each.
tail, show and ls read them as before; the small objects are removed once the
archive has been read back and compared. An interruption loses nothing: the next
run finishes. A tombstone stays and tells a process that wakes up late that its
session is over. `gc` removes archives by age, like all sessions."""
EPILOG: Final = """\
examples:
  blobpipes archive s3://bucket/jobs --dry-run
  blobpipes archive s3://bucket/jobs --older-than 2w
  blobpipes archive s3://bucket/jobs nightly-2026-11-22 --older-than 0h

exit codes:
  0   done; what has not ended was left alone
  75  a session could not be folded: it was named and has not ended, it is
      damaged, or too large for one object. It is as it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `archive` takes."""
    add_place(parser, default="all that have ended")
    parser.add_argument(
        "--older-than", default="1d", metavar="AGE", help="for instance 12h or 4w; 0h for all that have ended (1d)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be folded")
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Fold them, and say what that saves."""
    from blobpipes.cli.drawing import Column, Piece, Table
    from blobpipes.cli.exit_codes import OK, UNDELIVERED
    from blobpipes.orchestration.archive import archive

    right = {"right": True}
    columns = [Column("session", folds=True), Column("was"), Column("objects", **right), Column("size", **right)]
    table = Table([*columns, Column("now", folds=True)])
    found = []
    for each in archive(url_of(args), session=args.session, older_than=age_of(args.older_than), dry_run=args.dry_run):
        found.append(each)
        printer.event(_event(each, args.dry_run)) if args.json else None
        if _is_news(each, named=args.session is not None):
            table.rows.append(_row(each))
    if args.session is not None and found[0].folded is None:
        raise _refused(found[0])
    if table.rows:
        printer.table(table)
    printer.note([Piece(_sum(found, args.dry_run), "dim")])
    left = any(each.remedy for each in found)
    for remedy in dict.fromkeys(each.remedy for each in found if each.remedy):
        printer.note([Piece(f"  remedy: {remedy}", "warning")])
    return UNDELIVERED if left else OK


def _refused(each: Archived) -> NotArchivedError:
    """A session that was named, and cannot be folded as it stands."""
    from blobpipes.errors import NotArchivedError

    remedy = "Archive it once it has ended and is as old as --older-than says; `blobpipes show` says how it stands."
    return NotArchivedError(
        f"{each.name} was left as it is ({each.state}): {each.reason}", remedy=each.remedy or remedy
    )


def _is_news(each: Archived, *, named: bool) -> bool:
    """Whether it is worth a line: nobody wants to read of all that was archived before, or still runs."""
    if each.folded is None:
        return named or bool(each.remedy)
    return named or each.folded.action != "already"


def _row(each: Archived) -> list[Cell]:
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.wording import size

    folded = each.folded
    if folded is None:
        return [each.name, each.state, "", "", Piece(each.reason, "warning")]
    after = "" if folded.bytes_after is None else size(folded.bytes_after)
    now = "archived before" if folded.action == "already" else f"{folded.objects_after:,} objects, {after}".rstrip(", ")
    return [each.name, each.state, f"{folded.objects_before:,}", size(folded.bytes_before), now]


def _sum(found: list[Archived], dry_run: bool) -> str:
    """The savings of all in one line."""
    from blobpipes.cli.wording import counted, size

    done = [each.folded for each in found if each.folded is not None and each.folded.action != "already"]
    objects = sum(each.objects_before - each.objects_after for each in done)
    doing = "would be archived" if dry_run else "archived"
    said = f"{counted(len(done), 'session')} {doing}, {counted(objects, 'object')} fewer"
    if done and not dry_run:
        before, after = sum(each.bytes_before for each in done), sum(each.bytes_after or 0 for each in done)
        said += f", {size(before)} became {size(after)}"
    already = sum(1 for each in found if each.folded is not None and each.folded.action == "already")
    left = sum(1 for each in found if each.folded is None)
    said += f"; {already:,} archived before" if already else ""
    return said + (f"; {left:,} left as they are" if left else "")


def _event(each: Archived, dry_run: bool) -> Event:
    from blobpipes.cli.events import Event

    folded = each.folded
    fields = {
        "url": each.url,
        "state": each.state,
        "action": "left" if folded is None else folded.action,
        "reason": each.reason or None,
        "remedy": each.remedy or None,
        "objects": folded.objects_before if folded else None,
        "bytes": folded.bytes_before if folded else None,
        "objects_after": folded.objects_after if folded else None,
        "bytes_after": folded.bytes_after if folded else None,
        "dry_run": dry_run,
    }
    return Event("archived", each.name, None, fields)
