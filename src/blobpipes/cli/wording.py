"""Short words for durations, sizes, times and values, as people read them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

LONGEST_VALUE: Final = 200  # characters of a metadata value; the whole of it is in --json

_KEPT_CONTROLS: Final = "\n\t"
_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def duration(seconds: float) -> str:
    """For instance `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 days`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 2 * 86_400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{whole // 86_400} days"


def age(seconds: float) -> str:
    """In one unit: `7 s`, `3 min`, `5 h`, `12 days`."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def stopwatch(seconds: float) -> str:
    """For instance `0:07` or `1:02:03`: for a number that changes in place."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int) -> str:
    """Bytes, for instance `512 B`, `14 KiB`, `3.2 MiB`."""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """For instance `1 chunk`, `12,345 messages`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def requests(kinds: Mapping[str, int]) -> str:
    """For instance `7 requests (5 get, 2 put)`."""
    parts = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    return counted(sum(kinds.values()), "request") + (f" ({parts})" if parts else "")


def clock_time(moment: float | None) -> str:
    """This machine's time of day, `17:02:31`; as much space where nobody knows."""
    return f"{_local(moment):%H:%M:%S}" if moment is not None else " " * 8


def date_time(moment: float | None) -> str:
    """This machine's date and time, for instance `2026-11-22 17:02`."""
    return f"{_local(moment):%Y-%m-%d %H:%M}" if moment is not None else ""


def iso_time(moment: float | None) -> str | None:
    """UTC to the millisecond, `2026-11-22T17:02:31.123Z`: for programs."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, timezone.utc).astimezone()


def harmless(text: str) -> str:
    """`text` without what would move a cursor, recolour a terminal or reorder what is read."""
    return _CONTROL.sub("\ufffd", _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def metadata_value(value: Mapping[str, Any]) -> str:
    """One metadata value in one line."""
    kind, raw = value.get("type"), value.get("raw_value")
    if kind == "table" and isinstance(raw, Mapping):
        return _table_shape(raw)
    if kind == "timestamp" and isinstance(raw, (int, float)):
        return f"{datetime.fromtimestamp(raw, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    return clipped(_plain(raw))


def _plain(raw: Any) -> str:
    if raw is None:
        return "none"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return f"{raw:,}"
    if isinstance(raw, float):
        return f"{raw:,.6g}" if abs(raw) < 1e6 else f"{raw:,.0f}" if abs(raw) < 1e15 else f"{raw:g}"
    return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)


def _table_shape(raw: Mapping[str, Any]) -> str:
    records = raw.get("records") or []
    columns = list(records[0]) if records and isinstance(records[0], Mapping) else []
    named = f": {', '.join(map(str, columns))}" if columns else ""
    return clipped(f"table of {counted(len(records), 'row')}{named}")


def clipped(text: str, longest: int = LONGEST_VALUE) -> str:
    """The text on one line, without control characters, cut where it is too long for people."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
