"""Our writer under real runs of Dagster with its own readers and injectors: nothing is lost, whatever Dagster asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from integration_tests.conftest import give_up
from integration_tests.pairing import story
from integration_tests.pairing.pairings import Pairing
from integration_tests.pairing.running import Callers, caller_env, plan_for
from integration_tests.servers.clouds import CloudServer, MissingServerError

pytestmark = pytest.mark.timeout(1800)
Scenes: TypeAlias = Callable[[str], Any]

# Three calling processes, so that the waiting of one is the time of another.
GROUPS = [
    ("steady",),
    ("no_asset", "range", "only_checks", "ephemeral", "inline", "stdout", "buffered stdout"),
    ("arguments", "several_writers", "captured", "levels", "restarted"),
]


@pytest.fixture(scope="session")
def scenes(callers: Callers, s3: CloudServer, tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """What arrived in a scene. All of them are under way."""
    names = {}
    try:
        for group in GROUPS:
            place = s3.fresh()
            plan = plan_for(Pairing("official", "ours", "s3"), place, Path())
            interval = 10 if group == ("steady",) else 0  # seconds; 10 is the official default
            plan = replace(plan, name=f"scenes {group[0]}", scenes=group, interval=interval)
            callers.start([plan], caller_env(place, official=True))
            names |= dict.fromkeys(group, plan.name)
    except MissingServerError as error:
        give_up(error)
    return lambda scene: callers.arrived(names[scene], scene)


def seen(arrived: Any) -> Any:
    return arrived["custom"][0]["seen"]


def test_thirty_seconds_of_messages_arrive_at_the_official_readers_pace(scenes: Scenes) -> None:
    """The job asks for a chunk a second. At that pace the official writer loses half of them."""
    arrived = scenes("steady")
    assert [text for _, text in arrived["logs"]] == [f"message {number}" for number in range(120)]
    assert arrived["complaints"] == []


def test_a_job_that_is_started_again_goes_on_where_the_killed_one_ended(scenes: Scenes) -> None:
    arrived = scenes("restarted")
    assert [text for _, text in arrived["logs"]] == ["the first life", "the second life"]
    assert arrived["complaints"] == []


def test_levels_that_are_none_of_the_five_do_not_stop_the_official_reader(scenes: Scenes) -> None:
    arrived = scenes("levels")
    names = {"level 1": "DEBUG", "level 25": "INFO", "level 26": "INFO", "level 45": "ERROR", "level 99": "CRITICAL"}
    assert arrived["logs"] == [[getattr(logging, level), text] for text, level in names.items()]
    assert arrived["complaints"] == []


def test_captured_output_is_there_before_closed(scenes: Scenes) -> None:
    arrived = scenes("captured")
    assert arrived["streams"] == {"stdout": "printed\n", "stderr": "of a child\n"}
    assert arrived["complaints"] == []  # none of a message after `closed`


def test_the_writers_of_a_composite_reader_are_read_each_from_its_own_place(scenes: Scenes) -> None:
    arrived = scenes("several_writers")
    assert sorted(text for _, text in arrived["logs"]) == sorted([f"level {n}" for n in (1, 25, 26, 45, 99)] * 2)
    assert arrived["complaints"] == []


def test_a_process_that_is_launched_for_no_asset_has_null_keys(scenes: Scenes) -> None:
    arrived = scenes("no_asset")
    assert arrived["sent"]["asset_keys"] is None
    assert seen(arrived) == {
        "asset_keys": None,
        "extras": story.EXTRAS,
        "job_name": "bare_job",
        "retry_number": 0,
        "run_id": arrived["sent"]["run_id"],
    }


def test_a_range_of_partitions_in_one_run_comes_without_key_range_and_window(scenes: Scenes) -> None:
    arrived = scenes("range")
    sent = arrived["sent"]
    assert [sent[name] for name in ("partition_key", "partition_key_range", "partition_time_window")] == [None] * 3
    assert "partition_key" not in seen(arrived)
    assert [result[3]["rows"][1] for result in arrived["results"]] == [3, 3, 3]  # Dagster gives it to each day
    assert arrived["complaints"] == []


def test_a_step_that_only_checks_has_an_empty_list_of_assets_and_takes_any_key(scenes: Scenes) -> None:
    arrived = scenes("only_checks")
    assert arrived["sent"]["asset_keys"] == []
    assert arrived["results"] == [["check", ["orders"], "rows", True, "ERROR", {}]]


def test_a_step_that_is_called_like_a_function_is_ephemeral(scenes: Scenes) -> None:
    found = seen(scenes("ephemeral"))
    assert (found["run_id"], found["job_name"]) == ("EPHEMERAL", None)


@pytest.mark.parametrize("scene", ["inline", "arguments"])
def test_context_and_params_may_come_in_variables_and_on_the_command_line(scene: str, scenes: Scenes) -> None:
    arrived = scenes(scene)
    assert seen(arrived)["asset_keys"] == ["orders"]
    assert arrived["results"] == [["materialization", ["orders"], None, {"rows": ["IntMetadataValue", 3]}]]
    assert arrived["complaints"] == []


@pytest.mark.parametrize("scene", ["stdout", "buffered stdout"])
def test_messages_stand_between_the_lines_of_ordinary_output(scene: str, scenes: Scenes) -> None:
    arrived = scenes(scene)
    assert [text for _, text in arrived["logs"]] == ["said"]
    lines = arrived["chunks"]["stdout"].splitlines()
    assert lines.index("printed") == (0 if scene == "buffered stdout" else 1)
    assert arrived["complaints"] == []
