"""`open_dagster_pipes()`: whole jobs in fresh interpreters, and what a user's mistake looks like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError
from blobpipes.external.context import PipesContext
from blobpipes.external.open import open_dagster_pipes
from tests.external.launching import (
    MAY_FORK,
    bootstrap,
    loader,
    messages_in,
    messages_of,
    methods,
    negotiated,
    run_job,
)

JOB = """
import sys
bare = set(sys.modules)
from blobpipes.external.open import open_dagster_pipes

with open_dagster_pipes() as context:
    context.log.info("working on %s", context.partition_key)
    context.report_asset_materialization({"rows": context.get_extra("rows")})
sys.stderr.write(" ".join(sorted(set(sys.modules) - bare)))
"""
CONTEXT = {
    "asset_keys": ["orders"],
    "partition_key": "2024-01",
    "partition_key_range": {"start": "2024-01", "end": "2024-01"},
    "extras": {"rows": 3},
}
EXPECTED = ["opened", "log", "report_asset_materialization", "closed"]


def arguments(values: dict[str, str], *, joined: bool) -> list[str]:
    options = {f"--{name.lower().replace('_', '-')}": value for name, value in values.items()}
    if joined:
        return [f"{option}={value}" for option, value in options.items()]
    return [part for option in options.items() for part in option]


def test_a_job_without_arguments_finds_a_store_by_its_url(tmp_path: Path) -> None:
    run_job(JOB, bootstrap(negotiated(tmp_path), CONTEXT))
    messages = messages_in(tmp_path)
    assert methods(messages) == EXPECTED
    assert messages[1]["params"]["message"] == "working on 2024-01"
    assert messages[2]["params"]["metadata"]["rows"]["raw_value"] == 3


def test_a_job_without_arguments_finds_a_file_and_a_stream(tmp_path: Path) -> None:
    run_job(JOB, bootstrap({"path": str(tmp_path / "messages")}, CONTEXT))
    assert methods(messages_of((tmp_path / "messages").read_text().splitlines())) == EXPECTED
    run = run_job(JOB, bootstrap({"stdio": "stdout"}, CONTEXT))
    assert methods(messages_of(run.stdout.splitlines())) == EXPECTED


@pytest.mark.parametrize("joined", [False, True])
def test_a_job_without_arguments_finds_its_params_on_the_command_line(tmp_path: Path, joined: bool) -> None:
    run_job(JOB, None, "mine", *arguments(bootstrap(negotiated(tmp_path), CONTEXT), joined=joined))
    assert methods(messages_in(tmp_path)) == EXPECTED


def test_an_official_orchestrators_bucket_needs_only_the_scheme(tmp_path: Path) -> None:
    job = """
    from blobpipes.external.open import open_dagster_pipes
    from blobpipes.storage.open import open_store

    with open_dagster_pipes() as context:
        context.log.info("x")
    text = open_store("memory://bucket/prefix").get("1.json").decode()
    assert text.startswith('{"__dagster_pipes_version": "0.1", "method": "opened"'), text
    """
    values = bootstrap({"bucket": "bucket", "key_prefix": "prefix", "include_stdio_in_messages": False}, CONTEXT)
    run_job(job, {**values, "BLOBPIPES_URL": "memory://"})
    run = run_job(job, values, status=1)
    assert "not which provider's" in run.stderr
    assert "remedy: Set BLOBPIPES_URL=s3://" in run.stderr


def loaded(run: Any) -> set[str]:
    return set(run.stderr.split())


def test_a_worker_loads_nothing_of_the_orchestration_side(tmp_path: Path) -> None:
    modules = loaded(run_job(JOB, bootstrap(negotiated(tmp_path), CONTEXT)))
    rooms = {name.split(".")[1] for name in modules if name.startswith("blobpipes.")}
    assert rooms == {"chunklog", "clock", "errors", "external", "storage", "wire"}


def test_a_worker_loads_only_the_standard_library_fsspec_and_the_backend(tmp_path: Path) -> None:
    modules = loaded(run_job(JOB, bootstrap(negotiated(tmp_path), CONTEXT)))
    assert not {"rich", "numpy", "pandas", "dagster", "dagster_pipes", "botocore", "fsspec"} & modules
    store = {"blobpipes": {"v": 1, "url": "memory://worker/s-1"}}
    modules = loaded(run_job(JOB, bootstrap(store, CONTEXT)))
    foreign = {name.split(".")[0] for name in modules} - {*sys.stdlib_module_names, "blobpipes"}
    assert foreign <= {"fsspec", "tenacity", "backports"}  # fsspec loads backports.zstd where that is installed


def test_leaving_by_exit_code_zero_is_a_clean_end(tmp_path: Path) -> None:
    job = """
    import sys
    from blobpipes.external.open import open_dagster_pipes

    with open_dagster_pipes():
        sys.exit({})
    """
    run_job(job.format(0), bootstrap(negotiated(tmp_path / "0")))
    assert messages_in(tmp_path / "0")[-1]["params"] == {}
    run_job(job.format(3), bootstrap(negotiated(tmp_path / "3")), status=3)
    assert messages_in(tmp_path / "3")[-1]["params"]["exception"]["name"] == "SystemExit"


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"DAGSTER_PIPES_CONTEXT": "broken"}, "cannot decode the environment variable DAGSTER_PIPES_CONTEXT"),
        ({"DAGSTER_PIPES_CONTEXT": bootstrap({})["DAGSTER_PIPES_CONTEXT"]}, "DAGSTER_PIPES_MESSAGES is absent"),
        (bootstrap({"blobpipes": {"url": "nowhere://x"}}), "nowhere"),
        (bootstrap({"blobpipes": {"url": "s3://"}}), "names no bucket"),
        ({**bootstrap({"path": "/d", "blobpipes": {}}), "BLOBPIPES_URL": "s3://b?intervall=1s"}, "did you mean"),
        (bootstrap({"path": "/d"}, {"run_id": 5}), "`run_id`"),
    ],
)
def test_a_mistake_is_an_error_with_a_remedy_and_never_a_hang(environment: dict[str, str], complaint: str) -> None:
    run = run_job(JOB, environment, status=1)
    assert complaint in run.stderr
    assert "remedy: " in run.stderr.splitlines()[-1]


def test_the_open_context_is_given_again_and_after_its_close_a_new_one(tmp_path: Path) -> None:
    first = open_dagster_pipes(params_loader=loader({"path": str(tmp_path / "one")}))
    assert open_dagster_pipes() is first
    assert PipesContext.get() is first
    first.close()
    second = open_dagster_pipes(params_loader=loader({"path": str(tmp_path / "two")}))
    assert second is not first
    assert not second.is_closed
    second.close()
    for name in ("one", "two"):
        assert methods(messages_of((tmp_path / name).read_text().splitlines())) == ["opened", "closed"]


def test_a_stand_in_that_a_test_has_set_is_given() -> None:
    stand_in: Any = type("StandIn", (), {"is_closed": None})()
    PipesContext.set(stand_in)
    assert open_dagster_pipes() is stand_in


def test_an_error_at_the_start_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(DagsterPipesError):
        open_dagster_pipes(params_loader=loader({}))
    assert not PipesContext.is_initialized()
    open_dagster_pipes(params_loader=loader({"path": str(tmp_path / "messages")})).close()


def test_a_job_that_never_closes_its_pipe_ends_all_the_same(tmp_path: Path) -> None:
    job = """
    from blobpipes.external.open import open_dagster_pipes

    context = open_dagster_pipes()
    print("printed")
    """
    for name, messages in (("chunks", negotiated(tmp_path / "chunks")), ("file", {"path": str(tmp_path / "file")})):
        run = run_job(job, bootstrap({**messages, "include_stdio_in_messages": True}))
        assert (name, run.stdout, run.stderr) == (name, "printed\n", "")


def test_a_forked_child_cannot_report_into_the_void_nor_close_its_parents_pipe(tmp_path: Path) -> None:
    job = """
    import os, sys
    from blobpipes.errors import ForkedError
    from blobpipes.external.open import open_dagster_pipes

    with open_dagster_pipes() as context:
        child = os.fork()
        if child == 0:
            try:
                context.log.info("from the child")
            except ForkedError:
                sys.exit(0)
            sys.exit(2)
        assert os.waitpid(child, 0)[1] == 0
        context.log.info("from the parent")
    """
    run = run_job(job, {**bootstrap(negotiated(tmp_path)), **MAY_FORK})
    messages = messages_in(tmp_path)
    assert run.stderr == ""
    assert methods(messages) == ["opened", "log", "closed"]
    assert messages[1]["params"]["message"] == "from the parent"


CANARY = "canary-4711"


def test_secrets_appear_nowhere(tmp_path: Path) -> None:
    """In no object's repr, no error, no warning, no message and no chunk."""
    job = f"""
    import logging
    from blobpipes.errors import BlobpipesError
    from blobpipes.external.context_loaders import PipesBlobStoreContextLoader
    from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
    from blobpipes.external.open import open_dagster_pipes

    logging.basicConfig(level=logging.DEBUG)
    secrets = {{"password": "{CANARY}", "username": "u", "host": "127.0.0.1", "port": 1}}
    loader = PipesBlobStoreContextLoader("ftp://u:{CANARY}@127.0.0.1:1/", secrets)
    writer = PipesBlobStoreMessageWriter("ftp://u:{CANARY}@127.0.0.1:1/", storage_options=secrets, close_timeout=0.2)
    print(loader, writer, vars(writer).keys())
    try:
        with open_dagster_pipes(message_writer=writer) as context:
            print(context, context._channel, context.log.handlers)
    except BlobpipesError as error:
        print(repr(error), error, error.__cause__)
        raise
    """
    values = bootstrap({"blobpipes": {"url": "ftp://u@127.0.0.1:1/s"}})
    run = run_job(job, values, status=1)
    assert "127.0.0.1" in run.stdout
    assert "127.0.0.1" in run.stderr
    assert CANARY not in run.stdout + run.stderr


def test_secrets_are_not_in_the_chunks(tmp_path: Path) -> None:
    job = f"""
    from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
    from blobpipes.external.open import open_dagster_pipes

    writer = PipesBlobStoreMessageWriter(storage_options={{"secret": "{CANARY}"}})
    with open_dagster_pipes(message_writer=writer) as context:
        context.log.info(repr(context))
    """
    run_job(job, bootstrap(negotiated(tmp_path)))
    assert CANARY not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))
