"""What `cost` and `tune` take of a described job, and of prices. Standard library only until it is asked for."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blobpipes.chunklog.options import LogOptions
    from blobpipes.cost.forecast import Conditions
    from blobpipes.cost.trace import Workload

STORES = "s3, s3-express, gcs, azure, r2, local, or one of your own file"


def add_workload(parser: argparse.ArgumentParser) -> None:
    """A job in numbers."""
    job = parser.add_argument_group("a job in numbers")
    job.add_argument("--hours", type=float, metavar="H", help="how long a job runs")
    job.add_argument("--jobs", type=float, metavar="N", help="how many such jobs run in a month (1)")
    job.add_argument("--rate", type=float, default=1.0, metavar="R", help="messages a second (1)")
    job.add_argument("--size", type=int, default=200, metavar="BYTES", help="of a message (200)")
    job.add_argument("--results", type=int, default=1, metavar="N", help="materializations and checks of a job (1)")
    job.add_argument("--boot", default="0s", metavar="TIME", help="until the job begins: a machine that starts (0s)")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How it is sent, and what is charged for it."""
    group = parser.add_argument_group("settings and prices")
    group.add_argument("--interval", metavar="TIME", help="seconds, or 500ms, 10s, 2m (10s)")
    group.add_argument("--heartbeat", metavar="TIME", help="of a silent job; 0 for none (60s)")
    group.add_argument("--prices", metavar="FILE", help="prices of your own, as docs/cost.md tells (BLOBPIPES_PRICES)")
    group.add_argument("--region", choices=["same", "other"], default="same", help="where the orchestration side runs")
    group.add_argument("--put", default="60ms", metavar="TIME", help="that the store takes for a put (60ms)")
    group.add_argument("--get", default="30ms", metavar="TIME", help="that it takes for a get (30ms)")


def workload_of(args: argparse.Namespace) -> Workload:
    """The job that the arguments describe.

    Raises:
        InvalidOptionError: there is no such job.
    """
    from blobpipes.cost.trace import Workload

    hours = 1.0 if args.hours is None else args.hours
    return Workload(hours * 3600, args.rate, args.size, args.results, seconds_of("boot", args.boot))


def jobs_of(args: argparse.Namespace) -> float:
    """How many jobs a month the arguments mean.

    Raises:
        InvalidOptionError: no such number.
    """
    from blobpipes.errors import InvalidOptionError

    jobs = 1.0 if args.jobs is None else args.jobs
    if not (math.isfinite(jobs) and 0 < jobs <= 1e12):
        raise InvalidOptionError(f"the plan's jobs = {jobs:g} is impossible", remedy="Give a number above 0.")
    return float(jobs)


def options_of(args: argparse.Namespace, base: LogOptions | None = None) -> LogOptions:
    """The log's options with what the arguments say on top."""
    from blobpipes.chunklog.options import parse_options

    return parse_options({"interval": args.interval, "heartbeat": args.heartbeat}, base)


def conditions_of(args: argparse.Namespace) -> Conditions:
    """How fast the store is."""
    from blobpipes.cost.forecast import Conditions

    return Conditions(put=seconds_of("put", args.put), get=seconds_of("get", args.get))


def seconds_of(name: str, text: str) -> float:
    """A time such as `60ms` or `2m`, in seconds.

    Raises:
        InvalidOptionError: something else.
    """
    from blobpipes.chunklog.options import parse_options
    from blobpipes.errors import InvalidOptionError

    try:
        return parse_options({"idle": text}).idle  # a duration that may be 0
    except InvalidOptionError as error:
        raise InvalidOptionError(
            f"--{name} {text} is not a time", remedy="Write for instance 10s, 60ms or 2m."
        ) from error


def rate_in_words(rate: float) -> str:
    """For instance `2 messages a second`, `72 messages an hour`."""
    number, unit = (rate, "a second") if rate >= 0.1 or rate == 0 else (rate * 3600, "an hour")
    return f"{number:g} {'message' if number == 1 else 'messages'} {unit}"
