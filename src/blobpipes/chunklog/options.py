"""What can be tuned about a chunk log: frozen values with units, readable from text.

Options come from the URL's query, from the environment and from keyword arguments; the later wins.
Each field says its unit, its range and why the default is what it is. Nothing here knows of a store.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from blobpipes.errors import InvalidOptionError

SpoolMode = Literal["spill", "wal", "off"]
Compression = Literal["auto", "gzip", "zstd", "off"]

KIB: Final = 1024
MIB: Final = 1024 * KIB
MIN_INTERVAL: Final = 0.05  # seconds: 20 puts in one


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a chunk log is paced and bounded. Times are seconds, sizes are bytes."""

    interval: float = 10.0
    """Longest a message may wait before its chunk is put, and the reader's longest pause between two
    looks. The price ceiling: writers pay per put. 10 s as in Dagster's blob-store writers."""

    ramp: float = 0.0
    """If above 0: the interval during the first 30 s of a session, so that a short job shows at once."""

    heartbeat: float = 60.0
    """A writer without messages puts an empty chunk this often, so that silence is told from death.
    0 switches it off. 60 s costs $0.0003 an hour on S3."""

    max_chunk: int = 1 * MIB
    """A chunk is put early once this much waits. At most 4 MiB, far below every store's limit for
    one request."""

    max_messages: int = 10_000
    """A chunk is put early once this many messages wait: bounds what a reader repeats after a crash."""

    max_buffer: int = 8 * MIB
    """How much may wait in memory, about 65,000 log lines. What comes then goes to the spool on local disk."""

    spool: SpoolMode = "spill"
    """What goes to local disk: `spill` what does not fit in memory, `wal` every message, so that not even
    SIGKILL loses one, `off` nothing. Under `$BLOBPIPES_SPOOL_DIR`, by default among the temporary files."""

    max_spool: int = 1024 * MIB
    """How much may wait on local disk; then `write` blocks until the store takes some."""

    idle: float = 0.0
    """If above the interval: the reader's pause once the writer has been silent for a while.
    0 means never longer than the interval."""

    close_timeout: float = 300.0
    """How long `close` keeps trying to store what was accepted before it raises."""

    compression: Compression = "auto"
    """How a chunk's messages are compressed, where that saves: `auto` by the best that both sides have, `gzip` so
    that any Python can read it, `zstd` (or gzip, where the job lacks it), `off`. Never for an official orchestrator."""

    strict_bytes: bool = False
    """With an official orchestrator: write not one byte that the official package would not write.
    Costs the header by which a restarted job finds its own messages."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InvalidOptionError(
                    f"option {name}={value:g} is out of range", remedy=f"Give a value from {low:g} to {high:g}."
                )


_RANGES: Final[tuple[tuple[str, float, float], ...]] = (
    ("interval", MIN_INTERVAL, 86_400),
    ("ramp", 0, 86_400),
    ("heartbeat", 0, 86_400),
    ("max_chunk", 1 * KIB, 4 * MIB),
    ("max_messages", 1, 1_000_000),
    ("max_buffer", 64 * KIB, 64 * KIB * MIB),
    ("max_spool", 64 * KIB, KIB * KIB * MIB),
    ("idle", 0, 86_400),
    ("close_timeout", 0, 7 * 86_400),
)

_KINDS: Final[Mapping[str, str]] = {
    "interval": "duration",
    "ramp": "duration",
    "heartbeat": "duration",
    "max_chunk": "size",
    "max_messages": "count",
    "max_buffer": "size",
    "spool": "choice",
    "max_spool": "size",
    "idle": "duration",
    "close_timeout": "duration",
    "compression": "choice",
    "strict_bytes": "flag",
}

_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "duration": {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0},
    "size": {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "kib": KIB, "mib": MIB, "k": KIB, "m": MIB},
    "count": {"": 1},
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "spool": ("spill", "wal", "off"),
    "compression": ("auto", "gzip", "zstd", "off"),
}
_FLAGS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)")


def parse_options(given: Mapping[str, Any], base: LogOptions | None = None) -> LogOptions:
    """`base` (by default the defaults) with the given options on top.

    Values are text with a unit (`"500ms"`, `"1MiB"`) or plain numbers in seconds or bytes.

    Raises:
        InvalidOptionError: an unknown name (names the closest known one), a bad unit, a value out of range.
    """
    changes: dict[str, Any] = {name: _parse_value(name, value) for name, value in given.items() if value is not None}
    return replace(base or LogOptions(), **changes)


def changed_options(options: LogOptions) -> dict[str, float | int | bool | str]:
    """What differs from the defaults, as plain JSON values: what one side tells the other."""
    default = LogOptions()
    return {f.name: v for f in fields(options) if (v := getattr(options, f.name)) != getattr(default, f.name)}


def _parse_value(name: str, value: Any) -> float | int | bool | str:
    kind = _KINDS.get(name)
    if kind is None:
        raise _unknown_option(name)
    if kind == "flag":
        return value if isinstance(value, bool) else _parse_flag(name, str(value))
    if kind == "choice":
        return _parse_choice(name, str(value).strip().lower())
    if isinstance(value, bool):
        raise InvalidOptionError(f"option {name}={value!r} is not a {kind}")
    if isinstance(value, (int, float)):
        return float(value) if kind == "duration" else _whole(name, float(value))
    return _parse_quantity(name, str(value).strip(), kind)


def _parse_quantity(name: str, text: str, kind: str) -> float | int:
    match = _QUANTITY.fullmatch(text)
    units = _UNITS[kind]
    unit = match[2].lower() if match else ""
    if match is None or unit not in units:
        examples = {"duration": "10s, 500ms or 2m", "size": "1MiB or 500KB", "count": "10000"}[kind]
        raise InvalidOptionError(f"option {name}={text!r} is not a {kind}", remedy=f"Write for instance {examples}.")
    number = float(match[1]) * units[unit]
    return number if kind == "duration" else _whole(name, number)


def _parse_choice(name: str, text: str) -> str:
    if text not in _CHOICES[name]:
        raise InvalidOptionError(f"option {name}={text!r} is unknown", remedy=f"One of {', '.join(_CHOICES[name])}.")
    return text


def _parse_flag(name: str, text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise InvalidOptionError(f"option {name}={text!r} is neither true nor false") from None


def _whole(name: str, number: float) -> int:
    if not math.isfinite(number) or number != int(number):
        raise InvalidOptionError(f"option {name}={number:g} is not a whole number")
    return int(number)


def _unknown_option(name: str) -> InvalidOptionError:
    close = difflib.get_close_matches(name, _KINDS, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InvalidOptionError(f"unknown option {name!r}{hint}", remedy=f"Known options: {', '.join(sorted(_KINDS))}.")
