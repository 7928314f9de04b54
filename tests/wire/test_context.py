"""The context that comes in: ten keys, or an error that names one."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, UnserializableError
from blobpipes.wire.context import encode_context, parse_context

PROVENANCE = {"code_version": "1", "input_data_versions": {"up": "x"}, "is_user_provided": False}
WHOLE: dict[str, Any] = {
    "asset_keys": ["a", "b/c"],
    "code_version_by_asset_key": {"a": "1", "b/c": None},
    "provenance_by_asset_key": {"a": PROVENANCE, "b/c": None},
    "partition_key": "2024-01-02|x",
    "partition_key_range": {"start": "a", "end": "b"},
    "partition_time_window": {"start": "2024-01-02T00:00:00+00:00", "end": "2024-01-03T00:00:00+00:00"},
    "run_id": "r",
    "job_name": "j",
    "retry_number": 2,
    "extras": {"k": [1, None]},
}
BARE = {
    "asset_keys": None,
    "code_version_by_asset_key": None,
    "provenance_by_asset_key": None,
    "partition_key": None,
    "partition_key_range": None,
    "partition_time_window": None,
    "run_id": "r",
    "job_name": None,
    "retry_number": 0,
    "extras": {},
}


def test_a_whole_context_comes_through() -> None:
    assert parse_context(WHOLE) == WHOLE


@pytest.mark.parametrize("data", [{"run_id": "r"}, BARE, {**BARE, "extras": None, "retry_number": None}])
def test_a_missing_optional_key_counts_as_null(data: Any) -> None:
    assert parse_context(data) == BARE


def test_an_unknown_key_is_left_out() -> None:
    assert parse_context({"run_id": "r", "future": 1}) == BARE


def test_empty_asset_keys_stay_empty_because_they_mean_something_else_than_null() -> None:
    assert parse_context({"run_id": "r", "asset_keys": []})["asset_keys"] == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "the context must be an object, not null"),
        ([], "the context must be an object, not an array"),
        ("x", "the context must be an object, not a string"),
        ({}, "the context has no `run_id`"),
        ({"run_id": None}, "the context has no `run_id`"),
        ({"run_id": 3}, "`run_id` of the context must be a string, not a number"),
        ({"asset_keys": "a"}, "`asset_keys` of the context must be an array of strings, not a string"),
        ({"asset_keys": ["a", 1]}, "`asset_keys[1]` of the context must be a string, not a number"),
        (
            {"code_version_by_asset_key": []},
            "`code_version_by_asset_key` of the context must be an object, not an array",
        ),
        (
            {"code_version_by_asset_key": {"a": 1}},
            "`code_version_by_asset_key['a']` of the context must be a string, not a number",
        ),
        (
            {"provenance_by_asset_key": {"a": 1}},
            "`provenance_by_asset_key['a']` of the context must be an object, not a number",
        ),
        ({"provenance_by_asset_key": {"a": {}}}, "`provenance_by_asset_key['a']` of the context has no `code_version`"),
        (
            {"provenance_by_asset_key": {"a": {**PROVENANCE, "is_user_provided": 1}}},
            "`provenance_by_asset_key['a'].is_user_provided` of the context must be true or false, not a number",
        ),
        (
            {"provenance_by_asset_key": {"a": {**PROVENANCE, "input_data_versions": {"up": 1}}}},
            "`provenance_by_asset_key['a'].input_data_versions['up']` of the context must be a string, not a number",
        ),
        ({"partition_key": 20240102}, "`partition_key` of the context must be a string, not a number"),
        ({"partition_key_range": "a"}, "`partition_key_range` of the context must be an object, not a string"),
        ({"partition_key_range": {"start": "a"}}, "`partition_key_range` of the context has no `end`"),
        (
            {"partition_key_range": {"start": "a", "end": None}},
            "`partition_key_range.end` of the context must be a string, not null",
        ),
        (
            {"partition_time_window": {"start": 1, "end": "b"}},
            "`partition_time_window.start` of the context must be a string, not a number",
        ),
        ({"job_name": 1}, "`job_name` of the context must be a string, not a number"),
        ({"retry_number": "0"}, "`retry_number` of the context must be an integer, not a string"),
        ({"retry_number": True}, "`retry_number` of the context must be an integer, not true"),
        ({"retry_number": 1.0}, "`retry_number` of the context must be an integer, not a number"),
        ({"extras": [1]}, "`extras` of the context must be an object, not an array"),
    ],
)
def test_a_context_of_the_wrong_shape_is_an_error_that_names_the_key(data: Any, text: str) -> None:
    if isinstance(data, dict) and "run_id" not in data and data:
        data = {"run_id": "r", **data}
    with pytest.raises(DagsterPipesError) as caught:
        parse_context(data)
    assert caught.value.message == text


def test_extras_may_hold_whatever_becomes_json() -> None:
    data = parse_context({**BARE, "extras": {"day": date(2024, 1, 2)}})
    assert json.loads(encode_context(data))["extras"] == {"day": "2024-01-02"}


def test_extras_that_cannot_become_json_are_named() -> None:
    data = parse_context({**BARE, "extras": {"client": object()}})
    with pytest.raises(UnserializableError, match=r"context\['extras'\]\['client'\] \(object\)"):
        encode_context(data)
