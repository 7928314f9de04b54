"""What one line of the messages file means: a protocol line as any library writes it, or a shorthand of it.

The shorthand is what a shell script can say with `echo`: the method and its params, everything else completed.
Both are checked here, because an official reader stops for good at a message that it does not understand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from blobpipes.errors import DagsterPipesError, MalformedMessageError
from blobpipes.wire import builders
from blobpipes.wire.checks import clip, json_type
from blobpipes.wire.exceptions import parse_exception
from blobpipes.wire.messages import VERSION_FIELD, Log, PipesMessage, parse_line, parse_payload

_VERSION: Final = VERSION_FIELD.encode()
DefaultAsset = Callable[[], str]  # the step's only asset; raises DagsterPipesError if it has not exactly one


def message_of(line: bytes, default_asset: DefaultAsset) -> PipesMessage:
    """The message in one line.

    Raises:
        MalformedMessageError: there is none; one sentence says why.
    """
    message = parse_line(line) if _VERSION in line else None
    if message is None:
        return _from_shorthand(_decoded(line), default_asset)
    payload = parse_payload(message)
    if isinstance(payload, Log):  # other languages write `info` or `WARN`, which an official reader refuses
        return builders.log(payload.message, payload.level)
    return message


def _decoded(line: bytes) -> Mapping[str, Any]:
    try:
        decoded = json.loads(line)
    except UnicodeDecodeError:
        raise MalformedMessageError("it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(f"it is not JSON: {error}") from None
    if not isinstance(decoded, dict):
        raise MalformedMessageError(f"it is {json_type(decoded)}, not an object")
    return decoded


def _from_shorthand(decoded: Mapping[str, Any], default_asset: DefaultAsset) -> PipesMessage:
    method = decoded.get("method")
    build = _BUILDERS.get(method) if isinstance(method, str) else None
    if build is None:
        known = ", ".join(_BUILDERS)
        what = "it has no `method`" if method is None else f"unknown method {clip(method)}"
        raise MalformedMessageError(f"{what}; the methods are {known}")
    params = decoded.get("params") or {}
    if not isinstance(params, dict):
        raise MalformedMessageError(f"{method}: `params` must be an object, not {json_type(params)}")
    for name in decoded.keys() - {"method", "params"}:
        raise MalformedMessageError(f"{method}: {clip(name)} stands beside `params`; it belongs inside")
    return build(_Params(str(method), params, default_asset))


class _Params:
    """The params of one shorthand line."""

    def __init__(self, method: str, values: Mapping[str, Any], default_asset: DefaultAsset) -> None:
        self.method = method
        self.values = values
        self._default_asset = default_asset

    def checked(self, *required: str, optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
        """The values, if they are those of the method. A missing asset key is the step's only asset."""
        values = dict(self.values)
        if "asset_key" in required and "asset_key" not in values:
            values["asset_key"] = self._only_asset()
        for name in values:
            if name not in required and name not in optional:
                raise MalformedMessageError(f"{self.method}: {clip(name)} is no param of it")
        for name in required:
            if name not in values:
                raise MalformedMessageError(f"{self.method}: `{name}` is missing")
        return values

    def built(self, build: Callable[..., PipesMessage], *required: str, optional: tuple[str, ...] = ()) -> PipesMessage:
        """The message, checked by its builder."""
        values = self.checked(*required, optional=optional)
        try:
            return build(**values)
        except DagsterPipesError as error:
            raise MalformedMessageError(f"{self.method}: {error.message}") from None

    def _only_asset(self) -> str:
        try:
            return self._default_asset()
        except DagsterPipesError as error:
            raise MalformedMessageError(f"{self.method}: {error.message}") from None


def _opened(params: _Params) -> PipesMessage:
    return params.built(builders.opened, optional=("extras",))


def _closed(params: _Params) -> PipesMessage:
    exception = params.checked(optional=("exception",)).get("exception")
    return builders.closed(parse_exception(exception) if exception else None)


def _log(params: _Params) -> PipesMessage:
    return params.built(builders.log, "message", optional=("level",))


def _materialization(params: _Params) -> PipesMessage:
    return params.built(builders.asset_materialization, "asset_key", optional=("data_version", "metadata"))


def _check(params: _Params) -> PipesMessage:
    return params.built(
        builders.asset_check, "asset_key", "check_name", "passed", optional=("severity", "metadata")
    )  # fmt: skip


def _custom(params: _Params) -> PipesMessage:
    return params.built(builders.custom, "payload")


def _stream(params: _Params) -> PipesMessage:
    return params.built(builders.external_stream, "stream", "text", optional=("extras",))


_BUILDERS: Final[Mapping[str, Callable[[_Params], PipesMessage]]] = {
    "log": _log,
    "report_asset_materialization": _materialization,
    "report_asset_check": _check,
    "report_custom_message": _custom,
    "log_external_stream": _stream,
    "opened": _opened,
    "closed": _closed,
}
