"""The bytes on the wire, pinned: each text below was written by the official package, not by us."""

from __future__ import annotations

import json

import pytest

from blobpipes.wire.asset_keys import escape_asset_key, parse_asset_key
from blobpipes.wire.context import encode_context, parse_context
from blobpipes.wire.exceptions import parse_exception
from blobpipes.wire.messages import (
    asset_check,
    asset_materialization,
    closed,
    custom,
    encode_message,
    external_stream,
    log,
    opened,
    parse_line,
    parse_payload,
)
from blobpipes.wire.params import decode_param, encode_param

PARAMS = [
    ({"path": "/data/context"}, "eJyrVipILMlQslJQ0k9JLEnUT87PK0mtKFGqBQBpagiF"),
    (
        {"path": "/data/messages", "include_stdio_in_messages": False},
        "eJyrVipILMlQslJQ0k9JLEnUz00tLk5MTy1W0lFQysxLzilNSY0vLknJzI/PzIuHS1oppCXmFKfWAgCdoBYg",
    ),
    (
        {"bucket": "lake", "key": "runs/context.json"},
        "eJyrVkoqTc5OLVGyUlDKScxOVdJRUMpOrQRxi0rzivWT8/NKUitK9LKK8/OUagFYzg9R",
    ),
    (
        {"bucket": "lake", "key_prefix": "runs/42", "include_stdio_in_messages": False},
        "eJyrVkoqTc5OLVGyUlDKScxOVdJRUMpOrYwvKEpNy6wAiRaV5hXrmxiBJDLzknNKU1Lji0tSMvPjM/Pic1OLixPTU4uB6tISc4pTawENQBr/",
    ),
    ({}, "eJyrrgUAAXUA+Q=="),
]

CONTEXT = (
    b'{"asset_keys": ["orders"], "code_version_by_asset_key": {"orders": "7"}, "provenance_by_asset_key": '
    b'{"orders": null}, "partition_key": "2024-01-02", "partition_key_range": {"start": "2024-01-02", "end": '
    b'"2024-01-02"}, "partition_time_window": {"start": "2024-01-02T00:00:00+00:00", "end": '
    b'"2024-01-03T00:00:00+00:00"}, "run_id": "11111111-2222-3333-4444-555555555555", "job_name": "nightly", '
    b'"retry_number": 0, "extras": {"limit": 10, "note": "\\u00e9"}}'
)

EXCHANGE = (
    b'{"__dagster_pipes_version": "0.1", "method": "opened", "params": {"extras": {}}}\n'
    b'{"__dagster_pipes_version": "0.1", "method": "log", "params": {"message": "h\\u00e9", "level": "INFO"}}\n'
    b'{"__dagster_pipes_version": "0.1", "method": "closed", "params": {}}'
)

LINES = [
    (
        asset_materialization("b"),
        (
            b'{"__dagster_pipes_version": "0.1", "method": "report_asset_materialization", "params": '
            b'{"asset_key": "b", "data_version": null, "metadata": null}}'
        ),
    ),
    (
        asset_check("a", "chk", False, severity="WARN", metadata={"m": 1.5}),
        (
            b'{"__dagster_pipes_version": "0.1", "method": "report_asset_check", "params": {"asset_key": "a", '
            b'"check_name": "chk", "passed": false, "metadata": {"m": {"raw_value": 1.5, "type": "__infer__"}}, '
            b'"severity": "WARN"}}'
        ),
    ),
    (
        custom({"p": [1, None]}),
        (
            b'{"__dagster_pipes_version": "0.1", "method": "report_custom_message", "params": '
            b'{"payload": {"p": [1, null]}}}'
        ),
    ),
    (
        external_stream("stdout", "text\n"),
        (
            b'{"__dagster_pipes_version": "0.1", "method": "log_external_stream", "params": {"stream": "stdout", '
            b'"text": "text\\n", "extras": {}}}'
        ),
    ),
]

CLOSED_WITH_EXCEPTION = (
    rb'{"__dagster_pipes_version": "0.1", "method": "closed", "params": {"exception": {"message": "ValueError: no '
    rb'rows\n", "stack": ["  File \"/app/job.py\", line 11, in <module>\n    main()\n", "  File \"/app/job.py\", '
    rb'line 8, in main\n    raise ValueError(\"no rows\") from err\n"], "name": "ValueError", "cause": {"message": '
    rb'"KeyError: '
    rb"'rows'"
    rb'\n", "stack": ["  File \"/app/job.py\", line 6, in main\n    load()\n", "  File \"/app/job.py\", line 2, in '
    rb'load\n    return {}[\"rows\"]\n           ~~^^^^^^^^\n"], "name": "KeyError", "cause": null, "context": null}, '
    rb'"context": null}}}'
)

ASSET_KEYS = [(["a", "b"], "a/b", rb'"a/b"'), (["a/b", "c\\d"], r"a\/b/c\\d", rb'"a\\/b/c\\\\d"')]


@pytest.mark.parametrize(("params", "text"), PARAMS)
def test_params_are_encoded_and_decoded_as_the_official_package_does(params: dict[str, object], text: str) -> None:
    assert encode_param(params) == text
    assert decode_param(text) == params


def test_a_whole_context_of_453_bytes_survives_byte_for_byte() -> None:
    assert len(CONTEXT) == 453
    assert encode_context(parse_context(json.loads(CONTEXT))) == CONTEXT


def test_a_whole_exchange_of_252_bytes_is_written_byte_for_byte() -> None:
    ours = b"\n".join(map(encode_message, [opened(), log("hé", "INFO"), closed()]))
    assert len(EXCHANGE) == 252
    assert ours == EXCHANGE


@pytest.mark.parametrize(("message", "line"), LINES, ids=lambda value: "")
def test_each_report_is_written_byte_for_byte(message, line: bytes) -> None:  # type: ignore[no-untyped-def]
    assert encode_message(message) == line


@pytest.mark.parametrize("line", [*EXCHANGE.split(b"\n"), *(line for _, line in LINES), CLOSED_WITH_EXCEPTION])
def test_each_official_line_is_read_and_written_back_unchanged(line: bytes) -> None:
    message = parse_line(line)
    assert message is not None
    parse_payload(message)
    assert encode_message(message) == line


def test_a_closed_with_its_exception_is_written_byte_for_byte() -> None:
    message = parse_line(CLOSED_WITH_EXCEPTION)
    assert message is not None
    assert message["params"] is not None
    exception = parse_exception(message["params"]["exception"])
    assert encode_message(closed(exception)) == CLOSED_WITH_EXCEPTION


@pytest.mark.parametrize(("parts", "text", "in_json"), ASSET_KEYS)
def test_asset_keys_are_escaped_as_in_the_table(parts: list[str], text: str, in_json: bytes) -> None:
    assert escape_asset_key(parts) == text
    assert parse_asset_key(text) == parts
    assert encode_message(asset_materialization(text)).count(in_json) == 1
