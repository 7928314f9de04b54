"""How a supervised program ended: as an exit code, and as the exception that `closed` carries."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

from blobpipes.wire.exceptions import PipesException

NOT_EXECUTABLE: Final = 126  # as in a shell
NOT_FOUND: Final = 127


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a program, or why it never began."""

    code: int  # the exit code; below 0 the signal that killed it
    ran_out_of_memory: bool = False  # the kernel has killed a process of the program for want of memory
    patience: float | None = None  # seconds after SIGTERM at which it was killed, if it had to be
    problem: str | None = None  # why it could not be started

    @property
    def exit_code(self) -> int:
        """As a shell tells it: 128 and the number of the signal that killed it."""
        return self.code if self.code >= 0 else 128 - self.code

    def describe(self) -> str:
        """In a few words, for instance `exited with code 3`."""
        if self.problem is not None:
            return self.problem
        if self.code >= 0:
            memory = ": the kernel killed a process of it, out of memory" if self.ran_out_of_memory else ""
            return f"exited with code {self.code}{memory}"
        if self.ran_out_of_memory and self.code == -signal.SIGKILL:
            return "killed by the kernel: out of memory"
        late = f", because SIGTERM did not end it within {self.patience:g} s" if self.patience is not None else ""
        return f"killed by {signal_name(-self.code)}{late}"

    def exception(self, reported: PipesException | None) -> PipesException | None:
        """What to close with. `reported`: what the program's own library closed with.

        That one tells most, so it stays what it is, unless a signal ended the program afterwards.
        """
        if self.code == 0 or (self.code > 0 and reported is not None):
            return reported
        return {
            "message": self.describe(),
            "stack": [],
            "name": "ProcessKilled" if self.code < 0 else "ProcessFailed",
            "cause": reported,
            "context": None,
        }


def signal_name(number: int) -> str:
    """For instance `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
