from __future__ import annotations

from datetime import datetime, timezone

import pytest

from blobpipes.errors import InvalidOptionError
from blobpipes.orchestration.ids import checked_session_name, new_id
from blobpipes.orchestration.run_context import RunContext
from blobpipes.testing import ManualClock
from blobpipes.wire.context import parse_context


def test_a_bare_context_has_a_new_run_id_and_all_ten_keys() -> None:
    first, second = RunContext(), RunContext()
    assert first.run_id != second.run_id
    assert first.data == {
        "asset_keys": None,
        "code_version_by_asset_key": None,
        "provenance_by_asset_key": None,
        "partition_key": None,
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": first.run_id,
        "job_name": None,
        "retry_number": 0,
        "extras": {},
    }


def test_ids_sort_by_the_time_they_were_made() -> None:
    clock = ManualClock()
    ids = []
    for _ in range(20):
        ids.append(new_id(clock))
        clock.advance(0.01)
    assert ids == sorted(ids)
    assert len(set(ids)) == 20
    assert ids[0].startswith("20231114-221320-000-")


def test_the_context_data_is_what_the_other_side_takes() -> None:
    context = RunContext(
        run_id="r1",
        job_name="nightly",
        retry_number=2,
        asset_keys=["orders", ("sales", "a/b")],
        partition_key="2024-01",
        partition_time_window=(datetime(2024, 1, 1, tzinfo=timezone.utc), "2024-02-01T00:00:00+00:00"),
        code_version_by_asset_key={"orders": "7"},
        extras={"limit": 10},
    )
    data = context.data_with({"limit": 20, "more": True})
    assert parse_context(data) == data
    assert data["asset_keys"] == ["orders", "sales/a\\/b"]
    assert data["code_version_by_asset_key"] == {"orders": "7", "sales/a\\/b": None}
    assert data["provenance_by_asset_key"] == {"orders": None, "sales/a\\/b": None}
    assert data["partition_key_range"] == {"start": "2024-01", "end": "2024-01"}
    assert data["partition_time_window"] == {"start": "2024-01-01T00:00:00+00:00", "end": "2024-02-01T00:00:00+00:00"}
    assert data["extras"] == {"limit": 20, "more": True}


def test_a_range_of_partitions_may_have_two_ends() -> None:
    data = RunContext(partition_key_range=("a", "c")).data
    assert data["partition_key_range"] == {"start": "a", "end": "c"}
    assert data["partition_key"] is None


def test_the_simple_case_names_one_asset() -> None:
    assert RunContext.for_asset("orders", partition_key="p").data["asset_keys"] == ["orders"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"run_id": ""}, "run_id"),
        ({"retry_number": -1}, "counts from 0"),
        ({"asset_keys": "orders"}, r"write \['orders'\]"),
        ({"code_version_by_asset_key": {"orders": "7"}}, "not one of the asset_keys"),
        ({"partition_time_window": (datetime(2024, 1, 1), datetime(2024, 1, 2))}, "time zone"),  # noqa: DTZ001
    ],
)
def test_a_wrong_field_is_said_when_the_context_is_made(fields: dict[str, object], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        RunContext(**fields)  # type: ignore[arg-type]


def test_a_context_does_not_show_its_logger() -> None:
    assert "log" not in repr(RunContext(run_id="r1"))


@pytest.mark.parametrize("name", ["run-1", "nightly/step.a/1", "2024-01-02=x", "A@b+c_d"])
def test_a_plain_name_can_name_a_session(name: str) -> None:
    assert checked_session_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "..", "a/../b", "_bp", "a b", "a?b", "a#b", "a*", "lanes", "x/lanes/y", "é", "a" * 401],
)
def test_a_name_that_some_store_would_misread_is_refused(name: str) -> None:
    with pytest.raises(InvalidOptionError, match="cannot name a session"):
        checked_session_name(name)
