"""What stands on a terminal, and on what is none."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.cells import cell_len

from blobpipes.cli.drawing import Column, Piece, Screen, Table
from blobpipes.cli.plain_screen import PlainScreen
from blobpipes.cli.printers import HumanPrinter, JsonPrinter, make_printer
from blobpipes.cli.rich_screen import RichScreen

TABLE = Table(
    [Column("name"), Column("size", right=True), Column("what", folds=True)],
    [["one", "1", Piece("word " * 30, "dim")], [Piece("[bold]two", "strong"), "22", ":smile:"]],
    title="Things",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> list[str]:
        """What was written, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue()).splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


@pytest.fixture(params=[PlainScreen, RichScreen])
def screen(request: pytest.FixtureRequest, terminal: Terminal) -> Screen:
    made: Screen = request.param(terminal)
    return made


def test_markup_and_emoji_of_others_are_only_text(screen: Screen, terminal: Terminal) -> None:
    screen.line(["[red]:smile:[/red] ", Piece("[x]", "good")])
    screen.entry(["> "], ["[/nothing] :smile:"])
    screen.table(TABLE)
    text = "\n".join(terminal.seen)
    for said in ("[red]:smile:[/red] [x]", "> [/nothing] :smile:", "[bold]two"):
        assert said in text


def test_an_entry_stays_beside_its_margin(screen: Screen, terminal: Terminal) -> None:
    screen.entry(["12:00  "], ["first\nsecond\n\nthird"])
    assert [line.rstrip() for line in terminal.seen] == ["12:00  first", "       second", "", "       third"]


def test_columns_line_up_under_their_titles(screen: Screen, terminal: Terminal) -> None:
    screen.table(Table([Column("name"), Column("size", right=True)], [["one", "1"], ["eleven", "22,000"]]))
    assert [line.rstrip() for line in terminal.seen] == ["name      size", "one          1", "eleven  22,000"]


def test_what_is_too_wide_for_a_terminal_folds(terminal: Terminal) -> None:
    screen = RichScreen(terminal)
    screen.entry(["12:00  "], ["word " * 20])
    screen.table(TABLE)
    assert max(cell_len(line) for line in terminal.seen) <= 40
    assert terminal.seen[1].startswith("       word")


def test_a_line_is_never_broken_so_that_its_url_can_be_copied(terminal: Terminal) -> None:
    url = "s3://bucket/" + "long/" * 20
    RichScreen(terminal).line([Piece(url, "name")])
    assert terminal.seen == [url]


def test_colours_are_left_out_where_nobody_wants_them(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    RichScreen(terminal).line([Piece("x", "bad")])
    assert "\x1b[1;31m" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    quiet = Terminal()
    RichScreen(quiet).line([Piece("x", "bad")])
    assert "31m" not in quiet.getvalue()


def test_a_status_stands_below_and_leaves_nothing_behind(terminal: Terminal) -> None:
    screen = RichScreen(terminal)
    screen.status(["running " * 20])
    screen.line(["a line"])
    screen.status(TABLE)
    screen.status(None)
    screen.close()
    assert "a line" in terminal.seen
    assert any("running" in line for line in terminal.seen)
    hidden, back = (terminal.getvalue().count(code) for code in ("\x1b[?25l", "\x1b[?25h"))
    assert (hidden, back) == (1, 1)  # of the cursor


def test_a_file_gets_no_status(terminal: Terminal) -> None:
    screen = PlainScreen(terminal)
    screen.status(["running"])
    screen.close()
    assert terminal.getvalue() == ""


# --- which printer for whom ---------------------------------------------------------------------------


def test_programs_that_ask_get_json_even_on_a_terminal(terminal: Terminal) -> None:
    assert isinstance(make_printer(terminal, as_json=True), JsonPrinter)


def test_a_terminal_is_drawn_on_and_a_pipe_is_not(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_printer(terminal, as_json=False).is_live
    assert not make_printer(io.StringIO(), as_json=False).is_live
    monkeypatch.setenv("TERM", "dumb")
    assert not make_printer(terminal, as_json=False).is_live


def test_without_rich_a_terminal_gets_plain_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "blobpipes.cli.rich_screen", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.setitem(sys.modules, name, None)
    printer = make_printer(terminal, as_json=False)
    assert isinstance(printer, HumanPrinter)
    assert not printer.is_live
    printer.note(["plain"])
    assert terminal.getvalue() == "plain\n"
