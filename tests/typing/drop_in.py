"""Code written for dagster_pipes, after its one line has changed. Never run: `mypy --strict` reads it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

from typing_extensions import assert_type

import blobpipes as dagster_pipes


class MyChannel(dagster_pipes.PipesS3MessageWriterChannel):
    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        super().upload_messages_chunk(payload, index)


class MyWriter(dagster_pipes.PipesS3MessageWriter):
    def make_channel(self, params: dagster_pipes.PipesParams) -> MyChannel:
        return MyChannel(self._client, params["bucket"], params.get("key_prefix"), interval=self.interval)

    def get_opened_extras(self) -> dagster_pipes.PipesExtras:
        return {"a": 1}


class MyLoader(dagster_pipes.PipesContextLoader):
    @contextmanager
    def load_context(self, params: dagster_pipes.PipesParams) -> Iterator[dagster_pipes.PipesContextData]:
        with dagster_pipes.PipesUnityCatalogVolumesContextLoader().load_context(params) as data:
            yield data


def with_clients(client: Any) -> None:
    pairs: list[tuple[dagster_pipes.PipesContextLoader, dagster_pipes.PipesMessageWriter[Any]]] = [
        (dagster_pipes.PipesS3ContextLoader(client), dagster_pipes.PipesS3MessageWriter(client, interval=1)),
        (dagster_pipes.PipesGCSContextLoader(client=client), dagster_pipes.PipesGCSMessageWriter(client)),
        (dagster_pipes.PipesAzureBlobStorageContextLoader(), dagster_pipes.PipesAzureBlobStorageMessageWriter()),
    ]
    for loader, writer in pairs:
        with dagster_pipes.open_dagster_pipes(context_loader=loader, message_writer=writer) as pipes:
            assert_type(pipes, dagster_pipes.PipesContext)
            assert_type(pipes.log, logging.Logger)
    gcs: dagster_pipes.PipesMessageWriterChannel = dagster_pipes.PipesGCSMessageWriterChannel(client, "b", None)
    azure: dagster_pipes.PipesBlobStoreMessageWriterChannel = dagster_pipes.PipesAzureBlobStorageMessageWriterChannel(
        client, "c", key_prefix="p", interval=3
    )
    for channel in (gcs, azure):
        assert isinstance(channel, dagster_pipes.PipesMessageWriterChannel)


def on_databricks(dbutils: Any) -> None:
    loader = dagster_pipes.PipesDatabricksNotebookWidgetsParamsLoader(dbutils.widgets)
    for context_loader in (dagster_pipes.PipesDbfsContextLoader(), MyLoader()):
        dagster_pipes.open_dagster_pipes(
            params_loader=loader,
            context_loader=context_loader,
            message_writer=dagster_pipes.PipesDbfsMessageWriter(interval=1),
        )
    dagster_pipes.open_dagster_pipes(message_writer=dagster_pipes.PipesUnityCatalogVolumesMessageWriter())
    dagster_pipes.open_dagster_pipes(message_writer=dagster_pipes.PipesPrefectLogsMessageWriter())
    dagster_pipes.open_dagster_pipes(message_writer=MyWriter())


def the_rest(method: dagster_pipes.Method) -> None:
    message: dagster_pipes.PipesMessage = {"__dagster_pipes_version": "0.1", "method": method, "params": None}
    dagster_pipes.PipesPrefectLogsMessageWriterChannel(logging.getLogger(), 3).write_message(message)
    assert_type(dagster_pipes.DAGSTER_PIPES_CLI_PARSER, argparse.ArgumentParser)
    assert_type(dagster_pipes.to_asset_key_path("a/b"), list[str])
    names: Sequence[str] = (
        dagster_pipes.DAGSTER_PIPES_CONTEXT_ENV_VAR,
        dagster_pipes.DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT,
        dagster_pipes.DAGSTER_PIPES_CONTEXT_WIDGET_KEY,
        dagster_pipes.ESCAPE_CHARACTER,
        dagster_pipes.PIPES_PROTOCOL_VERSION,
        dagster_pipes.encode_env_var({}),
    )
    dagster_pipes.ExcThread(target=print, args=names).start()
