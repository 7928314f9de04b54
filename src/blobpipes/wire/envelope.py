"""The envelope around every message: version, method, params. One JSON object, one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NoReturn, TypedDict, cast

from blobpipes.errors import MalformedMessageError
from blobpipes.wire.checks import clip, json_type
from blobpipes.wire.jsonable import dumps, encode, plain

PROTOCOL_VERSION: Final = "0.1"
VERSION_FIELD: Final = "__dagster_pipes_version"

Method = Literal[
    "opened",
    "closed",
    "log",
    "report_asset_materialization",
    "report_asset_check",
    "report_custom_message",
    "log_external_stream",
]

# In the functional form, because a class body would mangle the name with two underscores.
PipesMessage = TypedDict(
    "PipesMessage", {"__dagster_pipes_version": str, "method": str, "params": Mapping[str, Any] | None}
)


def make_message(method: Method, params: Mapping[str, Any] | None) -> PipesMessage:
    """The message as it goes over the wire. The params are neither checked nor copied."""
    return {"__dagster_pipes_version": PROTOCOL_VERSION, "method": method, "params": params}


def encode_message(message: PipesMessage) -> bytes:
    """The message as one line of ASCII, without a newline: byte for byte as the official package writes it.

    Raises:
        UnserializableError: a param cannot become JSON; its path starts with the method and the param.
    """
    try:
        return encode(message).encode("ascii")
    except Exception:  # noqa: BLE001 - json tells neither the place nor what could be converted; the walk does
        return _encode_by_param(message)


def _encode_by_param(message: PipesMessage) -> bytes:
    method, params = message["method"], message["params"]
    walked = None if params is None else {key: plain(value, where=f"{method}: {key}") for key, value in params.items()}
    return dumps({**message, "params": walked}, where=method).encode("ascii")


def parse_line(line: bytes | str) -> PipesMessage | None:
    """The message in one line, or None if the line is ordinary output: anything but a JSON object with
    the version field. The version's value is not looked at; unknown keys of the envelope are left out.

    Raises:
        MalformedMessageError: the line claims to be a message and is none.
    """
    try:
        decoded = json.loads(line if isinstance(line, str) else line.decode("utf-8"))
    except json.JSONDecodeError:
        return None
    except (ValueError, RecursionError) as error:  # not UTF-8; more digits or more nesting than Python reads
        if not _claims_to_be_one(line):
            return None
        fault = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "has too long a number or too deep nesting"
        raise MalformedMessageError(f"a message of {len(line)} characters {fault}") from None
    if not isinstance(decoded, dict) or VERSION_FIELD not in decoded:
        return None
    return _checked(decoded)


def _claims_to_be_one(line: bytes | str) -> bool:
    return VERSION_FIELD in line if isinstance(line, str) else VERSION_FIELD.encode() in line


def _checked(decoded: dict[str, Any]) -> PipesMessage:
    method = decoded.get("method")
    if not isinstance(method, str):
        _refuse("a message", decoded, "method", "a string")
    params = decoded.get("params")
    if "params" not in decoded or not (params is None or isinstance(params, dict)):
        _refuse(f"a message {clip(method)}", decoded, "params", "an object or null")
    return cast(PipesMessage, {VERSION_FIELD: decoded[VERSION_FIELD], "method": method, "params": params})


def _refuse(what: str, decoded: dict[str, Any], key: str, wanted: str) -> NoReturn:
    if key not in decoded:
        raise MalformedMessageError(f"{what} has no `{key}`")
    raise MalformedMessageError(f"{what}: `{key}` must be {wanted}, not {json_type(decoded[key])}")
