"""What keeps a reader waiting: a store that fails or refuses, a writer that says nothing, a chunk that is not there.

How long to wait, when to tell, when to give up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from blobpipes.chunklog.pacing import backoff

REFUSALS: Final = 3  # refused seals or listings in a row before the reader does without
REFUSED_AFTER_GONE: Final = 60.0  # seconds of refusals that end a session whose process is gone
REMINDER: Final = 60.0  # seconds between two reports of a store that keeps failing
SILENT_HEARTBEATS: Final = 5  # missed heartbeats after which a writer is suspect
LISTED_HEARTBEATS: Final = 3  # missed heartbeats after which one LIST looks for a hole
AFTER_GONE: Final = 5.0  # seconds that a damaged or missing chunk is waited for once the process is gone


@dataclass(slots=True)
class StoreTrouble:
    """Failures since the store's last answer."""

    _failing_since: float | None = None
    _told: float = float("-inf")
    _tries: int = 0
    _refusals: int = 0  # of a seal or a listing, in a row

    def answered(self) -> None:
        self._failing_since, self._tries = None, 0

    def allowed(self) -> None:
        """A seal or a listing was not refused."""
        self._refusals = 0

    def must_do_without(self) -> bool:
        """A seal or a listing was refused: often enough to believe it?"""
        self._refusals = (self._refusals + 1) % REFUSALS
        return self._refusals == 0

    def wait(self, now: float, *, refused: bool, chance: float) -> float:
        """A request failed: seconds until the next."""
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._tries += 1
        return backoff(self._tries, refused=refused, chance=chance)

    def is_hopeless(self, now: float, *, refused: bool, gone: bool, patience: float) -> bool:
        """Has it lasted for `patience` seconds, or shorter where only a living process could tell more?"""
        assert self._failing_since is not None
        return now - self._failing_since >= (min(patience, REFUSED_AFTER_GONE) if refused and gone else patience)

    def is_news(self, now: float) -> bool:
        """Is it time to report it (again)?"""
        if now - self._told < REMINDER:
            return False
        self._told = now
        return True


@dataclass(slots=True)
class Silence:
    """A writer's, though a heartbeat is due every `pause` seconds. Begins with its newest chunk."""

    since: float
    _is_told: bool = False
    _is_listed: bool = False

    def broken(self, now: float) -> None:
        """A chunk came."""
        self.since, self._is_told, self._is_listed = now, False, False

    def wants_listing(self, now: float, pause: float) -> bool:
        """Is it time to look, once, whether a chunk is missing?"""
        if now - self.since <= LISTED_HEARTBEATS * pause or self._is_listed:
            return False
        self._is_listed = True
        return True

    def is_news(self, now: float, pause: float) -> bool:
        """Is it time to report it?"""
        if now - self.since <= SILENT_HEARTBEATS * pause or self._is_told:
            return False
        self._is_told = True
        return True

    def text(self, now: float, pause: float) -> str:
        return f"no chunk for {now - self.since:.0f} s, though a heartbeat was due every {pause:.0f} s"


@dataclass(slots=True)
class Delay:
    """How long a damaged or missing chunk has been waited for."""

    since: float | None = None

    def is_over(self, now: float, *, patience: float, gone: bool) -> bool:
        """Has it lasted for `patience` seconds, or shorter where nothing can land any more? Begins if it had not."""
        if self.since is None:
            self.since = now
        return now - self.since >= (min(patience, AFTER_GONE) if gone else patience)
