from __future__ import annotations

import pytest

from blobpipes.errors import DagsterPipesError
from blobpipes.orchestration.results import (
    AssetCheckResult,
    MaterializeResult,
    implicit_materializations,
    single_check_result,
    single_materialize_result,
    with_metadata,
)

ROWS = {"rows": {"type": "int", "raw_value": 3}}
MADE = MaterializeResult("sales/a\\/b", ROWS)  # type: ignore[arg-type]
CHECK = AssetCheckResult("sales/a\\/b", "not_empty", True)


def test_a_result_tells_its_key_in_parts_and_its_metadata_without_types() -> None:
    assert MADE.asset_key_parts == ["sales", "a/b"]
    assert MADE.values == {"rows": 3}
    assert CHECK.asset_key_parts == ["sales", "a/b"]
    assert CHECK.values == {}


def test_metadata_of_the_run_goes_on_top_of_each_results_own() -> None:
    job = {"job": {"type": "text", "raw_value": "j-1"}}
    made, check = with_metadata([MADE, CHECK], job)  # type: ignore[arg-type]
    assert made.metadata == {**ROWS, **job}
    assert check.metadata == job
    assert MADE.metadata == ROWS


def test_assets_of_which_nothing_was_reported_get_an_empty_result() -> None:
    implicit = implicit_materializations([MADE, CHECK], ["orders", "sales/a\\/b"])
    assert implicit == (MaterializeResult("orders"),)
    assert implicit_materializations([MADE], None) == ()


def test_a_single_materialization_takes_its_checks_in() -> None:
    assert single_materialize_result([CHECK, MADE]).check_results == (CHECK,)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "reported nothing"),
        ([MADE, MaterializeResult("orders")], "reported orders, sales"),
        ([MADE, AssetCheckResult("other", "c", True)], "another asset"),
    ],
)
def test_anything_else_than_a_single_materialization_is_an_error(results: list[object], said: str) -> None:
    with pytest.raises(DagsterPipesError, match=said):
        single_materialize_result(results)  # type: ignore[arg-type]


def test_a_single_check_result_must_be_alone() -> None:
    assert single_check_result([CHECK]) is CHECK
    for results in ([], [MADE], [CHECK, CHECK], [MADE, CHECK]):
        with pytest.raises(DagsterPipesError, match="one check result was asked for"):
            single_check_result(results)
