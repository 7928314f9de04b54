"""For commands that run jobs: whoever reads their output may leave, and the job goes on."""

from __future__ import annotations

from collections.abc import Callable

from blobpipes.cli.drawing import Line, Table
from blobpipes.cli.events import Event
from blobpipes.cli.printers import Printer
from blobpipes.cli.tally import Tally


class LastingPrinter:
    """`inner`, until its stream breaks; from then on silence."""

    def __init__(self, inner: Printer) -> None:
        self._inner = inner
        self.is_broken = False

    @property
    def for_people(self) -> bool:
        return self._inner.for_people

    @property
    def is_live(self) -> bool:
        return self._inner.is_live and not self.is_broken

    @property
    def width(self) -> int | None:
        return self._inner.width

    def event(self, event: Event) -> None:
        self._try(lambda: self._inner.event(event))

    def results(self, tally: Tally) -> None:
        self._try(lambda: self._inner.results(tally))

    def table(self, table: Table) -> None:
        self._try(lambda: self._inner.table(table))

    def note(self, line: Line, *, margin: Line = ()) -> None:
        self._try(lambda: self._inner.note(line, margin=margin))

    def status(self, status: Line | Table | None) -> None:
        self._try(lambda: self._inner.status(status))

    def close(self) -> None:
        self._try(self._inner.close)

    def _try(self, say: Callable[[], None]) -> None:
        if not self.is_broken:
            try:
                say()
            except BrokenPipeError:
                self.is_broken = True
