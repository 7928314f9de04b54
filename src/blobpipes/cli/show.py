"""`blobpipes show`: one session as it stands, ended or not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, add_place, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Print a session: what its job has logged and reported, the faults that were
stepped over, and how it ended, or how it stands if it has not ended. Times are
those at which the store got the messages. With --html a page for a browser is
written instead: one file that needs no network."""
EPILOG: Final = """\
examples:
  blobpipes show s3://bucket/jobs                    the newest session
  blobpipes show s3://bucket/jobs nightly-2026-11-22
  blobpipes show s3://bucket/jobs/nightly-2026-11-22 --json
  blobpipes show s3://bucket/jobs nightly --html nightly.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `show` takes."""
    add_place(parser)
    parser.add_argument("--html", metavar="FILE", help="write a self-contained page instead: timeline, plots, log")
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Read what is there, and say how it stands."""
    from blobpipes.cli.following import Following
    from blobpipes.storage.metered import Meter

    if args.html is not None:
        return _write_page(args, printer)
    following = Following(url_of(args), args.session, printer, meter=Meter())
    return following.run(wait=False)


def _write_page(args: argparse.Namespace, printer: Printer) -> int:
    """The session as a page; the exit code is that of its verdict."""
    import blobpipes
    from blobpipes.cli.drawing import Piece
    from blobpipes.cli.events import Event
    from blobpipes.cli.following import Following
    from blobpipes.cli.page.collecting import PageCollector
    from blobpipes.cli.page.pricing import price_rows
    from blobpipes.cli.page.render import render
    from blobpipes.cli.page.writing import check_writable, write_whole
    from blobpipes.cli.wording import size
    from blobpipes.clock import SYSTEM_CLOCK
    from blobpipes.storage.metered import Meter

    path = Path(args.html)
    check_writable(path)
    collector = PageCollector()
    meter = Meter()
    following = Following(url_of(args), args.session, collector, meter=meter)
    code = following.run(wait=False, on_chunk=collector.chunk)
    collected = collector.collected
    collected.price = price_rows(url_of(args), following.session, following.end, meter)
    collected.requests = meter.snapshot().requests
    page = render(collected, version=blobpipes.__version__, made_at=SYSTEM_CLOCK.wall())
    write_whole(path, page)
    end = collected.end
    assert end is not None  # the session was read to where it stands
    fields = {"url": end["url"], "path": str(path.absolute()), "bytes": len(page), "state": end["state"]}
    printer.event(Event("page", end.session, SYSTEM_CLOCK.wall(), fields))
    printer.note([Piece(f"{path}, {size(len(page))}: {end['state']}")])
    return code
