"""Lines of text, for files, pipes, and terminals without rich."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TextIO

from blobpipes.cli.drawing import Column, Line, Table, plain_text, text_of


class PlainScreen:
    """Writes each line at once, as it is."""

    is_live = False
    width = None

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def line(self, line: Line) -> None:
        self._write([plain_text(line).rstrip()])

    def entry(self, margin: Line, body: Line) -> None:
        head = plain_text(margin)
        first, *rest = plain_text(body).split("\n")
        self._write([(head + first).rstrip(), *((" " * len(head) + line).rstrip() for line in rest)])

    def table(self, table: Table) -> None:
        rows = [[text_of(cell) for cell in row] for row in table.rows]
        titles = [column.title for column in table.columns]
        widths = [max(len(row[at]) for row in [titles, *rows]) for at in range(len(titles))]
        heading = [titles] if any(titles) else []
        lines = [_aligned(row, table.columns, widths) for row in [*heading, *rows]]
        self._write(([table.title] if table.title else []) + lines)

    def status(self, status: Line | Table | None) -> None:
        """Nothing: a file keeps no place for it."""

    def close(self) -> None:
        """Nothing to give back."""

    def _write(self, lines: Sequence[str]) -> None:
        with self._lock:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


def _aligned(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if column.right else text.ljust(width)
        for text, column, width in zip(row, columns, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()
