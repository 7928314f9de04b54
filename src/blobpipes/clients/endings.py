"""Words for how a process ended, wherever it ran."""

from __future__ import annotations

import signal
from pathlib import PurePath
from typing import Final

from blobpipes.clients.place import Cause, JobEnd

_SIGKILL_REMEDY: Final = "Often the machine ran out of memory: look at its kernel log, and give the job more."


def process_end(program: str, code: int) -> JobEnd:
    """The end of a process with this return code, below 0 if a signal killed it."""
    detail, remedy = how_it_ended(program, code)
    return JobEnd(Cause.KILLED if code < 0 else Cause.EXITED, detail, code, remedy)


def how_it_ended(program: str, code: int) -> tuple[str, str | None]:
    """One sentence on a return code, and a remedy if there is a special one."""
    program = PurePath(program).name or program
    if code < 0:
        name = signal_name(-code)
        return f"{program} was killed by {name}", _SIGKILL_REMEDY if name == "SIGKILL" else None
    if code > 128 and (name := signal_name(code - 128)).startswith("SIG"):
        remedy = _SIGKILL_REMEDY if name == "SIGKILL" else None
        return f"{program} exited with code {code} (a shell's word for killed by {name})", remedy
    return f"{program} exited with code {code}", None


def signal_name(number: int) -> str:
    """For instance `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
