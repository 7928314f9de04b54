"""Five names out, many ways in."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.log_levels import LEVELS, level_name, parse_level


def test_the_numbers_are_those_of_pythons_logging() -> None:
    assert {name: getattr(logging, name) for name in LEVELS} == LEVELS


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (-1, "DEBUG"),
        (0, "DEBUG"),
        (19, "DEBUG"),
        (20, "INFO"),
        (25, "INFO"),
        (30, "WARNING"),
        (49, "ERROR"),
        (99, "CRITICAL"),
    ],
)
def test_a_level_without_a_name_takes_the_highest_name_below_it(number: int, name: str) -> None:
    assert level_name(number) == name


@given(st.integers())
def test_every_integer_has_one_of_the_five_names_and_never_one_above_it(number: int) -> None:
    assert LEVELS[level_name(number)] <= max(number, 10)
    assert parse_level(number) == number


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("DEBUG", 10),
        ("debug", 10),
        ("Warn", 30),
        ("warning", 30),
        ("fatal", 50),
        (33, 33),
        ("Level 25", 25),
        ("Level -5", -5),
    ],
)
def test_readers_understand_what_dagster_understands_and_unnamed_levels(level: str | int, number: int) -> None:
    assert parse_level(level) == number


@pytest.mark.parametrize("level", ["NOTICE", "", " INFO", "20", "Level", "Level x", "Level ٣", None, True, 1.5, [], {}])
def test_any_other_level_is_refused(level: Any) -> None:
    with pytest.raises(DagsterPipesError, match="unknown log level"):
        parse_level(level)
