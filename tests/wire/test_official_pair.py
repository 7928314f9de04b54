"""The official package as the other half: it reads what we write, and we write what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster_pipes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import DagsterPipesError, UnserializableError
from blobpipes.wire import messages as wire
from blobpipes.wire.asset_keys import escape_asset_key, parse_asset_key
from blobpipes.wire.context import parse_context
from blobpipes.wire.exceptions import describe_exception
from blobpipes.wire.metadata import PipesMetadataType, normalize_metadata
from blobpipes.wire.params import CONTEXT_ENV_VAR, MESSAGES_ENV_VAR, decode_param, encode_param

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(), json_values, max_size=4)


class Recorder(dagster_pipes.PipesContextLoader, dagster_pipes.PipesMessageWriter[Any]):
    """Loader, writer and channel of an official context: keeps the messages, as the official channels write them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @contextmanager
    def load_context(self, params: Any) -> Iterator[Any]:
        yield parse_context({"run_id": "r", "asset_keys": ["a"]})

    @contextmanager
    def open(self, params: Any) -> Iterator[Any]:
        yield self

    def write_message(self, message: Any) -> None:
        self.lines.append(json.dumps(message).encode())


def official_context() -> tuple[dagster_pipes.PipesContext, list[bytes]]:
    recorder = Recorder()
    loader = dagster_pipes.PipesMappingParamsLoader(
        {CONTEXT_ENV_VAR: encode_param({}), MESSAGES_ENV_VAR: encode_param({})}
    )
    context = dagster_pipes.PipesContext(params_loader=loader, context_loader=recorder, message_writer=recorder)
    return context, recorder.lines


def test_a_whole_exchange_has_the_bytes_of_the_official_package() -> None:
    context, official = official_context()
    metadata = {"rows": 10, "typed": {"type": "json", "raw_value": {"é": [1.5, float("nan")]}}, "none": None}
    context.log.warning("hé %s", 1)
    context.report_asset_materialization(metadata, data_version="7")
    context.report_asset_check("c", False, severity="WARN", metadata=metadata)
    context.report_asset_check("c", True)
    context.report_custom_message({"p": [1, None, float("inf")]})
    context.log_external_stream("stderr", "text\n")
    error = ValueError("no rows")
    with pytest.raises(ValueError, match="no rows"), context:
        raise error
    ours = [
        wire.opened(),
        wire.log("hé 1", "WARNING"),
        wire.asset_materialization("a", data_version="7", metadata=metadata),
        wire.asset_check("a", "c", False, severity="WARN", metadata=metadata),
        wire.asset_check("a", "c", True),
        wire.custom({"p": [1, None, float("inf")]}),
        wire.external_stream("stderr", "text\n"),
    ]
    assert [wire.encode_message(message) for message in ours] == official[:-1]
    closed = wire.parse_line(official[-1])
    assert closed is not None
    payload = wire.parse_payload(closed)
    assert isinstance(payload, wire.Closed)
    assert payload.exception is not None
    assert payload.exception["message"] == describe_exception(error)["message"]


@given(json_values)
def test_params_have_the_same_text_and_go_both_ways(value: Any) -> None:
    text = encode_param(value)
    assert text == dagster_pipes.encode_param(value)
    # compared as text, because NaN is unlike itself
    assert json.dumps(decode_param(dagster_pipes.encode_param(value))) == json.dumps(value)
    assert json.dumps(dagster_pipes.decode_param(text)) == json.dumps(value)


@st.composite
def damaged_texts(draw: st.DrawFn) -> str:
    text = encode_param(draw(objects))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(alphabet='\n "-_=Ae+/\u00e9', max_size=3)) + text[at + draw(st.integers(0, 2)) :]


@given(st.text() | damaged_texts())
def test_our_decoder_takes_exactly_what_the_official_one_takes(text: str) -> None:
    try:
        official = dagster_pipes.decode_param(text)
    except Exception:
        with pytest.raises(DagsterPipesError):
            decode_param(text)
    else:
        assert json.dumps(decode_param(text)) == json.dumps(official)


@given(json_values)
def test_custom_messages_have_the_same_bytes_and_come_back(payload: Any) -> None:
    context, official = official_context()
    context.report_custom_message(payload)
    line = wire.encode_message(wire.custom(payload))
    assert line == official[-1]
    message = wire.parse_line(line)
    assert message is not None
    assert json.dumps(wire.parse_payload(message).payload) == json.dumps(payload)  # type: ignore[union-attr]


bare_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(json_values, max_size=3)
fitting_values = st.one_of(
    st.builds(lambda raw: {"type": "json", "raw_value": raw}, objects | st.lists(json_values, max_size=3)),
    st.builds(lambda kind, raw: {"raw_value": raw, "type": kind}, st.sampled_from(["text", "md", "path"]), st.text()),
    st.builds(lambda raw: {"raw_value": raw, "type": "int"}, st.integers()),
    st.builds(lambda kind, raw: {"type": kind, "raw_value": raw}, st.sampled_from(["float", "timestamp"]), st.floats()),
    st.builds(lambda raw: {"type": "__infer__", "raw_value": raw}, json_values),
)


@given(st.dictionaries(st.text(), bare_values | fitting_values, min_size=1, max_size=4))
def test_metadata_is_normalized_to_the_same_bytes(metadata: dict[str, Any]) -> None:
    official = dagster_pipes._normalize_param_metadata(metadata, "m", "metadata")
    assert json.dumps(normalize_metadata(metadata, method="m")) == json.dumps(official)


@given(st.dictionaries(st.text() | st.integers(), json_values, min_size=1, max_size=3))
def test_metadata_that_the_official_package_refuses_is_refused(metadata: dict[Any, Any]) -> None:
    try:
        official = dagster_pipes._normalize_param_metadata(metadata, "m", "metadata")
    except dagster_pipes.DagsterPipesError:
        with pytest.raises(DagsterPipesError):
            normalize_metadata(metadata, method="m")
    else:
        assert json.dumps(normalize_metadata(metadata, method="m")) == json.dumps(official)


def test_what_the_official_package_cannot_send_is_an_error_there_too_or_becomes_json_here() -> None:
    with pytest.raises(TypeError):
        official_context()[0].report_custom_message(object())
    with pytest.raises(UnserializableError):
        wire.encode_message(wire.custom(object()))


@given(st.lists(st.text(alphabet="ab/\\", max_size=4), max_size=4), st.text(alphabet="ab/\\"))
def test_asset_keys_are_split_as_the_official_package_splits_them(parts: list[str], text: str) -> None:
    assert parse_asset_key(escape_asset_key(parts)) == dagster_pipes.to_asset_key_path(escape_asset_key(parts))
    assert parse_asset_key(text) == dagster_pipes.to_asset_key_path(text)


def test_the_names_and_types_of_the_protocol_are_the_official_ones() -> None:
    assert wire.PROTOCOL_VERSION == dagster_pipes.PIPES_PROTOCOL_VERSION
    assert wire.VERSION_FIELD == dagster_pipes.PIPES_PROTOCOL_VERSION_FIELD
    assert wire.Method.__args__ == dagster_pipes.Method.__args__  # type: ignore[attr-defined]
    assert PipesMetadataType.__args__ == dagster_pipes.PipesMetadataType.__args__  # type: ignore[attr-defined]
    assert list(wire.PipesMessage.__annotations__) == ["__dagster_pipes_version", "method", "params"]
    assert CONTEXT_ENV_VAR == dagster_pipes.DAGSTER_PIPES_CONTEXT_ENV_VAR
    assert MESSAGES_ENV_VAR == dagster_pipes.DAGSTER_PIPES_MESSAGES_ENV_VAR
