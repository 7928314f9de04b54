"""`blobpipes COMMAND`: finds the command, and turns whatever goes wrong into one line and an exit code.

Nothing heavy is imported before it is needed: the help pages load nothing but argparse.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Final, TextIO

from blobpipes.cli.arguments import Parser, Version
from blobpipes.cli.quiet import replace_closed_streams, silence

COMMANDS: Final = {
    "demo": "run a year of flights through the whole pipe on this machine",
    "run": "run a command under a session and show what it reports",
    "exec": "where a job runs: run any program under supervision",
    "resend": "deliver what processes of this machine could not send",
    "tail": "follow a session from anywhere until it ends",
    "show": "print a session as it stands",
    "ls": "list the sessions under a URL",
    "cost": "what sessions have cost, or what a plan would cost",
    "tune": "what an interval costs and buys, as a table and a picture",
    "archive": "fold finished sessions into one compressed object each",
    "gc": "clean up old sessions",
}

JOBS: Final = ("demo", "run")  # which go on to their end, whoever looks
INTERRUPTED: Final = 130  # 128 + SIGINT
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE: whoever read the output has gone

DESCRIPTION: Final = """\
Run a job anywhere and see everything that it reports, through nothing but a
storage URL."""
EPILOG: Final = """\
A URL is any that fsspec knows: s3://bucket/prefix, gs://bucket/prefix,
az://container/prefix, file:///directory, or a plain path. Options follow it:
's3://bucket/jobs?interval=2s'. BLOBPIPES_URL is the default.

`blobpipes COMMAND --help` tells more about each. With BLOBPIPES_DEBUG=1 an
error shows where it came from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Never raises for what a user, a job or a store does wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    replace_closed_streams()
    _allow_any_text(sys.stdout, sys.stderr)
    try:
        with _plain_warnings():
            return _run(arguments, sys.stdout)
    except KeyboardInterrupt:  # before the command itself could take it
        return INTERRUPTED
    except SystemExit as ended:  # argparse: help, version, or a usage error that it has reported
        return ended.code if isinstance(ended.code, int) else 0
    except BrokenPipeError:
        silence(sys.stdout)
        return BROKEN_PIPE


def _run(arguments: list[str], stdout: TextIO) -> int:
    own, job = _split(arguments)
    chosen = next((word for word in own if not word.startswith("-")), None)
    module = import_module(f"blobpipes.cli.{chosen}") if chosen in COMMANDS else None
    parser = build_parser(chosen, module)
    args = parser.parse_args(own)
    if module is None:
        parser.print_help(stdout)
        return 0
    args.job = job
    from blobpipes.cli.running import run_command  # argparse was enough for the help pages

    return run_command(module.execute, args, stdout, lasting=chosen in JOBS)


def build_parser(chosen: str | None = None, module: ModuleType | None = None) -> Parser:
    """The parser of all commands; the arguments of the chosen one only, so that the others need not be loaded."""
    parser = Parser(prog="blobpipes", description=DESCRIPTION, epilog=EPILOG, formatter_class=_Help)
    parser.add_argument("--version", action=Version, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=_Help)
        if name == chosen and module is not None:
            command.description = module.DESCRIPTION
            command.epilog = module.EPILOG
            module.add_arguments(command)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples keep their lines."""


def _split(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """Our arguments, and the job's command after `--`."""
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _allow_any_text(*streams: object) -> None:
    """What a stream's encoding does not have becomes a question mark, and no error."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A warning is one line for people, not a place in our source."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"warning: {message}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


if __name__ == "__main__":
    sys.exit(main())
