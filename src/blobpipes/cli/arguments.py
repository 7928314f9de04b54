"""What the commands' arguments have in common. Standard library only, so that help is fast."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

URL_ENV_VAR: Final = "BLOBPIPES_URL"
USAGE: Final = 64


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, what to do in a second, and ends with our code for it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"error: {message}\n  remedy: See `{self.prog} --help`.\n")
        raise SystemExit(USAGE)


class Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import blobpipes

        sys.stdout.write(f"blobpipes {blobpipes.__version__}\n")
        parser.exit()


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every command takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object per line on stdout, for programs")
    parser.add_argument("-v", "--verbose", action="store_true", help="with an error, show where it came from")


def add_place(parser: argparse.ArgumentParser, *, default: str = "the newest") -> None:
    """A URL, and maybe the name of a session under it."""
    parser.add_argument(
        "url", nargs="?", metavar="URL", help=f"where sessions live, or one session's own URL (default: {URL_ENV_VAR})"
    )
    parser.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        help=f"its name, or a unique beginning or end of it (default: {default})",
    )


def url_of(args: argparse.Namespace) -> str:
    """The URL that was given, else BLOBPIPES_URL.

    Raises:
        CommandError: neither is there.
    """
    url = args.url or os.environ.get(URL_ENV_VAR)
    if not url:
        from blobpipes.cli.exit_codes import CommandError

        raise CommandError("no storage URL was given", remedy=f"Give one, or set {URL_ENV_VAR}.")
    return str(url)


def age_of(text: str) -> float:
    """Seconds in an age such as `12h` or `7d`.

    Raises:
        InvalidOptionError: something else.
    """
    from blobpipes.errors import InvalidOptionError

    units = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.replace(".", "", 1).isdigit():
        raise InvalidOptionError(f"{text!r} is not an age", remedy="Write for instance 12h, 7d or 4w.")
    return float(number) * units[unit]
