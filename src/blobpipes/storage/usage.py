"""How much was asked of a store: what is billed, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

KINDS: Final = ("put", "get", "list", "delete")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a meter has counted. Usages can be added."""

    requests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict.fromkeys(KINDS, 0)))
    """By kind: put, get, list, delete. Absent, refused and failed ones included: stores bill those too."""

    bytes_up: int = 0  # of objects sent, each try counted
    bytes_down: int = 0  # of objects received
    errors: int = 0  # requests that ended in an error; an absent object is none

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            MappingProxyType({kind: self.requests.get(kind, 0) + other.requests.get(kind, 0) for kind in KINDS}),
            self.bytes_up + other.bytes_up,
            self.bytes_down + other.bytes_down,
            self.errors + other.errors,
        )
