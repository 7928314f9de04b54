"""Runs a Markdown page as its reader would: block by block, from the top, in an empty folder.

Blocks marked `python`, `bash` and `console` are run. Python blocks of a page share one namespace; in a
`console` block a line after `$ ` is a command and the rest is what it must print. A comment in front of
a block changes that, and the reader of the rendered page does not see it:

    <!-- file: job.py -->            the block is written to this file instead of being run
    <!-- output -->                  the block is what the block before it must print
    <!-- skip: needs a bucket -->    the block is left alone, for this reason
    <!-- setup: CODE -->             this Python is run first; it may span lines

In expected output `...` stands for any text, and white space is not compared.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = {"python", "bash", "console"}
MISSPELT = {"py", "python3", "pycon", "sh", "shell", "zsh", "shell-session"}  # would silently not be run
_BLOCK = re.compile(
    r"(?P<comments>(?:^[ ]*<!--.*?-->\s*\n)*)"
    r"^(?P<indent>[ ]*)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^[ ]*```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--\s*(file|output|skip|setup)\b:?\s*(.*?)\s*-->", re.DOTALL)
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block and what the comments in front of it say."""

    page: Path
    line: int  # of the block's first line of code, from 1
    language: str
    body: str
    orders: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        indent = match["indent"]
        body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        line = text.count("\n", 0, match.start("body")) + 1
        yield Block(page, line, match["language"], body, dict(_COMMENT.findall(match["comments"])))


@dataclass
class Reader:
    """Does what the page says, in `folder`, which is the current directory meanwhile."""

    folder: Path
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""  # by the last block that was run

    def follow(self, block: Block) -> None:
        if "setup" in block.orders:
            exec(compile(block.orders["setup"], f"{block} (setup)", "exec"), self.namespace)
        if "skip" in block.orders:
            assert block.orders["skip"], f"{block} is skipped without a reason"
        elif "file" in block.orders:
            (self.folder / block.orders["file"]).write_text(block.body, encoding="utf-8")
        elif "output" in block.orders:
            expect(block, wanted=block.body, got=self.printed)
        elif block.language in RUN:
            {"python": self.run_python, "bash": self.run_bash, "console": self.run_console}[block.language](block)
        else:
            assert block.language not in MISSPELT, f"{block}: write {sorted(RUN)}, or it is not run"

    def run_python(self, block: Block) -> None:
        code = compile("\n" * (block.line - 1) + block.body, str(block.page), "exec")  # tracebacks show the page
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, self.namespace)
        self.printed = out.getvalue()

    def run_bash(self, block: Block) -> None:
        status, self.printed = shell(f"set -euo pipefail\n{block.body}")
        assert status == 0, f"{block} ended with status {status}:\n{self.printed}"

    def run_console(self, block: Block) -> None:
        """A command without expected output must succeed; one with it must print it, in success or not."""
        for command, wanted in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block.body, re.MULTILINE):
            status, self.printed = shell(command)
            if wanted.strip():
                expect(block, wanted=wanted, got=self.printed)
            else:
                assert status == 0, f"{block}: `{command}` ended with status {status}:\n{self.printed}"


def shell(script: str) -> tuple[int, str]:
    """Exit status and all output, with this interpreter's own programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def expect(block: Block, *, wanted: str, got: str) -> None:
    same = doctest.OutputChecker().check_output(wanted.strip() + "\n", got.strip() + "\n", _LOOSELY)
    assert same, f"{block} promises\n{wanted}\nbut this was printed:\n{got}"
