"""Every line of the shells as a switch point, and which of their lines were run.

Locks and waits are where threads *should* meet. What happens where somebody forgot a lock shows only when a thread
is interrupted between any two lines, as the interpreter may do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from blobpipes.chunklog import reader, reader_core, writer, writer_buffer, writer_core
from blobpipes.orchestration import poller
from tests.simulation.kernel import Simulation

SHELLS: Final = (writer, reader, poller)
WATCHED: Final = frozenset(str(module.__file__) for module in (*SHELLS, reader_core, writer_core, writer_buffer))

Trace = Callable[[FrameType, str, Any], Any]


def line_by_line(simulation: Simulation, ran: Callable[[CodeType, int], None]) -> Trace:
    """For `sys.settrace`: switches now and then, and tells which lines are run."""

    def on_line(frame: FrameType, event: str, argument: object) -> Trace:
        if event == "line":
            ran(frame.f_code, frame.f_lineno)
            if simulation.line_chance and simulation.chance.random() < simulation.line_chance:
                simulation.switch()
        return on_line

    def on_call(frame: FrameType, event: str, argument: object) -> Trace | None:
        return on_line if frame.f_code.co_filename in WATCHED else None

    return on_call


@cache
def lines_of_shells() -> frozenset[tuple[str, str, int]]:
    """All lines of the shells' functions that do something: (file, function, line)."""
    return frozenset(line for module in SHELLS for line in _lines_of(_compiled(str(module.__file__))))


def _compiled(path: str) -> CodeType:
    return compile(Path(path).read_text(encoding="utf-8"), path, "exec")


def _lines_of(code: CodeType) -> set[tuple[str, str, int]]:
    found = set()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found |= _lines_of(inner)
    if code.co_name not in ("<module>",) and not _is_class_body(code):
        first = code.co_firstlineno
        found |= {(code.co_filename, code.co_name, line) for _, _, line in code.co_lines() if line and line != first}
    return found


def _is_class_body(code: CodeType) -> bool:
    return "__qualname__" in code.co_names and "__module__" in code.co_names
