"""Which names a session uses in the store, and what its descriptor says.

One session is one prefix. The official layout (`1.json`, `2.json`, ...) is at its top; what only
blobpipes reads is under `_bp/`, where no official reader looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from blobpipes.errors import MalformedMessageError

SESSION_KEY: Final = "_bp/session.json"
CONTEXT_KEY: Final = "_bp/context.json"
ARCHIVE_KEY: Final = "_bp/archive.tar.gz"
LANES: Final = "lanes/"

_CHUNK_NAME: Final = re.compile(r"([1-9][0-9]*)\.json")
_LANE: Final = re.compile(r"lanes/[^/]+")


def chunk_key(number: int) -> str:
    """The name of chunk `number` (from 1), relative to its log's prefix."""
    return f"{number}.json"


def lane_prefix(lane: str) -> str:
    """Where a lane's chunks are, relative to the session. Lane 0 is the session's own log."""
    return "" if lane == "0" else f"{LANES}{lane}/"


def lane_names(keys: Collection[str]) -> set[str]:
    """The lanes of which these keys of a session show a chunk."""
    names = {key.split("/")[1] for key in keys if key.startswith(LANES) and key.count("/") == 2}
    return names | {"0" for key in keys if chunk_number(key) is not None}


def is_chunk(key: str) -> bool:
    """A chunk of the session's own log or of a lane, by its key relative to the session."""
    return lane_and_number(key) is not None


def lane_and_number(key: str) -> tuple[str, int] | None:
    """Which lane's chunk this key of a session is, and its number; None for everything else."""
    prefix, _, name = key.rpartition("/")
    number = chunk_number(name)
    if number is None or (prefix and not _LANE.fullmatch(prefix)):
        return None
    return prefix.removeprefix(LANES) or "0", number


def is_our_key(key: str) -> bool:
    """Whether a key of a session is blobpipes' own, and not what somebody else put beside it."""
    return is_chunk(key) or key.startswith("_bp/")


def chunk_number(key: str) -> int | None:
    """The number in a chunk's name, or None for a name that is no chunk's (other folders included)."""
    match = _CHUNK_NAME.fullmatch(key)
    return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class SessionDescriptor:
    """What a session says of itself to whoever finds it in the store. Holds no secret."""

    name: str
    created: float  # seconds since 1970, by the orchestration process's clock
    run_id: str | None = None
    job_name: str | None = None
    partition_key: str | None = None
    owner: str = ""  # which orchestration process wrote it: random, so two attempts differ
    options: Mapping[str, float | int | bool | str] = field(default_factory=dict)  # what differs from the defaults

    def encode(self) -> bytes:
        """The descriptor's object, one JSON text."""
        return json.dumps({"v": 1, **{name: getattr(self, name) for name in self.__slots__}}).encode()


def decode_descriptor(data: bytes) -> SessionDescriptor:
    """Read a descriptor; keys that a newer version added are ignored.

    Raises:
        MalformedMessageError: not a descriptor.
    """
    try:
        raw: dict[str, Any] = json.loads(data)
        known = {name: raw[name] for name in SessionDescriptor.__slots__ if name in raw}
        return SessionDescriptor(**{**known, "created": float(raw["created"])})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedMessageError(f"{SESSION_KEY} is not a session descriptor: {error!r}") from error
