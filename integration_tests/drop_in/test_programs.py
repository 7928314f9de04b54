"""Programs written for dagster_pipes run under `import blobpipes as dagster_pipes`, and leave the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blobpipes.storage.url import bucket_and_prefix
from blobpipes.wire.params import encode_param
from integration_tests.drop_in.running import (
    PROGRAMS,
    RUNTIME,
    Launch,
    as_arguments,
    as_event,
    as_variables,
    files_below,
    in_order,
    run,
    without_marks,
)
from integration_tests.servers.clouds import Cloud
from integration_tests.servers.vendor_clients import client_store
from tests.external.test_official_signatures import OFFICIAL, not_newer

pytestmark = pytest.mark.timeout(600)  # several programs each, on a machine that may be busy with others

Carrier = Callable[[str, str], Launch]

PLAIN = {"run_id": "run-1", "asset_keys": ["orders"], "extras": {"name": "Ada"}, "retry_number": 0, "job_name": None}
PLAIN |= dict.fromkeys(("code_version_by_asset_key", "provenance_by_asset_key", "partition_key"))
PLAIN |= dict.fromkeys(("partition_key_range", "partition_time_window"))
FULL: dict[str, Any] = {
    **PLAIN,
    "asset_keys": ["a\\/b/c", "orders"],
    "code_version_by_asset_key": {"orders": "7", "a\\/b/c": None},
    "provenance_by_asset_key": {
        "orders": {"code_version": "6", "input_data_versions": {"raw": "1"}, "is_user_provided": False},
        "a\\/b/c": None,
    },
    "partition_key": "2024-01-02",
    "partition_key_range": {"start": "2024-01-02", "end": "2024-01-02"},
    "partition_time_window": {"start": "2024-01-02T00:00:00+00:00", "end": "2024-01-03T00:00:00+00:00"},
    "job_name": "nightly",
    "extras": {"limit": 10, "note": "é"},
}


def both(
    program: str, launch: Callable[[Path], Launch], tmp_path: Path
) -> tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]]:
    """What the program printed and left in its folder, under the official package and under ours."""
    folder, results = tmp_path / "folder", []
    for package in ("official", "ours"):
        (folder / "chunks").mkdir(parents=True)
        started = launch(folder)
        started = replace(started, environment={**started.environment, "FOLDER": str(folder)})
        printed = run(program, package, started, tmp_path)
        results.append((printed, in_order(files_below(folder))))
        folder.rename(tmp_path / package)
    return results[0], results[1]


def launched(
    carrier: Carrier, messages: Mapping[str, Any], context: Mapping[str, Any] = PLAIN
) -> Callable[[Path], Launch]:
    """Params with `FOLDER` in the place of the program's own folder, handed over by `carrier`."""

    def launch(folder: Path) -> Launch:
        here = json.loads(json.dumps(messages).replace("FOLDER", str(folder)))
        return carrier(encode_param({"data": context}), encode_param(here))

    return launch


LINES = {"path": "FOLDER/lines", "include_stdio_in_messages": False}


def test_every_report_and_everything_a_context_tells_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    theirs, ours = both("everything.py", launched(as_variables, LINES, FULL), tmp_path)
    assert ours == theirs
    assert theirs[1]["lines"].count("\n") == 18


def test_params_come_as_arguments(tmp_path: Path) -> None:
    theirs, ours = both("arguments.py", launched(as_arguments, LINES), tmp_path)
    assert ours == theirs
    assert "limit 3 of run-1" in theirs[1]["lines"]


@pytest.mark.parametrize("key", ["stdio", "buffered_stdio"])
def test_params_come_in_an_event_and_messages_go_to_stdout(tmp_path: Path, key: str) -> None:
    theirs, ours = both("event.py", launched(as_event, {key: "stdout"}), tmp_path)
    assert ours == theirs
    assert "called with 2 entries" in theirs[0]


def test_constants_and_small_functions_have_the_same_values(tmp_path: Path) -> None:
    theirs, ours = both("values.py", lambda folder: Launch(), tmp_path)
    assert ours == theirs


def test_loaders_writers_and_channels_of_ones_own_work(tmp_path: Path) -> None:
    def launch(folder: Path) -> Launch:
        (folder / "context.note").write_text(json.dumps(PLAIN))
        return Launch()

    theirs, ours = both("own_parts.py", launch, tmp_path)
    assert (ours[0], without_marks(ours[1])) == (theirs[0], theirs[1])
    assert "by NotesWriter" in theirs[1]["chunks/*.json"]


def test_channels_can_be_used_by_hand(tmp_path: Path) -> None:
    theirs, ours = both("channels.py", lambda folder: Launch(), tmp_path)
    assert (ours[0], without_marks(ours[1])) == (theirs[0], theirs[1])
    assert theirs[1]["chunks/*.json"].count("\n") == 3


SAID = "{0} é\n{0} from a child\n"
CAPTURED = {
    "printed": "".join(SAID.format(what) for what in ("captured", "filed", "shouted", "alone", "kept")),
    "sent of stdout": SAID.format("captured"),
    "sent of stderr": "captured wrong\n",
    "logs/stdout": SAID.format("filed"),
    "logs/stderr": "filed wrong\n",
    "shouted-stdout": SAID.format("shouted").upper(),
    "shouted-stderr": "SHOUTED WRONG\n",
    "alone": SAID.format("alone"),
    "kept": "kept wrong\n",
}


def test_what_is_printed_is_captured_by_log_writers(tmp_path: Path) -> None:
    """The official one gives `tee` a second at the end, so on a busy machine some lines of its are missing."""
    messages = {**LINES, "include_stdio_in_messages": True}
    theirs, ours = both("log_writers.py", launched(as_variables, messages), tmp_path)
    assert with_texts(ours) == CAPTURED
    for name, text in with_texts(theirs).items():
        surplus = {*text.splitlines()} - {*CAPTURED[name].splitlines()}
        # it copies stderr to stdout, so what came on stderr is captured once more as of stdout
        assert {line for line in surplus if not line.lower().endswith("wrong")} == set(), name


def with_texts(result: tuple[str, dict[str, str]]) -> dict[str, str]:
    """What was printed, sent and stored, by where it went."""
    printed, files = result
    found = {**files, "printed": printed}
    captured = re.findall(r'"stream": "(\w+)", "text": "([^"]*)', found.pop("lines"))
    for stream in ("stdout", "stderr"):
        text = "".join(text for name, text in captured if name == stream)
        found[f"sent of {stream}"] = json.loads(f'"{text}"')
    return found


# --- Databricks and Prefect ---------------------------------------------------------------------------

DELIVERED = {
    "spark.databricks.clusterUsageTags.clusterLogDeliveryEnabled": "true",
    "spark.databricks.clusterUsageTags.clusterLogDestination": "dbfs:/logs",
    "spark.databricks.clusterUsageTags.clusterId": "0123-456789-abcdefgh",
}


@pytest.mark.parametrize("settings", [DELIVERED, {}], ids=["logs delivered", "not delivered"])
def test_a_job_on_dbfs_writes_the_same_files(tmp_path: Path, settings: Mapping[str, str]) -> None:
    def launch(folder: Path) -> Launch:
        (folder / "run").mkdir()
        (folder / "run" / "context.json").write_text(json.dumps(PLAIN))
        event = as_event(encode_param({"path": "/run/context.json"}), encode_param({"path": "/chunks"}))
        runtime = {"DBFS": str(folder), "SPARK_SETTINGS": json.dumps(settings), "PYTHONPATH": str(RUNTIME)}
        return Launch({**event.environment, **runtime})

    theirs, ours = both("dbfs.py", launch, tmp_path)
    assert (ours[0], without_marks(ours[1])) == (theirs[0], theirs[1])
    assert ("dbfs:/logs/0123-456789-abcdefgh/driver" in theirs[1]["chunks/*.json"]) is bool(settings)


def test_a_job_with_a_volume_writes_the_same_files(tmp_path: Path) -> None:
    def launch(folder: Path) -> Launch:
        (folder / "context.json").write_text(json.dumps(PLAIN))
        context, messages = {"path": f"{folder}/context.json"}, {"path": f"{folder}/chunks"}
        return as_variables(encode_param(context), encode_param(messages))

    theirs, ours = both("volumes.py", launch, tmp_path)
    assert (ours[0], without_marks(ours[1])) == (theirs[0], theirs[1])
    assert "on Ada" in theirs[1]["chunks/*.json"]


@pytest.mark.skipif("PipesPrefectLogsMessageWriter" not in OFFICIAL, reason="dagster-pipes has it from 1.13.29 on")
def test_a_job_in_a_prefect_run_writes_the_same_records(tmp_path: Path) -> None:
    theirs, ours = both("prefect_logs.py", launched(as_variables, {"prefect_logs": True}), tmp_path)
    assert ours == theirs
    assert theirs[1]["lines"].count("INFO prefect.flow_runs.dagster_pipes {") == 4


# --- the clouds ---------------------------------------------------------------------------------------

CLIENTS = {"s3": "s3_objects.py", "gs": "gcs_objects.py", "az": "azure_blobs.py"}
FIRST, SECOND, THIRD = "abcdeFGHIJ", "klmnoPQRST", "uvwxyZABCD"  # Dagster's prefixes are random letters


def objects(cloud: Cloud, prefix: str) -> dict[str, str]:
    store = client_store(cloud)
    keys = [info.key for info in store.list(f"{prefix}/")]
    return in_order({key.removeprefix(f"{prefix}/"): store.get(key) or b"" for key in keys})


def in_bucket(cloud: Cloud, prefix: str, *, strict: bool = False) -> Launch:
    """Params as Dagster's injector and reader of that cloud send them; the context is where they say."""
    place = bucket_and_prefix(cloud.url)
    assert place is not None
    bucket, folder = place
    client_store(cloud).put(f"{prefix}/context.json", json.dumps(PLAIN).encode())
    context = {"bucket": bucket, "key": f"{folder}/{prefix}/context.json"}
    messages = {"bucket": bucket, "key_prefix": f"{folder}/{prefix}", "include_stdio_in_messages": False}
    launch = as_variables(encode_param(context), encode_param(messages))
    own = {"BLOBPIPES_URL": f"{cloud.scheme}://?strict_bytes=true"} if strict else {}
    return Launch(
        {**launch.environment, **own, "SCHEME": cloud.scheme, "BUCKET": bucket, "PREFIX": f"{folder}/{prefix}"}
    )


def test_a_job_with_a_vendors_client_writes_the_same_objects(cloud: Cloud, tmp_path: Path) -> None:
    program = CLIENTS[cloud.scheme]
    run(program, "official", in_bucket(cloud, FIRST), tmp_path)
    run(program, "ours", in_bucket(cloud, SECOND), tmp_path)
    run(program, "ours", in_bucket(cloud, THIRD, strict=True), tmp_path)
    theirs, ours, strict = (objects(cloud, prefix) for prefix in (FIRST, SECOND, THIRD))
    assert "h\\u00e9, Ada" in theirs["/*.json"]
    assert strict == theirs
    assert without_marks(ours) == theirs
    assert '"__blobpipes": {' in ours["/*.json"]


def test_the_clouds_channels_can_be_used_by_hand(cloud: Cloud, tmp_path: Path) -> None:
    run("cloud_channels.py", "official", in_bucket(cloud, FIRST), tmp_path)
    run("cloud_channels.py", "ours", in_bucket(cloud, SECOND), tmp_path)
    assert without_marks(objects(cloud, SECOND)) == objects(cloud, FIRST)


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)
def test_a_channel_that_adds_to_the_s3_channel_is_called_for_each_chunk(cloud: Cloud, tmp_path: Path) -> None:
    for package, prefix in (("official", FIRST), ("ours", SECOND)):
        launch = in_bucket(cloud, prefix)
        folder = tmp_path / package
        folder.mkdir()
        run(
            "s3_own_channel.py",
            package,
            replace(launch, environment={**launch.environment, "FOLDER": str(folder)}),
            tmp_path,
        )
        assert (folder / "counted").read_text() == "yes"
    theirs = objects(cloud, FIRST)
    assert '"extras": {"writer": "counting"}' in theirs["/*.json"]
    assert without_marks(objects(cloud, SECOND)) == theirs


# --- the programs themselves --------------------------------------------------------------------------


@not_newer
def test_the_programs_use_every_public_name() -> None:
    used = {name for path in PROGRAMS.glob("*.py") for name in re.findall(r"dagster_pipes\.(\w+)", path.read_text())}
    assert [name for name in OFFICIAL if name not in used] == []
