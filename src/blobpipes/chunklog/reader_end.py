"""When may a reader say that nothing more comes? Proved, not guessed, without I/O.

The process is gone and the next number is absent. Where the reader may write, and the writers heed it, it puts
the log's end itself, after one listing that shows no hole. Elsewhere two looks, a pause apart, and a listing
must find nothing: less than a proof, and all that there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """What comes next."""

    LIST = "list"
    SEAL = "seal"
    LOOK = "look"  # once more, at once
    LOOK_LATER = "look later"  # once more, after a pause
    END = "end"


@dataclass(slots=True)
class EndProof:
    """What was seen since the last chunk."""

    is_listed: bool = False  # a listing after the end showed nothing above
    is_stale: bool = False  # the look under way was begun before the end
    _absent: int = 0  # looks that found nothing

    def on_chunk(self) -> None:
        """A chunk came after all."""
        self.is_listed, self._absent = False, 0

    def on_absent(self, *, can_seal: bool, has_closed: bool, has_failed: bool) -> Step:
        """The next number is absent.

        `has_closed`: an official `closed` was seen. `has_failed`: one of our own closed with an exception; the
        chunk that says so is the last of its process, so that there is no hole to look for.
        """
        if can_seal:
            return Step.SEAL if self.is_listed or has_failed else Step.LIST
        if self.is_stale:
            self.is_stale = False
            return Step.LOOK
        self._absent += 1
        return self._without_seal(has_closed) if self.is_listed else Step.LIST

    def on_listed(self, *, can_seal: bool, has_closed: bool) -> Step:
        """A listing shows nothing above the next number, which is absent."""
        return Step.SEAL if can_seal else self._without_seal(has_closed)

    def _without_seal(self, has_closed: bool) -> Step:
        return Step.END if has_closed or self._absent >= 2 else Step.LOOK_LATER
