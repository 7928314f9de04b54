"""Metadata: what a sender may say, what a reader takes, and which raw value fits which type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from blobpipes.errors import DagsterPipesError, MalformedMessageError, UnserializableError
from blobpipes.wire.metadata import normalize_metadata, parse_metadata


@dataclass
class Quality:
    score: float


def normalized(value: Any) -> Any:
    metadata = normalize_metadata({"m": value}, method="report_asset_check")
    assert metadata is not None
    return metadata["m"]


def typed(kind: str, raw: Any) -> dict[str, Any]:
    return {"raw_value": raw, "type": kind}


@pytest.mark.parametrize("metadata", [None, {}])
def test_empty_or_missing_metadata_is_sent_as_null(metadata: Any) -> None:
    assert normalize_metadata(metadata, method="x") is None


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("x", "x"),
        (1, 1),
        (1.5, 1.5),
        (True, True),
        (None, None),
        ([1, "a"], [1, "a"]),
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (date(2024, 1, 2), "2024-01-02"),
        (PurePosixPath("/x"), "/x"),
        (Decimal("1.10"), "1.10"),
        (Quality(0.5), {"score": 0.5}),
        (np.str_("x"), "x"),
    ],
)
def test_a_bare_value_is_left_to_dagster_to_guess(value: Any, raw: Any) -> None:
    assert normalized(value) == {"raw_value": raw, "type": "__infer__"}


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        ("float", 1, 1.0),
        ("float", np.int64(2), 2.0),
        ("float", np.float32(0.5), 0.5),
        ("float", Decimal("2.5"), 2.5),
        ("float", math.inf, math.inf),
        ("int", np.int64(2), 2),
        ("int", True, True),
        ("bool", np.bool_(True), True),
        ("text", PurePosixPath("/x"), "/x"),
        ("text", None, None),
        ("path", PurePosixPath("/x"), "/x"),
        ("url", "s3://b/k", "s3://b/k"),
        ("md", "# x", "# x"),
        ("notebook", "n.ipynb", "n.ipynb"),
        ("asset", "a/b", "a/b"),
        ("dagster_run", "123", "123"),
        ("json", {"a": {np.int64(1)}}, {"a": [1]}),
        ("json", (1, 2), [1, 2]),
        ("null", "anything", "anything"),
        ("timestamp", 1.5, 1.5),
        ("timestamp", 1, 1),
        ("timestamp", datetime(1970, 1, 1, 0, 1, tzinfo=timezone.utc), 60.0),
        ("__infer__", {"a": 1}, {"a": 1}),
        ("table", {"records": [], "schema": []}, {"records": [], "schema": []}),
        (
            "table",
            {"records": [{"day": date(2024, 1, 2), "n": np.int8(1)}], "schema": [{"name": "day", "type": "date"}]},
            {"records": [{"day": "2024-01-02", "n": 1}], "schema": [{"name": "day", "type": "date"}]},
        ),
        (
            "table_schema",
            {"columns": [{"name": "a", "type": "int", "tags": {"k": "v"}, "constraints": {"nullable": False}}]},
            {"columns": [{"name": "a", "type": "int", "tags": {"k": "v"}, "constraints": {"nullable": False}}]},
        ),
        (
            "table_column_lineage",
            {"deps_by_column": {"a": [{"asset_key": "up", "column_name": "b"}]}},
            {"deps_by_column": {"a": [{"asset_key": "up", "column_name": "b"}]}},
        ),
        (
            "table_column_lineage",
            {"deps_by_column": {"a": [{"asset_key": ["up", "x"], "column_name": "b"}]}},
            {"deps_by_column": {"a": [{"asset_key": ["up", "x"], "column_name": "b"}]}},
        ),
    ],
)
def test_a_typed_value_is_fitted_to_its_type_and_the_reader_takes_it(kind: str, value: Any, raw: Any) -> None:
    sent = normalized({"type": kind, "raw_value": value})
    assert sent == typed(kind, raw)
    assert type(sent["raw_value"]) is type(raw)
    assert parse_metadata({"m": sent}) == {"m": typed(kind, raw)}


def test_a_typed_value_keeps_the_callers_order_of_keys_as_in_the_official_package() -> None:
    assert list(normalized({"type": "int", "raw_value": 1})) == ["type", "raw_value"]
    assert list(normalized({"raw_value": 1, "type": "int"})) == ["raw_value", "type"]


COLUMN = {"name": "a", "type": "int"}

# Each of these ends the official reader: tried with Dagster 1.13.
MISFITS = [
    ("text", 1),
    ("url", 1.5),
    ("path", True),
    ("notebook", ["a"]),
    ("md", {}),
    ("asset", None),
    ("dagster_run", None),
    ("dagster_run", 7),
    ("json", 1),
    ("json", True),
    ("int", 1.5),
    ("int", 1.0),
    ("int", "1"),
    ("float", "1.5"),
    ("float", True),
    ("float", 10**400),
    ("bool", 1),
    ("bool", "true"),
    ("timestamp", "2024-01-02"),
    ("timestamp", None),
    ("table", None),
    ("table", {}),
    ("table", {"records": []}),
    ("table", {"records": [1], "schema": []}),
    ("table", {"records": [{"a": [1]}], "schema": []}),
    ("table", {"records": [{"a": {}}], "schema": []}),
    ("table", {"records": [{"a": 1}, {"b": 1}], "schema": []}),
    ("table", {"records": [], "schema": ["a"]}),
    ("table", {"records": [], "schema": [{"name": "a"}]}),
    ("table", {"records": [], "schema": [{"name": "a", "type": None}]}),
    ("table_schema", {"columns": None}),
    ("table_schema", {"columns": 1}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": {"bogus": 1}}]}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": {"nullable": "no"}}]}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": {"unique": None}}]}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": {"other": "x"}}]}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": {"other": [1]}}]}),
    ("table_schema", {"columns": [{**COLUMN, "constraints": ["x"]}]}),
    ("table_schema", {"columns": [{**COLUMN, "tags": ["x"]}]}),
    ("table_schema", {"columns": [{**COLUMN, "tags": {"a": 1}}]}),
    ("table_schema", {"columns": [{**COLUMN, "description": 1}]}),
    ("table_column_lineage", {"deps_by_column": []}),
    ("table_column_lineage", {"deps_by_column": {"a": ["b"]}}),
    ("table_column_lineage", {"deps_by_column": {"a": [{"asset_key": "x"}]}}),
    ("table_column_lineage", {"deps_by_column": {"a": [{"asset_key": "x", "column_name": "y", "z": 1}]}}),
    ("table_column_lineage", {"deps_by_column": {"a": [{"asset_key": 1, "column_name": "y"}]}}),
    ("table_column_lineage", {"deps_by_column": {"a": [{"asset_key": "x", "column_name": []}]}}),
    ("table_column_lineage", {"deps_by_column": {"a": [{"asset_key": "x", "column_name": "y"}] * 2}}),
    (
        "table_column_lineage",
        {"deps_by_column": {"a": [{"asset_key": key, "column_name": "y"} for key in ("x", ["x"])]}},
    ),
]


@pytest.mark.parametrize(("kind", "raw"), MISFITS)
def test_a_raw_value_that_does_not_fit_its_type_is_refused_on_both_sides(kind: str, raw: Any) -> None:
    with pytest.raises(DagsterPipesError, match=rf"metadata\['m'\] of `report_asset_check`: type `{kind}` "):
        normalized({"type": kind, "raw_value": raw})
    with pytest.raises(MalformedMessageError, match=rf"metadata\['m'\]: type `{kind}` "):
        parse_metadata({"m": {"type": kind, "raw_value": raw}})


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ([1], "`metadata` of `report_asset_check` must be a mapping, not list"),
        ({1: "x"}, "a label of `metadata` of `report_asset_check` is 1 (int)"),
        ({"a": {"b": 1}}, "metadata['a'] of `report_asset_check` is a bare object"),
        ({"a": {}}, "metadata['a'] of `report_asset_check` is a bare object"),
        ({"a": {"type": "int"}}, "metadata['a'] of `report_asset_check` is a bare object"),
        ({"a": {"type": "job", "raw_value": "x"}}, "metadata['a'] of `report_asset_check` has the unknown type 'job'"),
        (
            {"a": {"type": ["int"], "raw_value": 1}},
            "metadata['a'] of `report_asset_check` has the unknown type ['int']",
        ),
    ],
)
def test_a_sender_refuses_what_the_official_package_refuses(metadata: Any, text: str) -> None:
    with pytest.raises(DagsterPipesError) as caught:
        normalize_metadata(metadata, method="report_asset_check")
    assert caught.value.message == text


def test_a_naive_datetime_is_no_timestamp() -> None:
    with pytest.raises(DagsterPipesError, match="time zone"):
        normalized({"type": "timestamp", "raw_value": datetime(2024, 1, 2)})  # noqa: DTZ001 - that is the point


def test_a_value_that_cannot_become_json_is_named_as_the_caller_wrote_it() -> None:
    with pytest.raises(UnserializableError, match=r"^metadata\['m'\]\[1\] \(object\) cannot become JSON"):
        normalized([1, object()])
    with pytest.raises(UnserializableError, match=r"^metadata\['m'\]\['a'\] \(bytes\) cannot become JSON"):
        normalized({"type": "json", "raw_value": {"a": b"x"}})


def test_true_is_no_timestamp_though_dagster_takes_it() -> None:
    with pytest.raises(MalformedMessageError, match="a number of seconds since the epoch, not true"):
        parse_metadata({"m": {"type": "timestamp", "raw_value": True}})


def test_a_reader_takes_an_integer_for_a_float_because_javascript_writes_it_so() -> None:
    value = parse_metadata({"m": {"type": "float", "raw_value": 1}})["m"]["raw_value"]
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ([], "`metadata` must be an object or null, not an array"),
        ("x", "`metadata` must be an object or null, not a string"),
        ({"m": 1}, "metadata['m'] must be an object with `type` and `raw_value`, not a number"),
        ({"m": {"type": "int"}}, "metadata['m'] must be an object with `type` and `raw_value`, not an object"),
        ({"m": {"type": "job", "raw_value": 1}}, "metadata['m'] has the unknown type 'job'"),
        ({"m": {"type": {}, "raw_value": 1}}, "metadata['m'] has the unknown type {}"),
    ],
)
def test_a_reader_names_the_label_that_breaks_the_rules(raw: Any, text: str) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse_metadata(raw)
    assert caught.value.message == text


def test_a_reader_takes_null_for_no_metadata() -> None:
    assert parse_metadata(None) == {}
