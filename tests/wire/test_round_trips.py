"""Whatever goes out comes back, and nothing that comes in can raise any error but the ones promised."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from blobpipes.errors import DagsterPipesError, MalformedMessageError
from blobpipes.wire import messages as wire
from blobpipes.wire.context import encode_context, parse_context
from blobpipes.wire.log_levels import LEVELS
from blobpipes.wire.metadata import PipesMetadataType, parse_metadata
from blobpipes.wire.params import decode_param, decode_params, encode_param

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)


def json_from(keys: st.SearchStrategy[str], leaves: st.SearchStrategy[Any] = scalars) -> st.SearchStrategy[Any]:
    """JSON values whose objects have keys that the protocol knows: random keys would all be refused at once."""
    return st.recursive(
        leaves,
        lambda parts: st.lists(parts, max_size=4) | st.dictionaries(keys, parts, max_size=6),
        max_leaves=25,
    )


WORDS = [
    "__dagster_pipes_version",
    "method",
    "params",
    "extras",
    "exception",
    "message",
    "stack",
    "name",
    "cause",
    "context",
    "level",
    "asset_key",
    "data_version",
    "metadata",
    "check_name",
    "passed",
    "severity",
    "payload",
    "stream",
    "text",
    "type",
    "raw_value",
    "records",
    "schema",
    "columns",
    "description",
    "tags",
    "constraints",
    "nullable",
    "unique",
    "other",
    "deps_by_column",
    "column_name",
]
VALUES = [*wire.Method.__args__, *PipesMetadataType.__args__, *LEVELS, "WARN", "stdout", "0.1", "a"]  # type: ignore[attr-defined]
known_words = st.sampled_from(WORDS) | st.text(max_size=3)
known_leaves = scalars | st.sampled_from(VALUES)
protocol_json = json_from(known_words, known_leaves)
params = st.none() | st.dictionaries(known_words, protocol_json, max_size=6)
plain_json = json_from(st.text(max_size=5))
objects = st.dictionaries(st.text(max_size=5), plain_json, max_size=4)


def through(message: wire.PipesMessage) -> wire.Payload:
    received = wire.parse_line(wire.encode_message(message))
    assert received == message
    return wire.parse_payload(received)


@given(st.text(), st.sampled_from(list(LEVELS)))
def test_logs_round_trip(text: str, level: str) -> None:
    assert through(wire.log(text, level)) == wire.Log(text, LEVELS[level])


@given(st.text(min_size=1), st.none() | st.text(), st.dictionaries(st.text(), st.lists(plain_json, max_size=3)))
def test_materializations_round_trip(key: str, version: str | None, metadata: dict[str, Any]) -> None:
    typed = {label: {"type": "__infer__", "raw_value": raw} for label, raw in metadata.items()}
    sent = wire.asset_materialization(key, data_version=version, metadata=metadata)
    assert through(sent) == wire.AssetMaterialization(key, version, typed)  # type: ignore[arg-type]


@given(st.text(min_size=1), st.text(), st.booleans(), st.sampled_from(["WARN", "ERROR"]))
def test_checks_round_trip(key: str, name: str, passed: bool, severity: Any) -> None:
    sent = wire.asset_check(key, name, passed, severity=severity)
    assert through(sent) == wire.AssetCheck(key, name, passed, severity, {})


@given(plain_json)
def test_custom_messages_round_trip(payload: Any) -> None:
    assert through(wire.custom(payload)) == wire.CustomMessage(payload)


@given(objects, st.sampled_from(["stdout", "stderr"]), st.text())
def test_openings_and_streams_round_trip(extras: dict[str, Any], stream: Any, text: str) -> None:
    assert through(wire.opened(extras)) == wire.Opened(extras)
    assert through(wire.external_stream(stream, text, extras)) == wire.ExternalStream(stream, text, extras)


@given(objects, st.none() | st.lists(st.text()), st.integers(0))
def test_contexts_round_trip(extras: dict[str, Any], asset_keys: list[str] | None, retry: int) -> None:
    data = parse_context({"run_id": "r", "extras": extras, "asset_keys": asset_keys, "retry_number": retry})
    assert parse_context(json.loads(encode_context(data))) == data


@given(plain_json)
def test_params_round_trip(value: Any) -> None:
    assert decode_param(encode_param(value)) == value


# --- nothing but the promised errors ------------------------------------------------------------------


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What the function gives, or the promised error that it raises; any other error fails the test."""
    try:
        return function(*args)
    except DagsterPipesError as error:
        return error


@given(st.text() | st.binary() | protocol_json.map(json.dumps))
@example('{"__dagster_pipes_version": 1, "method": "log", "params": ' + "[" * 5000)
def test_no_line_raises_anything_but_a_malformed_message(line: str | bytes) -> None:
    with contextlib.suppress(MalformedMessageError):
        wire.parse_line(line)


@given(st.dictionaries(st.sampled_from(["method", "params", "__dagster_pipes_version"]), protocol_json))
def test_no_object_with_the_version_field_raises_anything_but_a_malformed_message(decoded: dict[str, Any]) -> None:
    with contextlib.suppress(MalformedMessageError):
        wire.parse_line(json.dumps({"__dagster_pipes_version": "0.1", **decoded}))
    with contextlib.suppress(MalformedMessageError):
        wire.parse_payload(decoded)  # type: ignore[arg-type]


@given(st.sampled_from(wire.Method.__args__), params)  # type: ignore[attr-defined]
def test_no_params_raise_anything_but_a_malformed_message_of_one_line(method: Any, raw: Any) -> None:
    came = outcome(wire.parse_payload, wire.make_message(method, raw))
    if isinstance(came, MalformedMessageError):
        assert came.message.startswith(f"{method}: ")
        assert "\n" not in came.message
    else:
        assert isinstance(came, wire.Payload.__args__)  # type: ignore[attr-defined]


@given(
    protocol_json
    | st.dictionaries(st.text(), st.fixed_dictionaries({"type": known_leaves, "raw_value": protocol_json}))
)
def test_no_metadata_raises_anything_but_a_malformed_message(raw: Any) -> None:
    with contextlib.suppress(MalformedMessageError):
        for value in parse_metadata(raw).values():
            assert value["type"] in PipesMetadataType.__args__  # type: ignore[attr-defined]


CONTEXT_KEYS = list(parse_context({"run_id": "r"}))
context_json = json_from(
    st.sampled_from([*CONTEXT_KEYS, "start", "end", "code_version", "input_data_versions", "is_user_provided"])
)


@given(context_json | st.dictionaries(st.sampled_from(CONTEXT_KEYS), context_json))
def test_no_context_raises_anything_but_a_pipes_error(data: Any) -> None:
    came = outcome(parse_context, data)
    if isinstance(came, DagsterPipesError):
        assert "\n" not in came.message
    else:
        assert list(came) == CONTEXT_KEYS


@given(st.text() | st.binary().map(str) | plain_json | st.text().map(encode_param).map(lambda text: text[:-4]))
def test_no_bootstrap_value_raises_anything_but_a_pipes_error(value: Any) -> None:
    with contextlib.suppress(DagsterPipesError):
        decode_params(value)
