"""What a line of the messages file means, and how a line that means nothing is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, MalformedMessageError
from blobpipes.external.supervisor.lines import message_of
from blobpipes.wire.messages import PipesMessage, asset_materialization, encode_message, log, parse_payload


def no_asset() -> str:
    raise DagsterPipesError("`asset_key` is missing, and the step has 2 assets")


def said(method: Any, params: Any = None, **more: Any) -> PipesMessage:
    line = json.dumps({"method": method, **({} if params is None else {"params": params}), **more})
    return message_of(line.encode(), lambda: "orders")


def test_a_protocol_line_passes_as_it_is() -> None:
    message = asset_materialization("a", data_version="v1", metadata={"rows": 3})
    assert message_of(encode_message(message), no_asset) == message


@pytest.mark.parametrize(("level", "sent"), [("warn", "WARNING"), ("info", "INFO"), ("FATAL", "CRITICAL")])
def test_a_level_that_an_official_reader_refuses_becomes_one_that_it_takes(level: str, sent: str) -> None:
    message = log("hello")
    assert message["params"] is not None
    line = json.dumps({**message, "params": {**message["params"], "level": level}})
    assert message_of(line.encode(), no_asset)["params"] == {"message": "hello", "level": sent}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("log", {"message": "hello"}),
        ("log", {"message": "hello", "level": "error"}),
        ("report_asset_materialization", None),
        ("report_asset_materialization", {"asset_key": "a", "data_version": "1", "metadata": {"rows": 3}}),
        ("report_asset_check", {"check_name": "c", "passed": True}),
        ("report_asset_check", {"asset_key": "a", "check_name": "c", "passed": False, "severity": "WARN"}),
        ("report_custom_message", {"payload": [1, None]}),
        ("log_external_stream", {"stream": "stdout", "text": "x\n"}),
        ("opened", None),
        ("closed", {"exception": "out of luck"}),
    ],
)
def test_a_shorthand_becomes_a_whole_message_that_a_reader_understands(method: str, params: Any) -> None:
    message = said(method, params)
    assert message["__dagster_pipes_version"] == "0.1"
    parse_payload(json.loads(encode_message(message)))


def test_a_bare_metadata_value_gets_its_type_and_a_missing_key_is_the_steps_only_asset() -> None:
    assert said("report_asset_materialization", {"metadata": {"rows": 3}})["params"] == {
        "asset_key": "orders",
        "data_version": None,
        "metadata": {"rows": {"raw_value": 3, "type": "__infer__"}},
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello", "it is not JSON"),
        (b'{"method":"log","params":{"message":', "it is not JSON"),
        (b'\xff{"method":"log"}', "it is not UTF-8"),
        (b"[1]", "it is an array, not an object"),
        (b"{}", "it has no `method`"),
        (b'{"method":"shout"}', "unknown method 'shout'; the methods are log, "),
        (b'{"method":7}', "unknown method 7"),
        (b'{"method":"log","params":[1]}', "log: `params` must be an object, not an array"),
        (b'{"method":"log","message":"x"}', "log: 'message' stands beside `params`"),
        (b'{"method":"log","params":{}}', "log: `message` is missing"),
        (b'{"method":"log","params":{"message":"x","levle":"INFO"}}', "log: 'levle' is no param of it"),
        (b'{"method":"log","params":{"message":"x","level":"LOUD"}}', "log: unknown log level: 'LOUD'"),
        (b'{"method":"report_asset_materialization"}', "has 2 assets"),
        (b'{"method":"report_asset_materialization","params":{"asset_key":""}}', "is empty"),
        (b'{"method":"report_asset_check","params":{"asset_key":"a","check_name":"c","passed":"yes"}}', "a bool"),
        (b'{"__dagster_pipes_version":"0.1","method":"log","params":{}}', "log: `message` is missing"),
        (b'{"__dagster_pipes_version":"0.1","method":"sing","params":{}}', "unknown method 'sing'"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_a_line_that_means_nothing_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        message_of(line, no_asset)
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
