"""`blobpipes tail`: follow one session from anywhere until it ends."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, add_place, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Follow a session from its first message until it ends, from any machine that
can read the store. It only looks: any number of people may follow, and stopping
it does not disturb the job."""
EPILOG: Final = """\
examples:
  blobpipes tail s3://bucket/jobs                    the newest session
  blobpipes tail s3://bucket/jobs nightly-2026-11-22
  blobpipes tail 's3://bucket/jobs?interval=1s'      look every second"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `tail` takes."""
    add_place(parser)
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Follow it."""
    from blobpipes.cli.following import Following
    from blobpipes.storage.metered import Meter

    following = Following(url_of(args), args.session, printer, meter=Meter())
    return following.run(wait=True)
