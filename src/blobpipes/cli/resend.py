"""`blobpipes resend`: what could not be sent is on local disk. Send it now."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common

if TYPE_CHECKING:
    from blobpipes.cli.drawing import Table
    from blobpipes.cli.printers import Printer
    from blobpipes.errors import BlobpipesError
    from blobpipes.external.resending import Leftover

DESCRIPTION: Final = """\
Deliver the messages that stayed on this machine's disk because their process
could not reach the store until it ended, or was killed. Each message arrives
once, also if parts of them had been sent. What a running process keeps is left
alone. Credentials come from the environment, as they did for that process."""
EPILOG: Final = """\
examples:
  blobpipes resend --list
  blobpipes resend
  blobpipes resend /tmp/blobpipes-spool-1000/9f3a0c11d2e4b5a6

exit codes:
  0   nothing is left, except for what running processes keep
  65  a log had ended without them: these messages cannot be delivered any more
  75  something is left: the store cannot be reached, or the process still runs"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `resend` takes."""
    parser.add_argument(
        "directory", nargs="?", metavar="DIR", help="one folder, or the folder of all (default: BLOBPIPES_SPOOL_DIR)"
    )
    parser.add_argument("--list", action="store_true", help="show what is left, and send nothing")
    parser.add_argument(
        "--timeout", default="60s", metavar="TIME", help="how long each store is tried, such as 5m (default: 60s)"
    )
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Deliver them."""
    from blobpipes.chunklog.options import parse_options
    from blobpipes.chunklog.spool import default_spool_root
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.exit_codes import OK

    timeout = parse_options({"close_timeout": args.timeout}).close_timeout
    root = Path(args.directory).absolute() if args.directory else default_spool_root(os.environ)
    found, is_one = _found(root, is_given=args.directory is not None)
    if not found:
        printer.note([Piece(f"nothing is left in {root}", "dim")])
    if args.list:
        if found:
            printer.table(_table(found))
        for each in found:
            _say(printer, each, each.state)
        return OK
    return max((_deliver(each, timeout, printer, is_asked_for=is_one) for each in found), default=OK)


def _found(root: Path, *, is_given: bool) -> tuple[list[Leftover], bool]:
    """What is left, and whether `root` is the folder of that one alone."""
    from blobpipes.cli.exit_codes import CommandError
    from blobpipes.external.resending import leftover_in, leftovers

    if is_given and not root.is_dir():
        raise CommandError(f"there is no folder {root}", remedy="It may have been delivered; see `resend --list`.")
    one = leftover_in(root)
    return ([one], True) if one is not None else (leftovers(root), False)


def _deliver(each: Leftover, timeout: float, printer: Printer, *, is_asked_for: bool) -> int:
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.exit_codes import INCOMPLETE, OK, UNDELIVERED, of_error
    from blobpipes.cli.wording import counted
    from blobpipes.errors import BlobpipesError, FencedError, LogSealedError, UndeliveredError
    from blobpipes.external.resending import deliver

    try:
        if each.state == "unreadable":
            _complain(printer, each, "unreadable", "it does not say which log it belongs to")
            return UNDELIVERED
        if each.state == "alive":
            raise BlockingIOError
        count = deliver(each, timeout=timeout, on_warning=_warn)
    except BlockingIOError:
        _say(printer, each, "alive")
        printer.note([Piece(f"{each.path}: left alone, because its process runs", "dim")])
        return UNDELIVERED if is_asked_for else OK
    except (LogSealedError, FencedError) as error:
        _complain(printer, each, "ended", f"the log has ended, so they can go: {error.message}")
        return INCOMPLETE
    except BlobpipesError as error:
        _complain(printer, each, "left", error.message, error)
        return UNDELIVERED if isinstance(error, UndeliveredError) else of_error(error)
    _say(printer, each, "delivered", messages=count)
    printer.note([Piece(f"{each.url}: {counted(count, 'message')} delivered")])
    return OK


def _say(printer: Printer, each: Leftover, state: str, detail: str = "", messages: int | None = None) -> None:
    """For programs."""
    from blobpipes.cli.events import Event
    from blobpipes.clock import SYSTEM_CLOCK

    if printer.for_people:
        return
    fields = {
        "path": str(each.path),
        "url": each.url,
        "state": state,
        "messages": each.messages if messages is None else messages,
        "bytes": each.size,
        "unread_bytes": each.unread,
        "detail": detail,
    }
    printer.event(Event("leftover", None, SYSTEM_CLOCK.wall(), fields))


def _complain(printer: Printer, each: Leftover, state: str, text: str, error: BlobpipesError | None = None) -> None:
    from blobpipes.storage.url import redact

    line = " ".join(text.split())
    _say(printer, each, state, line)
    remedy = f"\n  remedy: {' '.join(error.remedy.split())}" if error is not None else ""
    sys.stderr.write(redact(f"{each.path}: {line}{remedy}\n"))


def _warn(text: str) -> None:
    from blobpipes.storage.url import redact

    sys.stderr.write(redact(f"{text}\n"))


def _table(found: list[Leftover]) -> Table:
    from blobpipes.cli.drawing import Column, Table
    from blobpipes.cli.wording import size

    table = Table(
        [
            Column("folder", folds=True),
            Column("log", folds=True),
            Column("state"),
            Column("messages", right=True),
            Column("size", right=True),
        ]
    )
    for each in found:
        table.rows.append(
            [str(each.path), each.url or "?", each.state, f"{each.messages:,}", size(each.size + each.unread)]
        )  # fmt: skip
    return table
