"""What a received message says: its params as a typed value, one class per method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn, TypeAlias, cast

from blobpipes.errors import DagsterPipesError, MalformedMessageError
from blobpipes.wire.checks import clip, json_type
from blobpipes.wire.envelope import PipesMessage
from blobpipes.wire.exceptions import PipesException, parse_exception
from blobpipes.wire.log_levels import parse_level
from blobpipes.wire.metadata import PipesMetadataValue, parse_metadata

PipesAssetCheckSeverity = Literal["WARN", "ERROR"]
StreamName = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The external process has loaded its context."""

    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closed:
    """The last protocol act of the external process. `exception` is None after a normal end."""

    exception: PipesException | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """One log record."""

    message: str
    level: int  # as Python's logging counts: INFO is 20


@dataclass(frozen=True, slots=True)
class AssetMaterialization:
    """An asset has been made."""

    asset_key: str  # escaped, as on the wire
    data_version: str | None
    metadata: Mapping[str, PipesMetadataValue]


@dataclass(frozen=True, slots=True)
class AssetCheck:
    """A check of an asset has passed or not."""

    asset_key: str  # escaped, as on the wire
    check_name: str
    passed: bool
    severity: PipesAssetCheckSeverity
    metadata: Mapping[str, PipesMetadataValue]


@dataclass(frozen=True, slots=True)
class CustomMessage:
    """Whatever the external process and the caller agreed on: any JSON value."""

    payload: Any


@dataclass(frozen=True, slots=True)
class ExternalStream:
    """Captured output: any number of lines, cut anywhere."""

    stream: StreamName
    text: str
    extras: Mapping[str, Any] = field(default_factory=dict)


Payload: TypeAlias = Opened | Closed | Log | AssetMaterialization | AssetCheck | CustomMessage | ExternalStream


def parse_payload(message: PipesMessage) -> Payload:
    """The typed content of a message.

    As strict as Dagster's reader (an unknown or missing key is an error), except that `opened` and
    `closed` take whatever still has a meaning.

    Raises:
        MalformedMessageError: an unknown method, or params that are not the method's; one line that
            names the method and the field.
    """
    raw = cast(Mapping[str, Any], message)  # a reader written by a user may hand over anything
    method, params = raw.get("method"), raw.get("params")
    parse = _PARSERS.get(method) if isinstance(method, str) else None
    if parse is None:
        raise MalformedMessageError(f"unknown method {clip(method)}")
    if not (params is None or isinstance(params, dict)):
        raise MalformedMessageError(f"{method}: `params` must be an object or null, not {json_type(params)}")
    return parse(_Params(str(method), params))


class _Keys:
    """The params of one method."""

    def __init__(self, *required: str, optional: tuple[str, ...] = ()) -> None:
        self.required = required
        self.known = frozenset((*required, *optional))


_LOG_KEYS: Final = _Keys("message", optional=("level",))
_MATERIALIZATION_KEYS: Final = _Keys("asset_key", "data_version", "metadata")
_CHECK_KEYS: Final = _Keys("asset_key", "check_name", "passed", "severity", "metadata")
_CUSTOM_KEYS: Final = _Keys("payload")
_STREAM_KEYS: Final = _Keys("stream", "text", optional=("extras",))


class _Params:
    """The params of one message, taken out field by field with checks."""

    def __init__(self, method: str, values: Mapping[str, Any] | None) -> None:
        self.method = method
        self.values = values or {}

    def expect(self, keys: _Keys) -> None:
        """Refuse a missing key, and one that the method does not have."""
        for name in keys.required:
            if name not in self.values:
                self.refuse(f"`{name}` is missing")
        for name in self.values:
            if name not in keys.known:
                self.refuse(f"{clip(name)} is no param of it")

    def string(self, name: str) -> str:
        value = self.values[name]
        return value if isinstance(value, str) else self.wrong_type(name, "a string")

    def boolean(self, name: str) -> bool:
        value = self.values[name]
        return value if isinstance(value, bool) else self.wrong_type(name, "true or false")

    def one_of(self, name: str, choices: tuple[str, ...]) -> Any:
        value = self.values[name]
        if not isinstance(value, str) or value not in choices:
            self.refuse(f"`{name}` must be {' or '.join(choices)}, not {clip(value)}")
        return value

    def objekt(self, name: str) -> Mapping[str, Any]:
        """An object; null and absence count as an empty one."""
        value = self.values.get(name)
        return value if isinstance(value, dict) else {} if value is None else self.wrong_type(name, "an object")

    def metadata(self) -> Mapping[str, PipesMetadataValue]:
        try:
            return parse_metadata(self.values["metadata"])
        except MalformedMessageError as error:
            self.refuse(error.message)

    def wrong_type(self, name: str, wanted: str) -> NoReturn:
        self.refuse(f"`{name}` must be {wanted}, not {json_type(self.values[name])}")

    def refuse(self, reason: str) -> NoReturn:
        raise MalformedMessageError(f"{self.method}: {reason}") from None


def _opened(params: _Params) -> Opened:
    extras = params.values.get("extras")
    return Opened(extras if isinstance(extras, dict) else {})  # that the process opened counts more than its extras


def _closed(params: _Params) -> Closed:
    exception = params.values.get("exception")
    if exception is not None:
        return Closed(parse_exception(exception))
    # The Rust package puts the exception's own keys directly into the params.
    return Closed(parse_exception(params.values) if {"message", "stack"} <= params.values.keys() else None)


def _log(params: _Params) -> Log:
    params.expect(_LOG_KEYS)
    try:
        level = parse_level(params.values.get("level", "INFO"))
    except DagsterPipesError as error:
        params.refuse(f"`level`: {error.message}")
    return Log(params.string("message"), level)


def _asset_materialization(params: _Params) -> AssetMaterialization:
    params.expect(_MATERIALIZATION_KEYS)
    version = None if params.values["data_version"] is None else params.string("data_version")
    return AssetMaterialization(params.string("asset_key"), version, params.metadata())


def _asset_check(params: _Params) -> AssetCheck:
    params.expect(_CHECK_KEYS)
    return AssetCheck(
        asset_key=params.string("asset_key"),
        check_name=params.string("check_name"),
        passed=params.boolean("passed"),
        severity=cast(PipesAssetCheckSeverity, params.one_of("severity", SEVERITIES)),
        metadata=params.metadata(),
    )


def _custom_message(params: _Params) -> CustomMessage:
    params.expect(_CUSTOM_KEYS)
    return CustomMessage(params.values["payload"])


def _external_stream(params: _Params) -> ExternalStream:
    params.expect(_STREAM_KEYS)
    stream = cast(StreamName, params.one_of("stream", STREAMS))
    return ExternalStream(stream, params.string("text"), params.objekt("extras"))


SEVERITIES: Final = ("WARN", "ERROR")
STREAMS: Final = ("stdout", "stderr")

_PARSERS: Final[Mapping[str, Callable[[_Params], Payload]]] = {
    "opened": _opened,
    "closed": _closed,
    "log": _log,
    "report_asset_materialization": _asset_materialization,
    "report_asset_check": _asset_check,
    "report_custom_message": _custom_message,
    "log_external_stream": _external_stream,
}
