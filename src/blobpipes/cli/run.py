"""`blobpipes run`: a command under a session, shown live, judged at its end."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any, Final

from blobpipes.cli.arguments import add_common, url_of

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer

DESCRIPTION: Final = """\
Run a command under a session, here or in a place that --on names, show what it
reports while it runs, and end with the verdict and the job's exit code. The
command finds its session in the environment: open_dagster_pipes() needs no
arguments."""
EPILOG: Final = """\
examples:
  blobpipes run --url s3://bucket/jobs -- python job.py --fast
  blobpipes run --url ./jobs --asset orders --extra limit=10 -- python job.py
  blobpipes run --url s3://bucket/jobs --on ssh://me@worker -- python3 job.py
  blobpipes run --url s3://bucket/jobs --on slurm:main --set time=1:00:00 \\
    --cwd /home/me/orders --dry-run -- python3 job.py

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
    place = parser.add_argument_group("where it runs")
    place.add_argument(
        "--on",
        metavar="PLACE",
        help="ssh://USER@HOST, slurm, slurm:PARTITION, slurm://USER@LOGIN, aws-batch:QUEUE "
        "(default: BLOBPIPES_ON, or this machine)",
    )
    place.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the place; also from the environment, as BLOBPIPES_ON_NAME",
    )
    place.add_argument("--settings", metavar="FILE", help="more of them, in a TOML file")
    place.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable for the job; without a value, the one that it has here",
    )
    place.add_argument("--cwd", metavar="DIR", help="the job's working directory there")
    place.add_argument("--attach", action="store_true", help="launch nothing: see to its end what runs as --session")
    place.add_argument("--dry-run", action="store_true", help="print what would be launched, and launch nothing")
    add_common(parser)


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Run it."""
    from blobpipes.cli.places import client_for, job_variables
    from blobpipes.cli.running_job import RunningJob, checked_command
    from blobpipes.clients.place_client import PipesPlaceClient
    from blobpipes.errors import InvalidOptionError
    from blobpipes.orchestration.run_context import RunContext

    on = args.on or os.environ.get("BLOBPIPES_ON")
    command = checked_command(args.job, here=on is None)
    client: PipesPlaceClient[Any] | None = None
    if on is not None:
        client = client_for(on, given=args.set, file=args.settings, environment=os.environ)
    elif args.set or args.settings:
        raise InvalidOptionError("--set and --settings are for a place", remedy="Name it with --on.")
    if args.attach and (on is None or not args.session):
        raise InvalidOptionError("--attach needs --on and --session", remedy="Name the place and the session.")
    job = RunningJob(printer, client=client, capture=args.capture)
    spec = job.spec(command, env=job_variables(args.env), cwd=args.cwd)
    if args.dry_run:
        return job.show(spec)
    url = url_of(args)
    context = RunContext(
        asset_keys=args.asset, partition_key=args.partition, extras=dict(args.extra), log=job.logger
    )  # fmt: skip
    attach = {"attach": True} if args.attach else {}
    return job.run(spec, context, url=url, session=args.session, interval=args.interval, **attach)


def _extra(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
