"""The context: what the orchestration process tells the external process about its work. One JSON object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, TypeVar

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.checks import clip, json_type
from blobpipes.wire.jsonable import dumps

_T = TypeVar("_T")


class PipesPartitionKeyRange(TypedDict):
    """From one partition key to another, both included. Equal for a single partition."""

    start: str
    end: str


class PipesTimeWindow(TypedDict):
    """A span of time: ISO 8601 with offset, the end not included."""

    start: str
    end: str


class PipesDataProvenance(TypedDict):
    """What the last materialization of an asset was made from."""

    code_version: str
    input_data_versions: Mapping[str, str]  # by escaped asset key
    is_user_provided: bool


class PipesContextData(TypedDict):
    """The whole context. Asset keys are escaped strings, to be echoed back unchanged."""

    asset_keys: Sequence[str] | None  # None outside an asset step; empty if only checks are run
    code_version_by_asset_key: Mapping[str, str | None] | None
    provenance_by_asset_key: Mapping[str, PipesDataProvenance | None] | None
    partition_key: str | None  # the keys of several dimensions are joined by `|`
    partition_key_range: PipesPartitionKeyRange | None
    partition_time_window: PipesTimeWindow | None  # only where exactly one dimension is time
    run_id: str
    job_name: str | None
    retry_number: int  # 0 on the first try
    extras: Mapping[str, Any]


_PROVENANCE_KEYS: Final = frozenset(PipesDataProvenance.__annotations__)


def encode_context(data: PipesContextData) -> bytes:
    """`data` as the official package writes it.

    Raises:
        UnserializableError: a value cannot become JSON; its path starts with `context`.
    """
    return dumps(data, where="context").encode("ascii")


def parse_context(data: Any) -> PipesContextData:
    """The context in a decoded JSON value, with all ten keys. Keys that nobody knows are left out.

    Raises:
        DagsterPipesError: no object, no run id, or a value of the wrong type; names the key.
    """
    if not isinstance(data, Mapping):
        raise _wrong("the context", "an object", data)
    if data.get("run_id") is None:
        raise DagsterPipesError("the context has no `run_id`", remedy=_REMEDY)
    return {
        "asset_keys": _optional(data, "asset_keys", _strings),
        "code_version_by_asset_key": _optional(data, "code_version_by_asset_key", _code_versions),
        "provenance_by_asset_key": _optional(data, "provenance_by_asset_key", _provenances),
        "partition_key": _optional(data, "partition_key", _string),
        "partition_key_range": _optional(data, "partition_key_range", _key_range),
        "partition_time_window": _optional(data, "partition_time_window", _time_window),
        "run_id": _string(data["run_id"], "run_id"),
        "job_name": _optional(data, "job_name", _string),
        "retry_number": _optional(data, "retry_number", _integer) or 0,
        "extras": _optional(data, "extras", _object) or {},
    }


def _optional(data: Mapping[str, Any], key: str, parse: Callable[[Any, str], _T]) -> _T | None:
    value = data.get(key)
    return None if value is None else parse(value, key)


def _string(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"`{key}`", "a string", value)
    return value


def _integer(value: Any, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(f"`{key}`", "an integer", value)
    return value


def _object(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"`{key}`", "an object", value)
    return dict(value)


def _strings(value: Any, key: str) -> list[str]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(f"`{key}`", "an array of strings", value)
    return [_string(item, f"{key}[{index}]") for index, item in enumerate(value)]


def _code_versions(value: Any, key: str) -> dict[str, str | None]:
    return {
        asset: None if version is None else _string(version, f"{key}[{clip(asset)}]")
        for asset, version in _object(value, key).items()
    }


def _provenances(value: Any, key: str) -> dict[str, PipesDataProvenance | None]:
    return {
        asset: None if provenance is None else _provenance(provenance, f"{key}[{clip(asset)}]")
        for asset, provenance in _object(value, key).items()
    }


def _provenance(value: Any, key: str) -> PipesDataProvenance:
    raw = _with_keys(value, key, _PROVENANCE_KEYS)
    versions = _object(raw["input_data_versions"], f"{key}.input_data_versions")
    if not isinstance(raw["is_user_provided"], bool):
        raise _wrong(f"`{key}.is_user_provided`", "true or false", raw["is_user_provided"])
    return {
        "code_version": _string(raw["code_version"], f"{key}.code_version"),
        "input_data_versions": {
            asset: _string(version, f"{key}.input_data_versions[{clip(asset)}]") for asset, version in versions.items()
        },
        "is_user_provided": raw["is_user_provided"],
    }


def _key_range(value: Any, key: str) -> PipesPartitionKeyRange:
    raw = _with_keys(value, key, frozenset({"start", "end"}))
    return {"start": _string(raw["start"], f"{key}.start"), "end": _string(raw["end"], f"{key}.end")}


def _time_window(value: Any, key: str) -> PipesTimeWindow:
    raw = _with_keys(value, key, frozenset({"start", "end"}))
    return {"start": _string(raw["start"], f"{key}.start"), "end": _string(raw["end"], f"{key}.end")}


def _with_keys(value: Any, key: str, names: frozenset[str]) -> dict[str, Any]:
    raw = _object(value, key)
    for name in sorted(names):
        if name not in raw:
            raise DagsterPipesError(f"`{key}` of the context has no `{name}`", remedy=_REMEDY)
    return raw


_REMEDY: Final = "Check what the orchestration side wrote as the context; docs/protocol.md lists its ten keys."


def _wrong(what: str, wanted: str, value: Any) -> DagsterPipesError:
    of_context = "" if what == "the context" else " of the context"
    return DagsterPipesError(f"{what}{of_context} must be {wanted}, not {json_type(value)}", remedy=_REMEDY)
