"""Two ways to say the same events: as JSON lines for programs, as drawn lines for people."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TextIO

from blobpipes.cli import entries
from blobpipes.cli.drawing import Line, Screen, Table
from blobpipes.cli.events import Event
from blobpipes.cli.plain_screen import PlainScreen
from blobpipes.cli.result_tables import check_table, materialization_table
from blobpipes.cli.tally import Tally
from blobpipes.cli.wording import harmless

REMEMBERED: Final = 500  # lines of stderr
LONGEST_LINE: Final = 10_000  # characters of output after which a line is broken


class Printer(Protocol):
    """Says what happens on stdout. Safe for threads."""

    @property
    def for_people(self) -> bool:
        """Words and tables are read, not only events."""

    @property
    def is_live(self) -> bool:
        """Somebody watches a status."""

    @property
    def width(self) -> int | None:
        """Columns that fit; None where any number does."""

    def event(self, event: Event) -> None:
        """One thing happened."""

    def results(self, tally: Tally) -> None:
        """For people: the table of what a session has reported."""

    def table(self, table: Table) -> None:
        """For people: a table."""

    def note(self, line: Line, *, margin: Line = ()) -> None:
        """For people: a line that is no event. With a margin it folds beside that, else it is left in one piece."""

    def status(self, status: Line | Table | None) -> None:
        """For people who watch: what stands below all lines."""

    def close(self) -> None:
        """Give the terminal back. Nothing is lost that was said before."""


class JsonPrinter:
    """One JSON object per event, one line each, and nothing else."""

    for_people = False
    is_live = False
    width = None

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def event(self, event: Event) -> None:
        with self._lock:
            self._stream.write(event.encode() + "\n")
            self._stream.flush()

    def results(self, tally: Tally) -> None:
        """Each was an event."""

    def table(self, table: Table) -> None:
        """For people."""

    def note(self, line: Line, *, margin: Line = ()) -> None:
        """For people."""

    def status(self, status: Line | Table | None) -> None:
        """For people."""

    def close(self) -> None:
        """Nothing to give back."""


class HumanPrinter:
    """Draws events as they come, one entry each."""

    for_people = True

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._begun: dict[tuple[str | None, str], Event] = {}  # the last line of a stream, without its end so far
        self._errors: deque[str] = deque(maxlen=REMEMBERED)  # what stood on stderr

    @property
    def is_live(self) -> bool:
        return self._screen.is_live

    @property
    def width(self) -> int | None:
        return self._screen.width

    def event(self, event: Event) -> None:
        with self._lock:
            if event.kind == "output":
                self._output(event)
                return
            if event.kind in ("closed", "end"):
                self._finish_lines(event.session)
            if event.kind == "closed":
                entries.draw_closed(event, self._screen, brief=self._was_on_stderr(event))
            elif event.kind in _DRAWN:
                _DRAWN[event.kind](event, self._screen)

    def results(self, tally: Tally) -> None:
        for table in (materialization_table(tally.materializations), check_table(tally.checks)):
            if table is not None:
                self._screen.line([])
                self._screen.table(table)

    def table(self, table: Table) -> None:
        self._screen.table(table)

    def note(self, line: Line, *, margin: Line = ()) -> None:
        if margin:
            self._screen.entry(margin, line)
        else:
            self._screen.line(line)

    def status(self, status: Line | Table | None) -> None:
        self._screen.status(status)

    def close(self) -> None:
        with self._lock:
            for session, _ in list(self._begun):
                self._finish_lines(session)
        self._screen.close()

    def _output(self, event: Event) -> None:
        """Whole lines only: text may be cut anywhere."""
        key = (event.session, event["stream"])
        begun = self._begun.pop(key, None)
        text = (begun["text"] if begun else "") + harmless(event["text"])
        *lines, rest = text.split("\n")
        for line in lines:
            self._line_of_output(event, line)
        if len(rest) > LONGEST_LINE:
            self._line_of_output(event, rest)
        elif rest:
            self._begun[key] = Event("output", event.session, event.at, {"stream": event["stream"], "text": rest})

    def _finish_lines(self, session: str | None) -> None:
        for key in [key for key in self._begun if key[0] == session]:
            event = self._begun.pop(key)
            self._line_of_output(event, event["text"])

    def _line_of_output(self, event: Event, line: str) -> None:
        entries.draw_output(event, line, self._screen)
        if event["stream"] == "stderr":
            self._errors.append(line.strip())

    def _was_on_stderr(self, closed: Event) -> bool:
        """Python has printed the traceback already: once is enough."""
        exception = closed["exception"]
        return exception is not None and harmless(exception["message"]).strip().split("\n")[-1].strip() in self._errors


_DRAWN: Final[Mapping[str, Callable[[Event, Screen], None]]] = {
    "session": entries.draw_session,
    "opened": entries.draw_opened,
    "log": entries.draw_log,
    "materialization": entries.draw_materialization,
    "check": entries.draw_check,
    "custom": entries.draw_custom,
    "problem": entries.draw_problem,
    "waiting": entries.draw_waiting,
    "end": entries.draw_end,
}


def make_printer(stream: TextIO, *, as_json: bool) -> Printer:
    """For programs if they ask for it; else for people, by rich where there is a terminal and the package."""
    return JsonPrinter(stream) if as_json else HumanPrinter(_screen(stream))


def _screen(stream: TextIO) -> Screen:
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        try:
            from blobpipes.cli.rich_screen import RichScreen  # the extra `cli`; everything works without it
        except ImportError:
            sys.modules.pop("blobpipes.cli.rich_screen", None)
        else:
            return RichScreen(stream)
    return PlainScreen(stream)
