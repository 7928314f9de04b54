"""How much was asked of a store: what is billed, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

KINDS: Final = ("put", "get", "list", "delete")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a meter has counted. Usages can be added."""

    requests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict.fromkeys(KINDS, 0)))
    """By kind: put, get, list, delete. Absent, refused and failed ones included: stores bill those too."""

    bytes_up: int = 0  # of objects sent, each try counted
    bytes_down: int = 0  # of objects received
    errors: int = 0  # requests that ended in an error; an absent object is none

    @property
    def total(self) -> int:
        """Requests of all kinds."""
        return sum(self.requests.values())

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            MappingProxyType({kind: self.requests.get(kind, 0) + other.requests.get(kind, 0) for kind in KINDS}),
            self.bytes_up + other.bytes_up,
            self.bytes_down + other.bytes_down,
            self.errors + other.errors,
        )

    def encode(self) -> list[int]:
        """As it stands in a chunk's header: put, get, list, delete, bytes up, bytes down, errors."""
        return [*(self.requests.get(kind, 0) for kind in KINDS), self.bytes_up, self.bytes_down, self.errors]


def decode_usage(raw: Any) -> Usage:
    """The reverse of `encode`; figures that a newer version adds at the end are left out.

    Raises:
        TypeError, ValueError: damaged.
    """
    figures = [int(each) for each in raw]
    if len(figures) < len(KINDS) + 3 or min(figures) < 0:
        raise ValueError(f"{raw!r} are no figures of a ledger")
    return Usage(MappingProxyType(dict(zip(KINDS, figures, strict=False))), *figures[len(KINDS) : len(KINDS) + 3])


def one_put(size: int) -> Usage:
    """A single put of so many bytes."""
    return Usage(MappingProxyType({**dict.fromkeys(KINDS, 0), "put": 1}), bytes_up=size)


def one_get(size: int) -> Usage:
    """A single get that brought so many bytes."""
    return Usage(MappingProxyType({**dict.fromkeys(KINDS, 0), "get": 1}), bytes_down=size)
