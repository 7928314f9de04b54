"""Python values as JSON text, or the place of the one value that cannot become JSON.

The bytes are those of `json.dumps` with its defaults, as the official package writes them: `", "` and
`": "`, non-ASCII escaped, `NaN` and `Infinity` as tokens. On top of JSON's own types:

| value | becomes |
|---|---|
| datetime, date, time (pandas Timestamp, numpy datetime64 too) | ISO 8601 text; NaT becomes null |
| timedelta | seconds, a float |
| Path and other path-likes, UUID | text |
| Decimal | text, because a float would lose digits |
| Enum | its value |
| dataclass instance, any Mapping | object |
| set, frozenset and other sets | array, sorted where the items can be compared |
| tuple, deque, range and other sequences | array |
| numpy scalar or array, column of pandas or polars | number or array |

Keys that are none of JSON's are converted the same way, if text, a number, a bool or None comes out.
Nothing third-party is imported: numpy and pandas are recognised by what they can do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from blobpipes.errors import UnserializableError

_BYTES_REMEDY: Final = (
    'JSON has no bytes: send text, as data.decode() or base64.b64encode(data).decode("ascii"), '
    "or store the bytes and send their URL."
)
_LEAVES: Final = frozenset({str, float, bool, type(None)})
_KEY_STEPS: Final = 4  # a key may be an enum member with a numpy value, and so on; no further
_SURELY_PRINTABLE: Final = 1 << 64  # Python refuses to print integers beyond a limit of at least 640 digits


class _NoStepError(TypeError):
    """`convert` does not know the type."""


def dumps(value: Any, *, where: str = "value") -> str:
    """`value` as one line of ASCII JSON.

    Raises:
        UnserializableError: some part cannot become JSON. The text gives its path, starting with `where`.
    """
    try:
        return encode(value)
    except Exception:  # noqa: BLE001 - whatever a user's object raised: the walk finds the place, or does what json could not
        return _encode_walked(plain(value, where=where), where)


def plain(value: Any, *, where: str = "value") -> Any:
    """A copy of `value` made of JSON's types only (keys: also numbers, bools and None, which json writes).

    Raises:
        UnserializableError: as `dumps`.
    """
    try:
        return _walk(value, set())
    except _CulpritError as culprit:
        raise culprit.as_error(where) from culprit.__cause__
    except RecursionError:
        raise _too_deep(where) from None


def convert(value: Any) -> Any:
    """One step towards JSON for a value that json does not know; the parts may need more steps.

    Raises:
        TypeError: there is no such step.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, time)):
        return value.isoformat() if value == value else None  # pandas' NaT is a datetime unlike itself
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (PurePath, UUID, Decimal)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(value, "dtype"):
        return _from_array(value)
    return _from_collection(value)


encode: Final = json.JSONEncoder(default=convert).encode
"""The fast path: one pass of json's C encoder. Raises whatever json or the value's own code raises."""


def _from_collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise _NoStepError("bytes")
    if isinstance(value, Set):
        return _in_stable_order(value)
    if isinstance(value, Sequence):
        return list(value)
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    if type(value).__name__ == "NAType":  # pandas.NA, which has neither a dtype nor a truth value
        return None
    raise _NoStepError(f"no JSON for {type(value).__name__}")


def _in_stable_order(items: Iterable[Any]) -> list[Any]:
    """By their own order where they have one, else by their JSON text: never by the hash of the day."""
    by_text = sorted(items, key=dumps)
    try:
        return sorted(by_text)
    except TypeError:
        return by_text


def _from_array(value: Any) -> Any:
    """numpy's and other libraries' scalars and arrays. Everything here holds for both shapes."""
    if hasattr(value, "to_numpy"):  # a column of pandas or polars: its items are datetimes and the like
        return value.to_list()
    kind = getattr(value.dtype, "kind", "")
    if kind == "M":  # item() of a nanosecond datetime64 is a bare integer
        return _nulls_for(value.astype(str).tolist(), "NaT")
    if kind == "m":
        return _nulls_for((value / value.dtype.type(1, "s")).tolist(), float("nan"))
    if kind == "f" and value.dtype.itemsize > 8:  # item() of a longdouble is a longdouble
        return value.astype("float64").tolist()
    return value.tolist()


def _nulls_for(value: Any, missing: Any) -> Any:
    if isinstance(value, list):
        return [_nulls_for(item, missing) for item in value]
    return None if value == missing or value != value else value


# --- the walk: slow, exact about places --------------------------------------------------------------


class _CulpritError(Exception):
    """A value without JSON, on its way up through the containers that hold it."""

    def __init__(self, value: Any, reason: str = "") -> None:
        super().__init__(reason)
        self.path: list[str] = []  # innermost first
        self.kind = type(value).__name__
        self.reason = reason
        self.remedy = _BYTES_REMEDY if isinstance(value, (bytes, bytearray, memoryview)) else None

    def as_error(self, where: str) -> UnserializableError:
        place = where + "".join(reversed(self.path))
        reason = f": {self.reason}" if self.reason else ""
        return UnserializableError(f"{place} ({self.kind}) cannot become JSON{reason}", remedy=self.remedy)


def _walk(value: Any, ancestors: set[int]) -> Any:
    if type(value) in _LEAVES:
        return value
    if isinstance(value, (str, float, int)) and not isinstance(value, Enum):
        return _walk_scalar(value)
    if id(value) in ancestors:
        raise _CulpritError(value, "it contains itself")
    ancestors.add(id(value))
    try:
        return _walk_container(value, ancestors)
    finally:
        ancestors.discard(id(value))


def _walk_container(value: Any, ancestors: set[int]) -> Any:
    if isinstance(value, dict):
        pairs = list(value.items())
        return {
            key if type(key) is str else _walk_key(key): _walk_part(item, "[{!r:.60}]", key, ancestors)
            for key, item in pairs
        }
    if isinstance(value, (list, tuple)):
        return [_walk_part(item, "[{}]", index, ancestors) for index, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, (type, Enum)):
        pairs = list(_converted(value).items())
        return {name: _walk_part(item, ".{}", name, ancestors) for name, item in pairs}
    if isinstance(value, Set):
        for item in list(value):  # finds a culprit before the sorting, which would not tell where it is
            _walk_part(item, "{{...}}", item, ancestors)
    return _walk(_converted(value), ancestors)


def _walk_part(item: Any, place: str, key: Any, ancestors: set[int]) -> Any:
    """`item`, which its container holds at `place`, a format for `key`: filled only when it is needed."""
    kind = type(item)
    if kind in _LEAVES or (kind is int and -_SURELY_PRINTABLE < item < _SURELY_PRINTABLE):
        return item
    try:
        return _walk(item, ancestors)
    except _CulpritError as culprit:
        culprit.path.append(place.format(key))
        raise


def _walk_scalar(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= _SURELY_PRINTABLE:
        try:
            int.__repr__(value)
        except ValueError:
            raise _CulpritError(value, "it has too many digits") from None
    return value


def _walk_key(key: Any) -> Any:
    """`key` as one of the types which json itself turns into text."""
    converted = key
    for _ in range(_KEY_STEPS):
        if converted is None or (isinstance(converted, (str, float, int)) and not isinstance(converted, Enum)):
            return _walk_scalar(converted)
        converted = _converted(converted)
    raise _CulpritError(key, f"it is the key {key!r:.60}, and keys must be text or numbers")


def _converted(value: Any) -> Any:
    try:
        return convert(value)
    except RecursionError:
        raise
    except _NoStepError:
        raise _CulpritError(value) from None
    except Exception as error:
        raise _CulpritError(value, f"{type(error).__name__}: {error}") from error


def _encode_walked(value: Any, where: str) -> str:
    try:
        return encode(value)
    except RecursionError:
        raise _too_deep(where) from None


def _too_deep(where: str) -> UnserializableError:
    return UnserializableError(f"{where} is nested too deeply for JSON", remedy="Flatten the value.")
