"""`blobpipes show`: one session as it stands, ended or not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from blobpipes.cli.arguments import add_common, add_place, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Print a session: what its job has logged and reported, the faults that were
stepped over, and how it ended, or how it stands if it has not ended. Times are
those at which the store got the messages."""
EPILOG: Final = """\
examples:
  blobpipes show s3://bucket/jobs                    the newest session
  blobpipes show s3://bucket/jobs nightly-2026-11-22
  blobpipes show s3://bucket/jobs/nightly-2026-11-22 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `show` takes."""
    add_place(parser)
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Read what is there, and say how it stands."""
    from blobpipes.cli.following import Following
    from blobpipes.storage.metered import Meter

    following = Following(url_of(args), args.session, printer, meter=Meter())
    return following.run(wait=False)
