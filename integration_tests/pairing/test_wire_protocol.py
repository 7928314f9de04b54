"""What the protocol says, behaviour by behaviour, each held by a test that has the official package as its other half.

The list is in `behaviours.py`. What needs whole processes is in the modules beside this one; here both packages run
in this process and are compared.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster_pipes
import pytest

import blobpipes
from blobpipes import PipesSubprocessClient, PipesTempFileMessageReader, open_pipes_session
from integration_tests.pairing.behaviours import BEHAVIOURS
from integration_tests.servers.clouds import ROOT, Cloud, CloudServer
from tests.orchestration.jobs import recorded_run

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("section", BEHAVIOURS)
def test_every_behaviour_is_held_by_a_test_that_exists(section: str) -> None:
    for module, name in BEHAVIOURS[section].values():
        tree = ast.parse(Path(ROOT, module).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{module}::{name}"


# --- one call, both packages --------------------------------------------------------------------------

PACKAGES = {"official": dagster_pipes, "ours": blobpipes}
DATA: dict[str, Any] = {
    "asset_keys": ["a"],
    "code_version_by_asset_key": {"a": None},
    "provenance_by_asset_key": {"a": None},
    "partition_key": None,
    "partition_key_range": None,
    "partition_time_window": None,
    "run_id": "r",
    "job_name": None,
    "retry_number": 0,
    "extras": {},
}


def opened(package: Any, context: Any, messages: Any) -> Any:
    """A context of `package`, as `open_dagster_pipes` makes it."""
    params = {"DAGSTER_PIPES_CONTEXT": context, "DAGSTER_PIPES_MESSAGES": messages}
    loader = package.PipesMappingParamsLoader(
        {name: package.encode_param(value) for name, value in params.items() if value is not None}
    )
    return package.PipesContext(loader, package.PipesDefaultContextLoader(), package.PipesDefaultMessageWriter())


def written(package: Any, data: Any, call: Callable[[Any], Any], folder: Path) -> tuple[bool, list[Any]]:
    """Whether the call raised, and the messages between `opened` and `closed`."""
    file = folder / f"{package.__name__}.messages"
    pipes = opened(package, {"data": data}, {"path": str(file)})
    try:
        call(pipes)
        raised = False
    except (dagster_pipes.DagsterPipesError, blobpipes.DagsterPipesError):
        raised = True
    pipes.close()
    return raised, [json.loads(line) for line in file.read_text().splitlines()][1:-1]


ASSETS = {"one": ["a"], "two": ["a", "b"], "null": None, "empty": []}
CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "no key, one asset": ("one", lambda p: p.report_asset_materialization()),
    "no key, two assets": ("two", lambda p: p.report_asset_materialization()),
    "no key, no assets": ("null", lambda p: p.report_asset_materialization()),
    "an empty key": ("null", lambda p: p.report_asset_materialization(asset_key="")),
    "a key of another step": ("one", lambda p: p.report_asset_materialization(asset_key="z")),
    "any key where there are none": ("null", lambda p: p.report_asset_materialization(asset_key="z")),
    "any key of a check": ("empty", lambda p: p.report_asset_check("c", True, asset_key="z")),
    "an asset twice": ("one", lambda p: [p.report_asset_materialization() for _ in "12"]),
    "a check twice": ("one", lambda p: [p.report_asset_check("c", True) for _ in "12"]),
    "a version that is no text": ("one", lambda p: p.report_asset_materialization(data_version=1)),
    "passed that is no bool": ("one", lambda p: p.report_asset_check("c", 1)),
    "a check's name that is no text": ("one", lambda p: p.report_asset_check(3, True)),
    "empty metadata": ("one", lambda p: p.report_asset_materialization(metadata={})),
    "a bare object": ("one", lambda p: p.report_asset_materialization(metadata={"a": {"b": 1}})),
    "a label that is no text": ("one", lambda p: p.report_asset_materialization(metadata={1: 2})),
    "an unknown type": (
        "one",
        lambda p: p.report_asset_materialization(metadata={"a": {"type": "job", "raw_value": 1}}),
    ),
    "a log with arguments": ("one", lambda p: p.log.info("100%% of %s", "x")),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_written_or_refused_by_both_packages_alike(name: str, tmp_path: Path) -> None:
    assets, call = CALLS[name]
    keys = ASSETS[assets]
    by_key = None if keys is None else dict.fromkeys(keys)
    data = {**DATA, "asset_keys": keys, "code_version_by_asset_key": by_key, "provenance_by_asset_key": by_key}
    assert written(blobpipes, data, call, tmp_path) == written(dagster_pipes, data, call, tmp_path)


@pytest.mark.parametrize(
    "call",
    [lambda p: p.report_asset_check("c", True, "MILD"), lambda p: p.log_external_stream("stdlog", "x")],
    ids=["severity", "stream"],
)
def test_two_calls_that_end_an_official_reader_are_refused_by_ours_alone(call: Any, tmp_path: Path) -> None:
    raised, messages = written(dagster_pipes, DATA, call, tmp_path)
    assert (raised, len(messages)) == (False, 1)
    assert written(blobpipes, DATA, call, tmp_path) == (True, [])


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_after_the_close_both_packages_refuse_and_a_second_close_does_nothing(package: Any, tmp_path: Path) -> None:
    pipes = opened(package, {"data": DATA}, {"path": str(tmp_path / "m")})
    pipes.close()
    pipes.close()
    with pytest.raises(package.DagsterPipesError):
        pipes.log.info("late")
    assert len((tmp_path / "m").read_text().splitlines()) == 2


BAD_PARAMS: list[tuple[Any, Any]] = [
    ({"data": DATA}, None),
    ({"data": DATA}, {}),
    ({"data": DATA}, {"path": 3}),
    ({"data": DATA}, {"stdio": "stdlog"}),
    ({"data": DATA}, {"buffered_stdio": 1}),
    ({"data": [1]}, {"stdio": "stdout"}),
    ({"data": DATA, "path": "/nowhere/context"}, {"stdio": "stdout"}),  # the path wins
    ({"data": DATA, "path": 3}, {"stdio": "stdout"}),
    ({}, {"stdio": "stdout"}),
]


@pytest.mark.parametrize(("context", "messages"), BAD_PARAMS, ids=lambda params: json.dumps(params)[:40])
def test_both_packages_refuse_the_same_params(context: Any, messages: Any) -> None:
    for package in PACKAGES.values():
        with pytest.raises((package.DagsterPipesError, AssertionError, OSError, KeyError)):
            opened(package, context, messages)


def test_a_process_that_nobody_launched_gets_a_warning_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_PIPES_CONTEXT", raising=False)
    for package in PACKAGES.values():
        package.PipesContext.set(None)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            monkeypatch.setattr("blobpipes.external.open._has_warned", False)
            with package.open_dagster_pipes() as pipes:
                pipes.report_asset_materialization({"rows": 3})
                pipes.log.info("to nobody")
        assert [warning.category for warning in told] == [package.DagsterPipesWarning]
        package.PipesContext.set(None)


def test_both_packages_see_a_range_whose_ends_differ(tmp_path: Path) -> None:
    context, _ = recorded_run(asset_keys=["a"], partition_key_range=("2024-01", "2024-03"))
    for package in PACKAGES.values():
        pipes = opened(package, {"data": context.data}, {"path": str(tmp_path / package.__name__)})
        assert pipes.is_partition_step
        assert pipes.partition_key_range == {"start": "2024-01", "end": "2024-03"}
        pipes.close()


# --- places -------------------------------------------------------------------------------------------


def test_an_absent_or_null_prefix_is_the_bucket_itself_for_both_packages(
    s3: CloudServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for package, params in [(each, extra) for each in PACKAGES.values() for extra in ({}, {"key_prefix": None})]:
        place: Cloud = s3.fresh()
        for name, value in {**place.env, "BLOBPIPES_URL": "s3://"}.items():
            monkeypatch.setenv(name, value)
        bucket = place.url.partition("://")[2].partition("/")[0]
        client = boto3.client("s3")
        writer = client if package is dagster_pipes else None
        made: Any = package.PipesS3MessageWriter(writer)
        with made.open({"bucket": bucket, **params}) as channel:
            channel.write_message(dagster_pipes._make_message("opened", {"extras": {}}))
        assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["1.json"]


def test_a_chunk_has_the_bytes_of_the_official_one(tmp_path: Path) -> None:
    """With `strict_bytes`. By default a chunk carries one more key, by which a restarted job finds its own."""
    writers = {
        "official": dagster_pipes.PipesUnityCatalogVolumesMessageWriter(),
        "ours": blobpipes.PipesBlobStoreMessageWriter(strict_bytes=True, interval="1h"),
    }
    for name, writer in writers.items():
        (tmp_path / name).mkdir()
        with writer.open({"path": str(tmp_path / name)}) as channel:
            for method, params in [
                ("opened", {"extras": {}}),
                ("log", {"message": "é", "level": "INFO"}),
                ("closed", {}),
            ]:
                channel.write_message(dagster_pipes._make_message(method, params))  # type: ignore[arg-type]
    texts = {name: [file.read_bytes() for file in sorted((tmp_path / name).glob("*.json"))] for name in writers}
    assert b"\n".join(texts["ours"]) == b"\n".join(texts["official"])


TEN_MEGABYTES = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    for number in range(5):
        pipes.report_custom_message({"number": number, "text": "x" * 10_000_000})
"""


def test_lines_of_ten_megabytes_in_a_file_arrive_whole() -> None:
    """The official reader takes a line before it is complete: between the official halves half of these are lost."""
    context, _ = recorded_run(asset_keys=["a"])
    client = PipesSubprocessClient(message_reader=PipesTempFileMessageReader())
    done = client.run(context=context, command=[sys.executable, "-c", TEN_MEGABYTES])
    assert [len(message["text"]) for message in done.get_custom_messages()] == [10_000_000] * 5
    assert done.report.problem_total == 0


BY_ARGUMENTS = """
from dagster_pipes import PipesCliArgsParamsLoader, open_dagster_pipes
with open_dagster_pipes(params_loader=PipesCliArgsParamsLoader()) as pipes:
    pipes.report_custom_message(pipes.run_id)
"""


def test_an_official_job_takes_our_params_from_its_command_line(tmp_path: Path) -> None:
    context, _ = recorded_run(asset_keys=["a"])
    with open_pipes_session(context, blobpipes.PipesTempFileContextInjector(), PipesTempFileMessageReader()) as session:
        options = [part for option in session.get_bootstrap_cli_arguments().items() for part in option]
        subprocess.run([sys.executable, "-c", BY_ARGUMENTS, *options], check=True, timeout=120)
    assert list(session.get_custom_messages()) == [context.run_id]


EXITS = """
import sys
from {package} import open_dagster_pipes
with open_dagster_pipes() as pipes:
    sys.exit(0)
"""


@pytest.mark.parametrize(("package", "verdict"), [("dagster_pipes", "failed"), ("blobpipes", "complete")])
def test_an_exit_with_zero_is_an_exception_of_the_official_package_and_no_failure_of_ours(
    package: str, verdict: str
) -> None:
    context, _ = recorded_run(asset_keys=["a"])
    client = PipesSubprocessClient(env={"PYTHONPATH": str(ROOT / "src")})
    done = client.run(context=context, command=[sys.executable, "-c", EXITS.format(package=package)])
    assert done.report.verdict == verdict
