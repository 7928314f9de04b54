"""What can be drawn: lines of styled pieces, tables of cells, and one status that changes in place.

The words are chosen elsewhere; a screen decides how they look. `plain_screen.py` needs nothing but a stream,
`rich_screen.py` a terminal and the package rich.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Style: TypeAlias = Literal["plain", "dim", "strong", "good", "bad", "warning", "info", "name"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text in one style."""

    text: str
    style: Style = "plain"


Cell: TypeAlias = str | Piece
Line: TypeAlias = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. One that may fold gives way where the screen is narrow."""

    title: str
    right: bool = False
    folds: bool = False


@dataclass(slots=True)
class Table:
    """Rows of cells under titles."""

    columns: Sequence[Column]
    rows: list[Line] = field(default_factory=list)
    title: str = ""


class Screen(Protocol):
    """Where people look. Safe for threads."""

    @property
    def is_live(self) -> bool:
        """A status is shown, so it is worth making one often."""

    @property
    def width(self) -> int | None:
        """Columns that fit; None where any number does."""

    def line(self, line: Line) -> None:
        """Write one line, never broken by us: URLs in it can be copied."""

    def entry(self, margin: Line, body: Line) -> None:
        """Write `body` beside `margin`: where it breaks or folds, it stays in its column."""

    def table(self, table: Table) -> None:
        """Write a table."""

    def status(self, status: Line | Table | None) -> None:
        """What stands below all lines, in place of what stood there before; None removes it."""

    def close(self) -> None:
        """Remove the status and give the terminal back."""


def plain_text(line: Line) -> str:
    """The line without styles."""
    return "".join(text_of(cell) for cell in line)


def text_of(cell: Cell) -> str:
    """The cell's text without its style."""
    return cell if isinstance(cell, str) else cell.text


def style_of(cell: Cell) -> Style:
    """The cell's style."""
    return "plain" if isinstance(cell, str) else cell.style
