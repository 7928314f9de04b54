"""What a tombstone says of the archive that a session was folded into.

The archive counts from the moment at which the tombstone that names it stands in slot 1, and not before. What a
listing of sessions shows is repeated here, so that it costs no look into the archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ArchiveNote:
    """The archive's identity, and how its session stood."""

    digest: str  # of the names and bytes of all objects in it, in hex
    state: str  # complete, failed, ...
    detail: str  # one sentence for people
    messages: int | None  # None where the chunks did not tell
    chunks: int
    bytes: int  # of the chunks, before
    created: float | None  # seconds since 1970, by the store's clock
    last_at: float | None  # when the last chunk was stored

    def as_json(self) -> dict[str, Any]:
        """As it stands in a header."""
        return asdict(self)


def read_note(raw: Any) -> ArchiveNote | None:
    """The note in a header; None where there is none.

    Raises:
        KeyError, TypeError, ValueError: it is damaged.
    """
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise TypeError("the note on the archive is no object")
    return ArchiveNote(
        digest=str(raw["digest"]),
        state=str(raw["state"]),
        detail=str(raw["detail"]),
        messages=None if raw["messages"] is None else int(raw["messages"]),
        chunks=int(raw["chunks"]),
        bytes=int(raw["bytes"]),
        created=None if raw["created"] is None else float(raw["created"]),
        last_at=None if raw["last_at"] is None else float(raw["last_at"]),
    )
