"""Which raw values fit which metadata type: the rules of Dagster's reader, as data.

Observed on Dagster 1.13: null passes for most scalar types and a bool for an int; the cells of a table are
scalars and its records all have the same fields; a column's sources are named once each. One thing is taken
here that Dagster refuses: an integer for `float`, because JavaScript writes 1.0 as 1; it becomes a float.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from blobpipes.wire.checks import clip, json_type


class MisfitError(ValueError):
    """A raw value does not fit its type. The text says why."""


def check_raw_value(kind: str, raw: Any) -> Any:
    """`raw`, a decoded JSON value, as the type `kind` wants it.

    Raises:
        MisfitError: it does not fit.
    """
    check = _CHECKS.get(kind)
    return raw if check is None else check(kind, raw)


def _text(kind: str, raw: Any) -> Any:
    return raw if isinstance(raw, str) or raw is None else _refuse(kind, "a string", raw)


def _text_not_null(kind: str, raw: Any) -> Any:
    return raw if isinstance(raw, str) else _refuse(kind, "a string", raw)


def _integer(kind: str, raw: Any) -> Any:
    return raw if isinstance(raw, int) or raw is None else _refuse(kind, "an integer", raw)


def _float(kind: str, raw: Any) -> Any:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return _as_float(kind, raw)
    return raw if isinstance(raw, float) or raw is None else _refuse(kind, "a number", raw)


def _as_float(kind: str, raw: int) -> float:
    try:
        return float(raw)
    except OverflowError:
        raise MisfitError(f"type `{kind}` cannot hold an integer of {raw.bit_length()} bits") from None


def _boolean(kind: str, raw: Any) -> Any:
    return raw if isinstance(raw, bool) or raw is None else _refuse(kind, "true or false", raw)


def _seconds(kind: str, raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        _refuse(kind, "a number of seconds since the epoch", raw)
    return raw


def _document(kind: str, raw: Any) -> Any:
    return raw if isinstance(raw, (dict, list, str)) or raw is None else _refuse(kind, "an object or array", raw)


def _table(kind: str, raw: Any) -> Any:
    records = _field(kind, raw, "records", list)
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            _refuse(kind, f"an object as record {index}", record)
        if record.keys() != records[0].keys():
            raise MisfitError(f"type `{kind}` wants the same fields in all records, but record {index} has others")
        for column, cell in record.items():
            if isinstance(cell, (dict, list)):
                _refuse(kind, f"a string, number, bool or null in record {index}, column {clip(column)}", cell)
    _columns(kind, _field(kind, raw, "schema", list))
    return raw


def _table_schema(kind: str, raw: Any) -> Any:
    _columns(kind, _field(kind, raw, "columns", list))
    return raw


def _columns(kind: str, columns: list[Any]) -> None:
    for column in columns:
        _field(kind, column, "name", str)
        _field(kind, column, "type", str)
        _tags(kind, column.get("tags"))
        _constraints(kind, column.get("constraints"))
        if not isinstance(column.get("description"), (str, type(None))):
            _refuse(kind, "a string as description", column["description"])


def _tags(kind: str, tags: Any) -> None:
    if tags is not None and not (isinstance(tags, dict) and all(isinstance(tag, str) for tag in tags.values())):
        _refuse(kind, "an object of strings as tags", tags)


def _constraints(kind: str, constraints: Any) -> None:
    if not constraints:
        return
    if not isinstance(constraints, dict) or not constraints.keys() <= {"nullable", "unique", "other"}:
        _refuse(kind, "constraints made of nullable, unique and other", constraints)
    for name in constraints.keys() & {"nullable", "unique"}:
        _field(kind, constraints, name, bool)
    if constraints.get("other") is not None and not _is_strings(constraints["other"]):
        _refuse(kind, "an array of strings as `other`", constraints["other"])


def _lineage(kind: str, raw: Any) -> Any:
    for column, sources in _field(kind, raw, "deps_by_column", dict).items():
        if not isinstance(sources, list):
            _refuse(kind, f"an array for column {clip(column)}", sources)
        _sources(kind, column, sources)
    return raw


def _sources(kind: str, column: str, sources: list[Any]) -> None:
    seen: set[tuple[Any, str]] = set()
    for source in sources:
        if not isinstance(source, dict) or source.keys() != {"asset_key", "column_name"}:
            _refuse(kind, f"objects of asset_key and column_name for column {clip(column)}", source)
        asset = source["asset_key"]
        if not isinstance(asset, str) and not _is_strings(asset):
            _refuse(kind, "a string, or an array of its parts, as `asset_key`", asset)
        parts = (asset,) if isinstance(asset, str) else tuple(asset)
        seen.add((parts, _field(kind, source, "column_name", str)))
    if len(seen) < len(sources):
        raise MisfitError(f"type `{kind}` wants each source of column {clip(column)} once")


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _field(kind: str, raw: Any, name: str, wanted: type) -> Any:
    if not isinstance(raw, dict) or name not in raw:
        _refuse(kind, f"an object with `{name}`", raw)
    if not isinstance(raw[name], wanted):
        _refuse(kind, f"{_NAMES[wanted]} as `{name}`", raw[name])
    return raw[name]


def _refuse(kind: str, wanted: str, raw: Any) -> Any:
    raise MisfitError(f"type `{kind}` wants {wanted}, not {json_type(raw)}")


_NAMES: Final[Mapping[type, str]] = {list: "an array", dict: "an object", str: "a string", bool: "true or false"}

_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "text": _text,
    "url": _text,
    "path": _text,
    "notebook": _text,
    "md": _text,
    "dagster_run": _text_not_null,
    "asset": _text_not_null,
    "json": _document,
    "int": _integer,
    "float": _float,
    "bool": _boolean,
    "timestamp": _seconds,
    "table": _table,
    "table_schema": _table_schema,
    "table_column_lineage": _lineage,
}
