"""The sessions in a listing: which there are, and what their objects' names, sizes and times tell.

Names of sessions may hold slashes, so a session is whatever prefix has a descriptor or a first chunk. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from blobpipes.chunklog.layout import ARCHIVE_KEY, SESSION_KEY
from blobpipes.storage.store import ObjectInfo

_DESCRIPTOR: Final = re.compile(rf"(?:(?P<name>.+)/)?{re.escape(SESSION_KEY)}")
_ARCHIVE: Final = re.compile(rf"(?:(?P<name>.+)/)?{re.escape(ARCHIVE_KEY)}")
_CHUNK: Final = re.compile(r"(?:(?P<name>.+?)/)??(?P<lane>lanes/[^/]+/)?(?P<number>[1-9][0-9]*)\.json")


@dataclass(slots=True)
class Footprint:
    """What a listing tells of one session."""

    name: str  # relative to the URL; "" where the URL is the session's own
    described: bool = False  # it has a descriptor
    times: dict[int, float | None] = field(default_factory=dict)  # chunk to when it was stored, if the store tells
    lane_chunks: int = 0  # chunks of other lanes
    size: int = 0  # bytes of all chunks
    archive_size: int | None = None  # bytes of its archive; None: there is none
    created: float | None = None  # seconds since 1970, by the store's clock

    @property
    def is_session(self) -> bool:
        """A folder with numbered files is none, unless it begins at 1."""
        return self.described or 1 in self.times

    @property
    def chunks(self) -> int:
        return len(self.times) + self.lane_chunks

    @property
    def last(self) -> int:
        """Number of the last chunk; 0 before the first."""
        return max(self.times, default=0)

    @property
    def holes(self) -> int:
        """Chunks that are missing before the last."""
        return self.last - len(self.times)

    @property
    def last_at(self) -> float | None:
        """When the last chunk was stored; None if there is none or the store does not tell."""
        return self.times.get(self.last)

    def add(self, info: ObjectInfo, number: int | None, lane: str | None) -> None:
        """One more object of this session: its descriptor, or a chunk."""
        if info.modified is not None and (number is None or (number == 1 and not lane)):
            self.created = info.modified if self.created is None else min(self.created, info.modified)
        if number is None:
            self.described = True
        elif lane:
            self.lane_chunks += 1
        else:
            self.times[number] = info.modified
        self.size += 0 if number is None else info.size


def collect_footprints(objects: Sequence[ObjectInfo]) -> list[Footprint]:
    """The sessions in a recursive listing, in the order of their names."""
    found: dict[str, Footprint] = {}
    for info in objects:
        match = _DESCRIPTOR.fullmatch(info.key) or _CHUNK.fullmatch(info.key)
        packed = _ARCHIVE.fullmatch(info.key)
        if packed is not None:
            name = packed["name"] or ""
            found.setdefault(name, Footprint(name)).archive_size = info.size
        if match is not None:
            parts = match.groupdict()
            name, number = parts["name"] or "", parts.get("number")
            footprint = found.setdefault(name, Footprint(name))
            footprint.add(info, int(number) if number else None, parts.get("lane"))
    return [found[name] for name in sorted(found) if found[name].is_session]


def join_key(name: str, key: str) -> str:
    """A key of the session `name` (maybe ""), relative to the URL."""
    return f"{name}/{key}" if name else key
