"""`blobpipes exec`: on the machine that runs the job, any program under supervision."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from blobpipes.cli.printers import Printer
    from blobpipes.errors import WriterError
    from blobpipes.external.supervisor.supervise import Outcome

DESCRIPTION: Final = """\
Run a program in any language where an orchestration process has launched this
command, and see it to its end: what it prints and reports is kept on local disk
and sent from here, signals are passed on, and how it ended is told even if it
was killed. The program reports through the library, or by appending lines to
the file that BLOBPIPES_MESSAGES_FILE names:

  echo '{"method":"log","params":{"message":"hello"}}' \\
    >> "$BLOBPIPES_MESSAGES_FILE"

Not launched by anybody, the program is run all the same."""
EPILOG: Final = """\
examples:
  blobpipes exec -- ./job.sh
  blobpipes exec -- python job.py --fast

exit codes:
  the program's own, or 128 and the number of the signal that ended it; else
  75  the program exited with 0, but not all that it said could be sent
  126, 127  the program cannot be started; there is no such program
  64 to 78: nothing was run (docs/cli.md says why)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `exec` takes. The program follows `--`."""
    parser.usage = "%(prog)s [options] -- COMMAND ..."
    parser.add_argument(
        "--spool",
        choices=("wal", "spill", "off"),
        help="what goes to local disk: every message (wal, the default), what memory does not hold, or nothing",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="with an error, show where it came from")
    parser.set_defaults(json=True)  # stdout is the program's: no screen is drawn


def execute(args: argparse.Namespace, printer: Printer) -> int:
    """Run it; its exit code."""
    from blobpipes.cli.exit_codes import INTERRUPTED, USAGE, CommandError
    from blobpipes.errors import DagsterPipesError
    from blobpipes.external.supervisor.supervise import supervise

    if not args.job:
        raise CommandError("no command was given", remedy="Put it after --, as in: blobpipes exec -- ./job.sh")
    try:
        outcome = supervise(args.job, spool=args.spool)
    except DagsterPipesError as error:
        raise CommandError(error.message, exit_code=USAGE, remedy=error.remedy) from error
    except KeyboardInterrupt:
        sys.stderr.write("interrupted before all was sent\n  remedy: Deliver the rest: blobpipes resend\n")
        return INTERRUPTED
    except OSError as error:
        raise CommandError(
            f"the messages file cannot be made: {error}",
            remedy="Name a folder on a disk with room by BLOBPIPES_SPOOL_DIR.",
        ) from error
    return _judged(outcome)


def _judged(outcome: Outcome) -> int:
    """Say what went wrong on our side; the exit code."""
    from blobpipes.cli.exit_codes import UNDELIVERED, CommandError

    ending, failure = outcome.ending, outcome.failure
    if failure is not None and ending.exit_code:
        _tell(failure)
    if ending.problem is not None:
        raise CommandError(
            ending.problem, exit_code=ending.exit_code, remedy="Check its spelling and the PATH, or give its path."
        )
    if failure is not None and not ending.exit_code:
        raise CommandError(failure.message, exit_code=UNDELIVERED, remedy=failure.remedy) from failure
    return ending.exit_code


def _tell(failure: WriterError) -> None:
    from blobpipes.storage.url import redact

    sys.stderr.write(redact(f"blobpipes exec: {' '.join(failure.message.split())}\n"))
