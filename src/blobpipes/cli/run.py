"""`blobpipes run`: a command under a session, shown live, judged at its end."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from blobpipes.cli.arguments import add_common, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Run a command on this machine under a session, show what it reports while it
runs, and end with the verdict and the job's exit code. The command finds its
session in the environment: open_dagster_pipes() needs no arguments."""
EPILOG: Final = """\
examples:
  blobpipes run --url s3://bucket/jobs -- python job.py --fast
  blobpipes run --url ./jobs --asset orders --extra limit=10 -- python job.py

exit codes:
  the job's own, or 128 and the number of the signal that ended it; else
  65  the job exited with 0, but messages are or may be missing
  1   the job exited with 0, but closed its messages with an exception
  130 after Ctrl-C, 143 after SIGTERM, 127 command not found; 64 to 78 and 126:
      no job was run (docs/cli.md says why)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `run` takes. The job's command follows `--`."""
    parser.usage = "%(prog)s [options] -- COMMAND ..."
    parser.add_argument("--url", metavar="URL", help="where sessions live (default: BLOBPIPES_URL)")
    parser.add_argument("--session", metavar="NAME", help="the session's name (default: a new one that sorts by time)")
    parser.add_argument("--asset", action="append", metavar="KEY", help="an asset that the job makes; repeat for more")
    parser.add_argument("--partition", metavar="KEY", help="the partition that the job works on")
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        type=_extra,
        metavar="NAME=VALUE",
        help="for the job's context; JSON, or else text",
    )
    parser.add_argument("--interval", metavar="TIME", help="how often the job puts a chunk, such as 2s (default: 10s)")
    parser.add_argument(
        "--capture",
        action="store_true",
        help="put the job's stdout and stderr into the session too, for those who follow from elsewhere",
    )
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Run it."""
    from blobpipes.cli.running_job import RunningJob, checked_command
    from blobpipes.orchestration.run_context import RunContext

    command = checked_command(args.job)
    url = url_of(args)
    job = RunningJob(printer, capture=args.capture)
    context = RunContext(
        asset_keys=args.asset, partition_key=args.partition, extras=dict(args.extra), log=job.logger
    )  # fmt: skip
    return job.run(command, context, url=url, session=args.session, interval=args.interval)


def _extra(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
