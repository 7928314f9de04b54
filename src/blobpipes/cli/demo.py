"""`blobpipes demo`: the whole pipe on this machine, with a real job on real data."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Run a real job on real data: the flights that left New York in 2013, one job for
each month, several at once. Each is a process of its own that shares nothing
with this one but a storage URL: a temporary folder, or any that you give."""
EPILOG: Final = """\
examples:
  blobpipes demo
  blobpipes demo 2013-02 2013-07
  blobpipes demo --url 's3://bucket/flights?interval=2s' --parallel 6"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `demo` takes."""
    parser.add_argument("months", nargs="*", metavar="YYYY-MM", help="which months of 2013 (default: all twelve)")
    parser.add_argument("--url", metavar="URL", help="where sessions and results go (default: a new temporary folder)")
    parser.add_argument(
        "--parallel",
        type=int,
        default=max(2, min(4, os.cpu_count() or 1)),
        metavar="N",
        help="months at once (default: as many as this machine has processors, 2 to 4)",
    )
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Run the months."""
    from blobpipes.cli.year_of_flights import YearOfFlights

    return YearOfFlights(printer, url=args.url, months=args.months, parallel=args.parallel).run()
