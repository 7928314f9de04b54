"""Messages that come in: what is taken, what is refused, and what the refusal says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from blobpipes.errors import DagsterPipesError, MalformedMessageError, UnserializableError
from blobpipes.wire import messages as wire
from blobpipes.wire.messages import PipesMessage, encode_message, make_message, parse_line, parse_payload

ENVELOPE = '{"__dagster_pipes_version": "0.1", '


def received(method: Any, params: Any) -> PipesMessage:
    """A message as it comes off the wire."""
    line = json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": params})
    message = parse_line(line)
    assert message is not None
    return message


# --- lines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "hello",
        "3",
        "null",
        '"text"',
        "[1, 2]",
        "{}",
        '{"method": "log", "params": {}}',
        '{"blobpipes": {"v": 1}}',
        "INFO " + ENVELOPE + '"method": "closed", "params": {}}',
        ENVELOPE + '"method": "closed", "par',
        "9" * 5000,
        "[" * 100_000,
    ],
    ids=lambda line: line[:20],
)
def test_a_line_that_is_no_object_with_the_version_field_is_ordinary_output(line: str) -> None:
    assert parse_line(line) is None
    assert parse_line(line.encode()) is None


def test_bytes_that_are_no_text_are_ordinary_output() -> None:
    line = ENVELOPE + '"method": "closed", "params": {}}'
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        assert parse_line(line.encode(encoding)) is None
    assert parse_line(b"\xff\xfe\x80") is None


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(ending: str) -> None:
    assert parse_line(ENVELOPE + '"method": "closed", "params": {}}' + ending) == wire.closed()


@pytest.mark.parametrize("version", ['"0.1"', '"9.9"', "null", "7", "{}"])
def test_the_value_of_the_version_is_not_looked_at(version: str) -> None:
    message = parse_line('{"__dagster_pipes_version": ' + version + ', "method": "closed", "params": null}')
    assert message is not None
    assert parse_payload(message) == wire.Closed()


def test_key_order_spacing_raw_unicode_and_unicode_line_ends_do_not_matter() -> None:
    line = '{"params":{"level":"INFO","message":"é\u2028\u0085x"},"method":"log","__dagster_pipes_version":"0.1"}'
    message = parse_line(line.encode())
    assert message is not None
    assert parse_payload(message) == wire.Log("é\u2028\u0085x", 20)


def test_unknown_keys_of_the_envelope_are_left_out() -> None:
    message = parse_line(ENVELOPE + '"__blobpipes": {"n": 1}, "method": "closed", "params": {}}')
    assert message == {"__dagster_pipes_version": "0.1", "method": "closed", "params": {}}


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        ("}", "a message has no `method`"),
        (', "method": "log"}', "a message 'log' has no `params`"),
        (', "params": {}}', "a message has no `method`"),
        (', "method": 3, "params": {}}', "a message: `method` must be a string, not a number"),
        (', "method": "log", "params": []}', "a message 'log': `params` must be an object or null, not an array"),
        (', "method": "l\\no", "params": 1}', "a message 'l\\no': `params` must be an object or null, not a number"),
    ],
)
def test_an_object_with_the_version_field_but_without_a_messages_shape_is_malformed(rest: str, text: str) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse_line('{"__dagster_pipes_version": "0.1"' + rest)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (ENVELOPE.encode() + b'"method": "log", "params": {"message": "\xff"}}', "is not UTF-8"),
        (
            ENVELOPE + '"method": "report_custom_message", "params": {"payload": ' + "9" * 5000 + "}}",
            "too long a number",
        ),
        (ENVELOPE + '"method": "report_custom_message", "params": {"payload": ' + "[" * 100_000, "too deep nesting"),
    ],
    ids=["bytes", "digits", "nesting"],
)
def test_a_message_that_python_cannot_read_is_not_passed_on_as_output(line: bytes | str, fault: str) -> None:
    with pytest.raises(MalformedMessageError, match=fault):
        parse_line(line)


# --- params that are taken ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "payload"),
    [
        ("opened", {"extras": {"a": 1}}, wire.Opened({"a": 1})),
        ("opened", {"extras": {}}, wire.Opened()),
        ("opened", {}, wire.Opened()),
        ("opened", None, wire.Opened()),
        ("opened", {"extras": None}, wire.Opened()),
        ("opened", {"extras": []}, wire.Opened()),
        ("opened", {"extras": {}, "more": 1}, wire.Opened()),
        ("closed", {}, wire.Closed()),
        ("closed", None, wire.Closed()),
        ("closed", {"exception": None}, wire.Closed()),
        ("closed", {"more": 1}, wire.Closed()),
        ("log", {"message": "x", "level": "INFO"}, wire.Log("x", 20)),
        ("log", {"message": "x"}, wire.Log("x", 20)),
        ("log", {"message": "x", "level": "warn"}, wire.Log("x", 30)),
        ("log", {"message": "x", "level": "FATAL"}, wire.Log("x", 50)),
        ("log", {"message": "x", "level": 15}, wire.Log("x", 15)),
        ("log", {"message": "x", "level": "Level 25"}, wire.Log("x", 25)),
        (
            "report_asset_materialization",
            {"asset_key": "a", "data_version": None, "metadata": None},
            wire.AssetMaterialization("a", None, {}),
        ),
        (
            "report_asset_materialization",
            {"asset_key": "a", "data_version": "7", "metadata": {"n": {"raw_value": 1, "type": "int"}}},
            wire.AssetMaterialization("a", "7", {"n": {"type": "int", "raw_value": 1}}),
        ),
        (
            "report_asset_check",
            {"asset_key": "a", "check_name": "c", "passed": True, "severity": "WARN", "metadata": None},
            wire.AssetCheck("a", "c", True, "WARN", {}),
        ),
        ("report_custom_message", {"payload": None}, wire.CustomMessage(None)),
        ("report_custom_message", {"payload": [1, {"a": None}]}, wire.CustomMessage([1, {"a": None}])),
        ("log_external_stream", {"stream": "stdout", "text": "a\nb"}, wire.ExternalStream("stdout", "a\nb")),
        (
            "log_external_stream",
            {"stream": "stderr", "text": "", "extras": {"pid": 1}},
            wire.ExternalStream("stderr", "", {"pid": 1}),
        ),
        ("log_external_stream", {"stream": "stderr", "text": "", "extras": None}, wire.ExternalStream("stderr", "")),
    ],
)
def test_params_become_a_typed_payload(method: str, params: Any, payload: wire.Payload) -> None:
    assert parse_payload(received(method, params)) == payload


def test_the_exception_of_a_rust_writer_is_seen_though_it_stands_directly_in_the_params() -> None:
    params = {"message": "disk full", "stack": [], "name": "Io", "cause": None, "context": None}
    assert parse_payload(received("closed", params)) == wire.Closed(params)  # type: ignore[arg-type]


@pytest.mark.parametrize("exception", ["disk full", "", 3, [1], {}, {"message": None}, {"stack": None}, {"cause": []}])
def test_closed_with_an_odd_exception_still_says_that_the_process_failed(exception: Any) -> None:
    payload = parse_payload(received("closed", {"exception": exception}))
    assert isinstance(payload, wire.Closed)
    assert payload.exception is not None
    assert payload.exception["message"]


# --- params that are refused -------------------------------------------------------------------------

CHECK = {"asset_key": "a", "check_name": "c", "passed": True, "severity": "WARN", "metadata": None}
ASSET = {"asset_key": "a", "data_version": None, "metadata": None}


def without(params: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != key}


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("bogus", {}, "unknown method 'bogus'"),
        ("", None, "unknown method ''"),
        ("log", None, "log: `message` is missing"),
        ("log", {}, "log: `message` is missing"),
        ("log", {"message": 3}, "log: `message` must be a string, not a number"),
        ("log", {"message": None}, "log: `message` must be a string, not null"),
        ("log", {"message": "x", "level": "NOTICE"}, "log: `level`: unknown log level: 'NOTICE'"),
        ("log", {"message": "x", "level": None}, "log: `level`: unknown log level: null"),
        ("log", {"message": "x", "level": True}, "log: `level`: unknown log level: true"),
        ("log", {"message": "x", "level": 1.5}, "log: `level`: unknown log level: a number"),
        ("log", {"message": "x", "colour": 1}, "log: 'colour' is no param of it"),
        ("report_asset_materialization", None, "report_asset_materialization: `asset_key` is missing"),
        *(
            ("report_asset_materialization", without(ASSET, key), f"report_asset_materialization: `{key}` is missing")
            for key in ASSET
        ),
        (
            "report_asset_materialization",
            {**ASSET, "asset_key": ["a"]},
            "report_asset_materialization: `asset_key` must be a string, not an array",
        ),
        (
            "report_asset_materialization",
            {**ASSET, "data_version": 7},
            "report_asset_materialization: `data_version` must be a string, not a number",
        ),
        (
            "report_asset_materialization",
            {**ASSET, "metadata": []},
            "report_asset_materialization: `metadata` must be an object or null, not an array",
        ),
        (
            "report_asset_materialization",
            {**ASSET, "metadata": {"m": {"type": "job", "raw_value": "x"}}},
            "report_asset_materialization: metadata['m'] has the unknown type 'job'",
        ),
        *(("report_asset_check", without(CHECK, key), f"report_asset_check: `{key}` is missing") for key in CHECK),
        ("report_asset_check", {**CHECK, "x": 1}, "report_asset_check: 'x' is no param of it"),
        (
            "report_asset_check",
            {**CHECK, "passed": 1},
            "report_asset_check: `passed` must be true or false, not a number",
        ),
        (
            "report_asset_check",
            {**CHECK, "severity": "warn"},
            "report_asset_check: `severity` must be WARN or ERROR, not 'warn'",
        ),
        (
            "report_asset_check",
            {**CHECK, "severity": None},
            "report_asset_check: `severity` must be WARN or ERROR, not None",
        ),
        (
            "report_asset_check",
            {**CHECK, "check_name": False},
            "report_asset_check: `check_name` must be a string, not false",
        ),
        ("report_custom_message", {}, "report_custom_message: `payload` is missing"),
        ("report_custom_message", {"payload": 1, "x": 2}, "report_custom_message: 'x' is no param of it"),
        (
            "log_external_stream",
            {"stream": "stdin", "text": ""},
            "log_external_stream: `stream` must be stdout or stderr, not 'stdin'",
        ),
        ("log_external_stream", {"stream": "stdout"}, "log_external_stream: `text` is missing"),
        (
            "log_external_stream",
            {"stream": "stdout", "text": "", "extras": []},
            "log_external_stream: `extras` must be an object, not an array",
        ),
    ],
)
def test_params_that_dagster_would_refuse_are_malformed(method: str, params: Any, text: str) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse_payload(received(method, params))
    assert caught.value.message == text


@pytest.mark.parametrize(
    "message", [{}, {"method": ["x"]}, {"method": "log", "params": [1]}, {"method": "closed", "params": 0}]
)
def test_a_users_reader_may_hand_over_anything(message: Any) -> None:
    with pytest.raises(MalformedMessageError):
        parse_payload(message)


def test_an_error_is_one_line_and_short_whatever_the_message_held() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse_payload(received("log", {"message": "x", "a\nb" * 10_000: 1}))
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 120


# --- messages that go out ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "name"),
    [("INFO", "INFO"), ("warn", "WARNING"), ("FATAL", "CRITICAL"), (25, "INFO"), ("Level 35", "WARNING"), (5, "DEBUG")],
)
def test_a_log_goes_out_with_one_of_the_five_level_names(level: str | int, name: str) -> None:
    assert wire.log("x", level)["params"] == {"message": "x", "level": name}


@pytest.mark.parametrize("passed", [True, False, np.bool_(True), np.array([1.0, 2.0]).all()])
def test_a_check_passes_or_not_also_by_numpys_word(passed: Any) -> None:
    params = wire.asset_check("a", "c", passed)["params"]
    assert params is not None
    assert params["passed"] is bool(passed)


REFUSED_CALLS: list[tuple[Any, str]] = [
    (lambda: wire.log(3), "`message` of `log` must be a string, not int"),  # type: ignore[arg-type]
    (lambda: wire.log("x", "NOTICE"), "unknown log level: 'NOTICE'"),
    (lambda: wire.log("x", ["INFO"]), "unknown log level: an array"),  # type: ignore[arg-type]
    (lambda: wire.opened([1]), "`extras` of `opened` must be a mapping or None, not list"),  # type: ignore[arg-type]
    (lambda: wire.asset_materialization(""), "`asset_key` of `report_asset_materialization` is empty"),
    (
        lambda: wire.asset_materialization(["a"]),  # type: ignore[arg-type]
        "`asset_key` of `report_asset_materialization` must be a string, not list",
    ),
    (
        lambda: wire.asset_materialization("a", data_version=7),  # type: ignore[arg-type]
        "`data_version` of `report_asset_materialization` must be a string or None, not int",
    ),
    (
        lambda: wire.asset_check("a", 7, True),  # type: ignore[arg-type]
        "`check_name` of `report_asset_check` must be a string, not int",
    ),
    (
        lambda: wire.asset_check("a", "c", 1),  # type: ignore[arg-type]
        "`passed` of `report_asset_check` must be a bool, not int",
    ),
    (
        lambda: wire.asset_check("a", "c", np.array([True])),  # type: ignore[arg-type]
        "`passed` of `report_asset_check` must be a bool, not ndarray",
    ),
    (lambda: wire.asset_check("a", "c", True, severity="warn"), "`severity` of `report_asset_check` is 'warn'"),
    (
        lambda: wire.asset_check("a", "c", True, severity=None),  # type: ignore[arg-type]
        "`severity` of `report_asset_check` is None",
    ),
    (
        lambda: wire.external_stream("stdin", "x"),
        "`stream` of `log_external_stream` must be stdout or stderr, not 'stdin'",
    ),
    (
        lambda: wire.external_stream("stdout", b"x"),  # type: ignore[arg-type]
        "`text` of `log_external_stream` must be a string, not bytes",
    ),
]


@pytest.mark.parametrize(("call", "text"), REFUSED_CALLS, ids=[text for _, text in REFUSED_CALLS])
def test_a_call_that_an_official_reader_would_die_of_is_refused(call: Any, text: str) -> None:
    with pytest.raises(DagsterPipesError) as caught:
        call()
    assert caught.value.message == text


def test_a_message_that_cannot_become_json_names_method_param_and_path() -> None:
    message = wire.custom({"rows": [1, {"bad": object()}]})
    with pytest.raises(UnserializableError) as caught:
        encode_message(message)
    assert caught.value.message == "report_custom_message: payload['rows'][1]['bad'] (object) cannot become JSON"


def test_a_message_without_params_is_encoded() -> None:
    assert encode_message(make_message("closed", None)).endswith(b'"params": null}')


def test_a_message_with_keys_that_json_lacks_is_encoded_by_the_walk() -> None:
    payload = {np.int64(1): {2, 1}}
    assert encode_message(wire.custom(payload)) == encode_message(wire.custom({"1": [1, 2]}))


def test_an_encoded_message_is_one_line_whatever_it_holds() -> None:
    line = encode_message(wire.log("a\nb\r\n\u2028\u0085\x00 \udc80"))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    message = parse_line(line)
    assert message is not None
    assert parse_payload(message) == wire.Log("a\nb\r\n\u2028\u0085\x00 \udc80", 20)


def test_a_value_changed_after_the_call_does_not_change_the_encoded_message() -> None:
    payload = {"rows": [1]}
    line = encode_message(wire.custom(payload))
    payload["rows"].append(2)
    assert b"[1]" in line
