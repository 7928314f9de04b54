"""Writes the help pages into docs/cli.md: `python -m tests.cli.help_pages` after a change of an argument."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

from blobpipes.cli.main import main

PAGE = Path(__file__).parents[2] / "docs/cli.md"
_PLACE = re.compile(r"<!-- help: (?P<command>\w+) -->\n(?:\n```text\n.*?\n```\n)?", re.DOTALL)


def with_help_pages(text: str) -> str:
    """The page with every help page as it is now."""
    return _PLACE.sub(
        lambda found: f"{found[0].splitlines()[0]}\n\n```text\n{help_page(found['command'])}\n```\n", text
    )


def help_page(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main([command, "--help"])
    return out.getvalue().strip()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    PAGE.write_text(with_help_pages(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
