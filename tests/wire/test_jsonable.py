"""What becomes JSON, as what, and how the value that cannot is named."""

from __future__ import annotations

import json
import math
import socket
import types
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import UnserializableError
from blobpipes.wire.jsonable import dumps, plain

NOON = datetime(2024, 1, 2, 12, 0, 0, 500, tzinfo=timezone.utc)


class Colour(Enum):
    RED = "red"
    AT_NOON = NOON


class Rank(IntEnum):
    FIRST = 1


class Tag(str, Enum):
    A = "a"


@dataclass
class Point:
    x: Any
    y: Any = None
    hidden: Any = field(default=0, repr=False)


@dataclass(frozen=True)
class Spot:
    x: int


class NAType:
    """As pandas.NA: no dtype, and a truth value that raises."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class NotATime(datetime):
    """As pandas.NaT: a datetime unlike itself."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = datetime.__hash__


class Column:
    """As a column of pandas: its dtype is numpy's, its items are not."""

    dtype = np.dtype("datetime64[ns]")

    def to_numpy(self) -> Any:
        raise NotImplementedError

    def to_list(self) -> list[Any]:
        return [NOON, NotATime(2024, 1, 1)]


BECOMES = [
    (NOON, "2024-01-02T12:00:00.000500+00:00"),
    (date(2024, 1, 2), "2024-01-02"),
    (time(12, 30), "12:30:00"),
    (timedelta(minutes=1, milliseconds=500), 60.5),
    (NotATime(2024, 1, 1), None),
    (NAType(), None),
    (Column(), ["2024-01-02T12:00:00.000500+00:00", None]),
    (PurePosixPath("/data/x"), "/data/x"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("0.10"), "0.10"),
    (Colour.RED, "red"),
    (Colour.AT_NOON, "2024-01-02T12:00:00.000500+00:00"),
    (Rank.FIRST, 1),
    (Tag.A, "a"),
    (Point(1, [Point(2)]), {"x": 1, "y": [{"x": 2, "y": None, "hidden": 0}], "hidden": 0}),
    ({3, 1, 20}, [1, 3, 20]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({1, "a", None}, ["a", 1, None]),
    ({Decimal(10), Decimal(9)}, ["9", "10"]),
    ({Spot(1)}, [{"x": 1}]),
    ({"a": 1}.keys(), ["a"]),
    ((1, (2,)), [1, [2]]),
    (deque([1, 2]), [1, 2]),
    (range(3), [0, 1, 2]),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (np.int64(3), 3),
    (np.uint8(255), 255),
    (np.float32(0.5), 0.5),
    (np.float64(0.1), 0.1),
    (np.longdouble("0.25"), 0.25),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.array(5), 5),
    (np.array([], dtype=float), []),
    (np.array([0.5], dtype=np.longdouble), [0.5]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array([NOON, None], dtype=object), ["2024-01-02T12:00:00.000500+00:00", None]),
    (np.ma.masked_array([1, 2], mask=[False, True]), [1, None]),
    (np.datetime64("2024-01-02"), "2024-01-02"),
    (np.datetime64("2024-01-02T03:04:05.000000006"), "2024-01-02T03:04:05.000000006"),
    (np.datetime64("NaT", "s"), None),
    (np.array(["2024-01-02", "NaT"], dtype="datetime64[D]"), ["2024-01-02", None]),
    (np.timedelta64(1500, "ms"), 1.5),
    (np.array([[1500, "NaT"]], dtype="timedelta64[ms]"), [[1.5, None]]),
    (np.rec.array([(1, 2.5)], names=["a", "b"]), [[1, 2.5]]),
]


@pytest.mark.parametrize(("value", "expected"), BECOMES, ids=lambda value: type(value).__name__)
def test_a_value_becomes_json(value: Any, expected: Any) -> None:
    assert json.loads(dumps({"v": [value]})) == {"v": [expected]}


@pytest.mark.parametrize(("value", "expected"), BECOMES, ids=lambda value: type(value).__name__)
def test_the_slow_walk_and_the_fast_path_agree(value: Any, expected: Any) -> None:
    assert plain({"v": [value]}) == {"v": [expected]}
    assert json.dumps(plain([value])) == dumps([value])
    assert json.loads(dumps({date(2024, 1, 1): value})) == {"2024-01-01": expected}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.array([np.inf])])
def test_nan_and_infinities_arrive_as_such_at_a_python_reader(value: Any) -> None:
    arrived = json.loads(dumps([value, {date(2024, 1, 1): value}]))[0]
    expected = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    np.testing.assert_equal(arrived, expected)


KEYS = [
    (1, "1"),
    (1.5, "1.5"),
    (True, "true"),
    (None, "null"),
    (np.int32(7), "7"),
    (np.bool_(False), "false"),
    (np.float32(0.5), "0.5"),
    (Colour.RED, "red"),
    (Colour.AT_NOON, "2024-01-02T12:00:00.000500+00:00"),
    (Rank.FIRST, "1"),
    (Tag.A, "a"),
    (date(2024, 1, 2), "2024-01-02"),
    (np.datetime64("2024-01-02"), "2024-01-02"),
    (Path("x"), "x"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.50"), "1.50"),
]


@pytest.mark.parametrize(("key", "expected"), KEYS, ids=lambda value: type(value).__name__)
def test_a_key_becomes_text(key: Any, expected: str) -> None:
    assert json.loads(dumps({"outer": {key: "v"}})) == {"outer": {expected: "v"}}


class Cyclic(list[Any]):
    def __repr__(self) -> str:
        return "cyclic"


def cyclic_list() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


def cyclic_dataclass() -> Point:
    point = Point(1)
    point.y = [point]
    return point


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Broken:
    dtype = None

    def tolist(self) -> list[Any]:
        raise RuntimeError("device lost")


NAMED = [
    (lambda: {"a": [0, 1, 2, socket.socket.__new__(socket.socket)]}, "value['a'][3] (socket) cannot become JSON"),
    (object, "value (object) cannot become JSON"),
    (lambda: {"a": b"raw"}, "value['a'] (bytes) cannot become JSON"),
    (lambda: [bytearray(b"raw")], "value[0] (bytearray) cannot become JSON"),
    (lambda: Point(1, {"k": object()}), "value.y['k'] (object) cannot become JSON"),
    (lambda: {"s": {1, object}}, "value['s']{...} (type) cannot become JSON"),
    (lambda: {(1, 2): 3}, "value (tuple) cannot become JSON: it is the key (1, 2), and keys must be text or numbers"),
    (lambda: {"a": {Spot(1): 3}}, "value['a'] (Spot) cannot become JSON: it is the key Spot(x=1)"),
    (lambda: [1, 1j], "value[1] (complex) cannot become JSON"),
    (lambda: np.array([1j]), "value[0] (complex) cannot become JSON"),
    (lambda: [np.array([None, object()], dtype=object)], "value[0][1] (object) cannot become JSON"),
    (lambda: np.timedelta64(1, "Y"), "value (timedelta64) cannot become JSON: "),
    (lambda: [Broken()], "value[0] (Broken) cannot become JSON: RuntimeError: device lost"),
    (cyclic_list, "value[1]['again'] (list) cannot become JSON: it contains itself"),
    (cyclic_dataclass, "value.y[0] (Point) cannot become JSON: it contains itself"),
    (lambda: [10**5000], "value[0] (int) cannot become JSON: it has too many digits"),
    (lambda: {10**5000: 1}, "value (int) cannot become JSON: it has too many digits"),
    (lambda: nested(100_000), "value is nested too deeply for JSON"),
    (lambda: Point, "value (type) cannot become JSON"),
    (lambda: (n for n in range(3)), "value (generator) cannot become JSON"),
]


@pytest.mark.parametrize(("make", "text"), NAMED, ids=[text for _, text in NAMED])
def test_a_value_that_cannot_become_json_is_named_with_its_path(make: Any, text: str) -> None:
    with pytest.raises(UnserializableError) as caught:
        dumps(make())
    assert caught.value.message.startswith(text)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(UnserializableError):
        plain(make())


def test_bytes_are_refused_with_a_remedy_of_their_own() -> None:
    with pytest.raises(UnserializableError, match="base64"):
        dumps({"image": b"\x89PNG"})


def test_the_caller_says_what_the_value_is_called() -> None:
    with pytest.raises(UnserializableError, match=r"payload\[0\] \(object\)"):
        dumps([object()], where="payload")


def test_the_error_of_a_users_own_code_is_kept_as_the_cause() -> None:
    with pytest.raises(UnserializableError) as caught:
        dumps(Broken())
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_value_that_occurs_twice_is_no_cycle() -> None:
    shared = {date(2024, 1, 1): Point(1)}
    assert json.loads(dumps([shared, shared])) == [{"2024-01-01": {"x": 1, "y": None, "hidden": 0}}] * 2


def test_sets_come_in_the_same_order_whatever_their_hashes_are() -> None:
    mixed = {frozenset({2, 1}), frozenset({3}), frozenset({1}), "b", "a", 2, 10}
    assert dumps(mixed) == '["a", "b", 10, 2, [1, 2], [1], [3]]'


def test_lone_surrogates_are_escaped_as_the_official_package_does() -> None:
    assert dumps("\udc80 é ☃ 🎉") == json.dumps("\udc80 é ☃ 🎉") == '"\\udc80 \\u00e9 \\u2603 \\ud83c\\udf89"'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text() | st.integers() | st.booleans() | st.none(), parts),
    max_leaves=20,
)


@given(json_values)
def test_json_values_get_exactly_the_bytes_of_json_dumps(value: Any) -> None:
    assert dumps(value) == json.dumps(value)
    assert json.dumps(plain(value)) == json.dumps(value)


@given(json_values, st.lists(st.integers(0, 3) | st.text(max_size=3), max_size=5))
def test_the_path_in_the_error_leads_to_the_culprit(value: Any, path: list[Any]) -> None:
    culprit: Any = object()
    for step in reversed(path):
        culprit = {step: culprit, "beside": value} if isinstance(step, str) else [*[value] * step, culprit]
    with pytest.raises(UnserializableError) as caught:
        dumps(culprit)
    expected = "".join(f"[{step!r}]" for step in path)
    if "beside" not in path:
        assert caught.value.message == f"value{expected} (object) cannot become JSON"
