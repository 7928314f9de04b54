"""Metadata: labels with typed values, shown beside a materialization or a check.

On the wire each value is `{"raw_value": ..., "type": ...}`. Both directions check that the raw value fits
its type, because one misfit ends an official reader. Dagster guesses the type `__infer__` by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypedDict, cast, get_args

from blobpipes.errors import DagsterPipesError, MalformedMessageError
from blobpipes.wire.checks import clip, json_type
from blobpipes.wire.jsonable import plain
from blobpipes.wire.metadata_shapes import MisfitError, check_raw_value

PipesMetadataType = Literal[
    "__infer__",
    "text",
    "url",
    "path",
    "notebook",
    "json",
    "md",
    "float",
    "int",
    "bool",
    "dagster_run",
    "asset",
    "null",
    "table",
    "table_schema",
    "table_column_lineage",
    "timestamp",
]
PipesMetadataRawValue: TypeAlias = int | float | str | Mapping[str, Any] | Sequence[Any] | bool | None
PIPES_METADATA_TYPE_INFER: Final = "__infer__"


class PipesMetadataValue(TypedDict):
    """One value and how to show it."""

    type: PipesMetadataType
    raw_value: PipesMetadataRawValue


_TYPES: Final = frozenset(get_args(PipesMetadataType))
_KEYS: Final = frozenset({"type", "raw_value"})
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def normalize_metadata(metadata: Mapping[str, Any] | None, *, method: str) -> dict[str, PipesMetadataValue] | None:
    """`metadata` as it goes over the wire, made of JSON's own types; None if there is none.

    A bare value gets the type `__infer__`. A typed value is fitted where nothing is lost: an integer for
    `float`, an aware datetime for `timestamp`.

    Args:
        method: the call that is named in errors.

    Raises:
        DagsterPipesError: not a mapping, a label that is no string, a bare object, an unknown type, or a
            raw value that does not fit its type.
        UnserializableError: a value cannot become JSON; says which.
    """
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise DagsterPipesError(
            f"`metadata` of `{method}` must be a mapping, not {type(metadata).__name__}",
            remedy='Give labels with values, as in {"rows": 10}.',
        )
    return {label: _normalize_value(label, value, method) for label, value in metadata.items()} or None


def _normalize_value(label: Any, value: Any, method: str) -> PipesMetadataValue:
    if type(label) is str and type(value) in _SCALARS:  # most values: nothing to convert, nothing to check
        return {"raw_value": value, "type": PIPES_METADATA_TYPE_INFER}
    if not isinstance(label, str):
        raise DagsterPipesError(
            f"a label of `metadata` of `{method}` is {clip(label)} ({type(label).__name__})",
            remedy="Labels are strings.",
        )
    where = f"metadata[{clip(label)}]"
    if not isinstance(value, Mapping):
        return {"raw_value": plain(value, where=where), "type": PIPES_METADATA_TYPE_INFER}
    if set(value) != _KEYS:
        raise DagsterPipesError(
            f"{where} of `{method}` is a bare object",
            remedy='Say its type: {"type": "json", "raw_value": {...}}.',
        )
    kind = _known_type(value["type"], f"{where} of `{method}`")
    try:
        raw = check_raw_value(kind, plain(_prepared(kind, value["raw_value"]), where=where))
    except MisfitError as misfit:
        raise DagsterPipesError(f"{where} of `{method}`: {misfit}", remedy="Correct the value or its type.") from None
    pair = {"type": kind, "raw_value": raw}
    return cast(PipesMetadataValue, {key: pair[key] for key in value})  # in the caller's order


def _known_type(kind: Any, where: str) -> str:
    if not isinstance(kind, str) or kind not in _TYPES:
        raise DagsterPipesError(
            f"{where} has the unknown type {clip(kind)}", remedy=f"Use one of {', '.join(sorted(_TYPES))}."
        )
    return kind


def _prepared(kind: str, raw: Any) -> Any:
    """Values whose usual JSON form is text, but which are numbers where the type wants a number."""
    if kind in ("float", "timestamp") and isinstance(raw, Decimal):
        return float(raw)
    if kind == "timestamp" and isinstance(raw, datetime):
        if raw.tzinfo is None:
            raise MisfitError(
                "a timestamp needs a datetime with a time zone, because a naive one means another instant "
                "on each machine"
            )
        return raw.timestamp()
    return raw


def parse_metadata(raw: Any) -> dict[str, PipesMetadataValue]:
    """The metadata of a received message; empty for null. An integer is taken for `float`.

    Raises:
        MalformedMessageError: not an object of type and raw value pairs, an unknown type, or a raw value
            that does not fit its type; names the label.
    """
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise MalformedMessageError(f"`metadata` must be an object or null, not {json_type(raw)}")
    return {label: _parse_value(label, value) for label, value in raw.items()}


def _parse_value(label: str, value: Any) -> PipesMetadataValue:
    where = f"metadata[{clip(label)}]"
    if not isinstance(value, dict) or not value.keys() >= _KEYS:
        raise MalformedMessageError(f"{where} must be an object with `type` and `raw_value`, not {json_type(value)}")
    kind = value["type"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise MalformedMessageError(f"{where} has the unknown type {clip(kind)}")
    try:
        raw = check_raw_value(kind, value["raw_value"])
    except MisfitError as misfit:
        raise MalformedMessageError(f"{where}: {misfit}") from None
    return cast(PipesMetadataValue, {"raw_value": raw, "type": kind})
