"""Messages as the external process sends them: one function per method, checked before anything is written.

The checks are stricter than those of the official package in one point each: a severity must be one that
Dagster takes, a log level becomes one of the five names, a stream is one of the two. An official reader
stops for good at anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.checks import clip
from blobpipes.wire.envelope import PipesMessage, make_message
from blobpipes.wire.exceptions import PipesException
from blobpipes.wire.log_levels import LEVELS, level_name, parse_level
from blobpipes.wire.metadata import normalize_metadata
from blobpipes.wire.payloads import SEVERITIES, STREAMS

_MATERIALIZATION: Final = "report_asset_materialization"
_CHECK: Final = "report_asset_check"


def opened(extras: Mapping[str, Any] | None = None) -> PipesMessage:
    """The first message of a process. `extras` is for the reader's `on_opened` hook."""
    return make_message("opened", {"extras": _as_extras("opened", extras)})


def closed(exception: PipesException | None = None) -> PipesMessage:
    """The last message of a process."""
    return make_message("closed", {"exception": exception} if exception else {})


def log(message: str, level: str | int = "INFO") -> PipesMessage:
    """One log record. A level between two of the five goes out as the lower one.

    Raises:
        DagsterPipesError: an unknown level, or a message that is no string.
    """
    if not isinstance(message, str):
        raise _wrong_type("log", "message", "a string", message)
    name = level if isinstance(level, str) and level in LEVELS else level_name(parse_level(level))
    return make_message("log", {"message": message, "level": name})


def asset_materialization(
    asset_key: str, *, data_version: str | None = None, metadata: Mapping[str, Any] | None = None
) -> PipesMessage:
    """An asset has been made.

    Args:
        asset_key: escaped, not empty.

    Raises:
        DagsterPipesError: an argument of the wrong type, or metadata that Dagster would refuse.
    """
    _require_string(_MATERIALIZATION, "asset_key", asset_key)
    if not isinstance(data_version, (str, type(None))):
        raise _wrong_type(_MATERIALIZATION, "data_version", "a string or None", data_version)
    normalized = normalize_metadata(metadata, method=_MATERIALIZATION)
    return make_message(
        "report_asset_materialization", {"asset_key": asset_key, "data_version": data_version, "metadata": normalized}
    )


def asset_check(
    asset_key: str,
    check_name: str,
    passed: bool,
    *,
    severity: str = "ERROR",
    metadata: Mapping[str, Any] | None = None,
) -> PipesMessage:
    """A check of an asset has passed or not. numpy's bool counts as a bool, as which it is sent.

    Raises:
        DagsterPipesError: an argument of the wrong type, or metadata that Dagster would refuse.
    """
    _require_string(_CHECK, "asset_key", asset_key)
    _require_string(_CHECK, "check_name", check_name)
    params = {
        "asset_key": asset_key,
        "check_name": check_name,
        "passed": _as_bool(passed),
        "metadata": normalize_metadata(metadata, method=_CHECK),
        "severity": _as_severity(severity),
    }
    return make_message("report_asset_check", params)


def custom(payload: Any) -> PipesMessage:
    """Whatever the two sides agreed on."""
    return make_message("report_custom_message", {"payload": payload})


def external_stream(stream: str, text: str, extras: Mapping[str, Any] | None = None) -> PipesMessage:
    """Captured output, any number of lines.

    Raises:
        DagsterPipesError: neither stdout nor stderr, or a text that is no string.
    """
    if stream not in STREAMS:
        raise DagsterPipesError(f"`stream` of `log_external_stream` must be stdout or stderr, not {clip(stream)}")
    if not isinstance(text, str):
        raise _wrong_type("log_external_stream", "text", "a string", text)
    return make_message(
        "log_external_stream", {"stream": stream, "text": text, "extras": _as_extras("log_external_stream", extras)}
    )


def _require_string(method: str, name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _wrong_type(method, name, "a string", value)
    if not value and name == "asset_key":
        raise DagsterPipesError(f"`{name}` of `{method}` is empty")


def _as_extras(method: str, extras: Any) -> Mapping[str, Any]:
    if not isinstance(extras, (Mapping, type(None))):
        raise _wrong_type(method, "extras", "a mapping or None", extras)
    return extras or {}


def _as_bool(passed: Any) -> bool:
    if isinstance(passed, bool):
        return passed
    if getattr(getattr(passed, "dtype", None), "kind", None) == "b" and getattr(passed, "ndim", None) == 0:
        return bool(passed)
    raise _wrong_type(_CHECK, "passed", "a bool", passed)


def _as_severity(severity: Any) -> str:
    text = severity.value if isinstance(severity, Enum) else severity
    if not isinstance(text, str) or text not in SEVERITIES:
        raise DagsterPipesError(
            f"`severity` of `{_CHECK}` is {clip(severity)}", remedy='Use "WARN" or "ERROR", in capitals.'
        )
    return str(text)


def _wrong_type(method: str, name: str, wanted: str, value: Any) -> DagsterPipesError:
    return DagsterPipesError(f"`{name}` of `{method}` must be {wanted}, not {type(value).__name__}")
