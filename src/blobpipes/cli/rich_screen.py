"""A terminal, drawn by rich: colours, tables that fold, and a status that changes in place."""

from __future__ import annotations

import threading
from typing import Any, Final, NoReturn, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from blobpipes.cli.drawing import Cell, Line, Style, Table, style_of, text_of
from blobpipes.clock import SYSTEM_CLOCK, Clock

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
_QUIETLY: Final[Any] = {"transient": True, "redirect_stdout": False, "redirect_stderr": False}

FRAMES: Final = 8  # drawings of the status a second
TOGETHER: Final = 0.05  # seconds within which entries are drawn together; a status tick draws the last of them
AT_MOST: Final = 200  # entries drawn together


class RichScreen:
    """Writes to a terminal. Of many entries at once it draws some together, because drawing is slow."""

    is_live = True

    def __init__(self, stream: TextIO, clock: Clock = SYSTEM_CLOCK) -> None:
        self._console = _Console(file=stream, highlight=False, markup=False, emoji=False)
        self._clock = clock
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._waiting: list[Text] = []
        self._drawn_at = -TOGETHER

    @property
    def width(self) -> int:
        return self._console.width

    def line(self, line: Line) -> None:
        with self._lock:
            self._draw_waiting()
            self._console.print(_text(line), soft_wrap=True)

    def entry(self, margin: Line, body: Line) -> None:
        head, text = _text(margin), _text(body)
        whole = Text.assemble(head, text)
        fits = "\n" not in text.plain and whole.cell_len <= self._console.width
        with self._lock:
            if fits:
                self._waiting.append(whole)
                self._draw_if_due()
            else:
                self._draw_waiting()
                self._console.print(_beside(head, text))

    def table(self, table: Table) -> None:
        with self._lock:
            self._draw_waiting()
            self._console.print(_table(table))

    def status(self, status: Line | Table | None) -> None:
        with self._lock:
            self._draw_if_due()
            if status is None:
                self.close()
            elif self._live is not None:
                self._live.update(self._drawn(status))  # drawn by its own thread, a few times a second
            else:
                self._live = Live(self._drawn(status), console=self._console, refresh_per_second=FRAMES, **_QUIETLY)
                self._live.start(refresh=True)

    def close(self) -> None:
        with self._lock:
            self._draw_waiting()
            live, self._live = self._live, None
            if live is not None:
                live.update("")
                live.stop()

    def _drawn(self, status: Line | Table) -> RenderableType:
        if isinstance(status, Table):
            return Group("", _table(status))
        text = _text(status)
        text.truncate(self._console.width - 1, overflow="ellipsis")
        return text

    def _draw_if_due(self) -> None:
        if len(self._waiting) >= AT_MOST or self._clock.monotonic() - self._drawn_at >= TOGETHER:
            self._draw_waiting()

    def _draw_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._console.print(Text("\n").join(waiting))
            self._drawn_at = self._clock.monotonic()


class _Console(Console):
    """A console whose broken pipe is the command's business."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _text(line: Line) -> Text:
    return Text.assemble(*((text_of(cell), _STYLES[style_of(cell)]) for cell in line))


def _beside(head: Text, text: Text) -> RenderableType:
    grid = RichTable.grid()
    grid.add_column(no_wrap=True, width=head.cell_len)
    grid.add_column(overflow="fold", ratio=1)
    grid.add_row(head, text)
    return grid


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
