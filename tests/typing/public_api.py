"""How users call the public names. Never run: `mypy --strict` reads it, so a changed type is noticed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import blobpipes
from blobpipes import (
    AssetCheckResult,
    BlobpipesError,
    IncompleteError,
    MaterializeResult,
    PipesBlobStoreMessageReader,
    PipesBlobStoreMessageWriter,
    PipesCliArgsParamsLoader,
    PipesClientCompletedInvocation,
    PipesContext,
    PipesMetadataValue,
    PipesSession,
    PipesSessionReport,
    PipesSubprocessClient,
    PipesTempFileContextInjector,
    RunContext,
    open_dagster_pipes,
    open_pipes_session,
)


def the_job() -> None:
    with open_dagster_pipes() as pipes:
        assert_type(pipes, PipesContext)
        assert_type(pipes.partition_key, str)
        assert_type(pipes.extras, Mapping[str, Any])
        assert_type(pipes.log, logging.Logger)
        pipes.report_asset_check("rows", passed=True, severity="WARN", metadata={"rows": 3})
        pipes.report_asset_materialization(
            {"rows": 3, "report": {"type": "md", "raw_value": "# Three"}}, data_version="1", asset_key="a"
        )
        pipes.report_custom_message({"any": ["thing"]})
    open_dagster_pipes(params_loader=PipesCliArgsParamsLoader(), message_writer=PipesBlobStoreMessageWriter())


def the_caller(place: Path) -> None:
    context = RunContext.for_asset("a", partition_key="2013-02", extras={"limit": 3})
    assert_type(context, RunContext)
    with open_pipes_session(context, url=str(place), interval=1.0) as session:
        assert_type(session, PipesSession)
        assert_type(session.get_bootstrap_env_vars(), dict[str, str])
    assert_type(session.report, PipesSessionReport)
    for result in session.get_results():
        if isinstance(result, MaterializeResult):
            assert_type(result.metadata, Mapping[str, PipesMetadataValue])
        else:
            assert_type(result, AssetCheckResult)
    with open_pipes_session(context, PipesTempFileContextInjector(), PipesBlobStoreMessageReader(str(place))):
        pass


def the_client() -> None:
    client = PipesSubprocessClient(url="./pipes", env={"A": "b"}, interval="1s")
    done = client.run(context=RunContext(), command=["python", "job.py"])
    assert_type(done, PipesClientCompletedInvocation)
    assert_type(done.get_materialize_result(), MaterializeResult)
    assert_type(done.get_custom_messages(), Sequence[Any])


def the_rest(error: IncompleteError) -> None:
    assert_type(blobpipes.__version__, str)
    assert_type(error.remedy, str)
    _: BlobpipesError = error
