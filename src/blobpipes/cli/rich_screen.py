"""A terminal, drawn by rich: colours, tables that fold, and a status that changes in place."""

from __future__ import annotations

from typing import Final, NoReturn, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from blobpipes.cli.drawing import Cell, Line, Style, Table, style_of, text_of

_STYLES: Final[dict[Style, str]] = {
    "plain": "",
    "dim": "bright_black",
    "strong": "bold",
    "good": "green",
    "bad": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "name": "cyan",
}
_FRAMES: Final = 8  # drawings of the status a second


class RichScreen:
    """Writes to a terminal."""

    is_live = True

    def __init__(self, stream: TextIO) -> None:
        self._console = _Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None

    @property
    def width(self) -> int:
        return self._console.width

    def line(self, line: Line) -> None:
        self._console.print(_text(line), soft_wrap=True)

    def entry(self, margin: Line, body: Line) -> None:
        head, text = _text(margin), _text(body)
        whole = Text.assemble(head, text)
        if "\n" not in text.plain and whole.cell_len <= self._console.width:
            self._console.print(whole)  # by far the most, and ten times as fast
            return
        grid = RichTable.grid()
        grid.add_column(no_wrap=True, width=head.cell_len)
        grid.add_column(overflow="fold", ratio=1)
        grid.add_row(head, text)
        self._console.print(grid)

    def table(self, table: Table) -> None:
        self._console.print(_table(table))

    def status(self, status: Line | Table | None) -> None:
        if status is None:
            self.close()
            return
        drawn = Group("", _table(status)) if isinstance(status, Table) else _fitting(status, self._console.width)
        if self._live is not None:
            self._live.update(drawn)  # drawn by its own thread, a few times a second
            return
        self._live = Live(
            drawn,
            console=self._console,
            refresh_per_second=_FRAMES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.update("")
            live.stop()


class _Console(Console):
    """A console whose broken pipe is the command's business."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _text(line: Line) -> Text:
    return Text.assemble(*((text_of(cell), _STYLES[style_of(cell)]) for cell in line))


def _fitting(line: Line, width: int) -> Text:
    text = _text(line)
    text.truncate(width - 1, overflow="ellipsis")
    return text


def _table(table: Table) -> RenderableType:
    drawn = RichTable(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(column.title for column in table.columns)
    )
    for column in table.columns:
        drawn.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "ellipsis",
            ratio=1 if column.folds else None,
            header_style="bright_black",
        )
    for row in table.rows:
        drawn.add_row(*(_cell(cell) for cell in row))
    return Group(Text(table.title, "bold"), drawn) if table.title else drawn


def _cell(cell: Cell) -> Text:
    return Text(text_of(cell), _STYLES[style_of(cell)])
