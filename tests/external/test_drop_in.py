"""The official names for single clouds and old code: what is ours about them. The rest is in integration_tests."""

from __future__ import annotations

import json
import logging
import sys
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from blobpipes.errors import (
    DagsterPipesError,
    DagsterPipesWarning,
    FencedError,
    InvalidOptionError,
    MessageTooLargeError,
)
from blobpipes.external.blob_store_channel import StoreMessageWriterChannel
from blobpipes.external.drop_in import databricks
from blobpipes.external.drop_in.clouds import (
    PipesAzureBlobStorageMessageWriter,
    PipesGCSMessageWriter,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
)
from blobpipes.external.drop_in.databricks import (
    PipesDatabricksNotebookWidgetsParamsLoader,
    PipesDbfsMessageWriter,
    PipesUnityCatalogVolumesMessageWriter,
)
from blobpipes.external.drop_in.names import DAGSTER_PIPES_CLI_PARSER, ExcThread
from blobpipes.external.drop_in.prefect import PipesPrefectLogsMessageWriter
from blobpipes.storage.open import open_store
from blobpipes.testing import MemoryStore
from blobpipes.wire.messages import PipesMessage, asset_materialization, closed, custom, external_stream, log, opened
from tests.external.launching import bootstrap, chunks_in, messages_in, methods, run_job

# --- a vendor's client --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (PipesS3MessageWriter, 'boto3.client("s3")'),
        (PipesS3ContextLoader, 'boto3.client("s3")'),
        (PipesGCSMessageWriter, "google.cloud.storage.Client"),
        (PipesAzureBlobStorageMessageWriter, "BlobServiceClient"),
    ],
)
def test_what_is_no_client_of_the_vendor_is_refused_at_once(kind: Any, wanted: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"Path.* is not a client") as caught:
        kind(Path())
    assert wanted in caught.value.remedy


def test_storage_options_beside_a_client_are_refused_for_nobody_would_read_them() -> None:
    client = SimpleNamespace(list_blobs=None)
    with pytest.raises(InvalidOptionError, match="a client replaces"):
        PipesGCSMessageWriter(client, storage_options={"project": "p"})


def test_an_unknown_option_is_refused_at_once() -> None:
    with pytest.raises(InvalidOptionError, match="did you mean 'close_timeout'"):
        PipesS3MessageWriter(close_timout=3)


@pytest.mark.parametrize(("given", "taken"), [(0, 1), (0.01, 1), (0.05, 0.05), (3, 3), ("500ms", 0.5), (None, 10)])
def test_an_interval_of_zero_is_a_second_as_in_the_official_package(given: Any, taken: float) -> None:
    assert PipesS3MessageWriter(interval=given).interval == taken
    assert StoreMessageWriterChannel(MemoryStore(), interval=given).options.interval == taken


def test_a_negative_interval_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="interval=-1 is out of range"):
        PipesS3MessageWriter(interval=-1)


@pytest.mark.parametrize("url", ["gs://bucket/session", "file:///tmp/session"])
def test_a_session_in_another_place_is_not_mistaken_for_a_bucket_of_the_vendor(url: str) -> None:
    params = {"bucket": "bucket", "key_prefix": "session", "blobpipes": {"v": 1, "url": url}}
    with pytest.raises(
        DagsterPipesError, match=f"the session is at {url}, and PipesS3MessageWriter reaches only s3://"
    ):
        PipesS3MessageWriter().make_channel(params)


def test_params_without_a_bucket_are_refused_by_name() -> None:
    with pytest.raises(DagsterPipesError, match="PipesS3ContextLoader needs `bucket`, and received `path`"):
        PipesS3ContextLoader().load_context({"path": "/data/context"})


def test_a_client_needs_neither_fsspec_nor_the_vendors_package() -> None:
    run_job(
        """
        import sys

        import blobpipes as dagster_pipes

        for name in dir(dagster_pipes):
            if "S3" in name or "GCS" in name or "Azure" in name:
                getattr(dagster_pipes, name)
        dagster_pipes.open_dagster_pipes
        heavy = {"fsspec", "s3fs", "gcsfs", "adlfs", "aiohttp", "boto3", "botocore", "google", "azure", "asyncio"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        """
    )


# --- a channel that a subclass has changed ------------------------------------------------------------


class Recording(StoreMessageWriterChannel):
    """Keeps each chunk, and stores it as its base does."""

    def __init__(self, store: MemoryStore, fail_first: type[Exception] | None = None) -> None:
        super().__init__(store, interval=0.05)
        self.kept: list[tuple[int, str]] = []
        self._failure = fail_first

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        self.kept.append((index, payload.getvalue()))
        super().upload_messages_chunk(payload, index)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure("after it was stored")


def write_all(channel: StoreMessageWriterChannel) -> None:
    with channel.buffered_upload_loop():
        for message in (opened(), log("x"), closed()):
            channel.write_message(message)


def test_a_subclass_that_has_its_own_upload_gets_every_chunk() -> None:
    store = MemoryStore()
    channel = Recording(store)
    write_all(channel)
    assert channel.kept
    assert [text.encode() for _, text in channel.kept] == [store.get(f"{index}.json") for index, _ in channel.kept]


def test_a_chunk_that_was_stored_before_its_upload_failed_is_known_as_ours() -> None:
    store = MemoryStore()
    channel = Recording(store, fail_first=OSError)
    write_all(channel)
    assert [index for index, _ in channel.kept][:2] == [1, 1]
    assert methods(json.loads(line) for line in (store.get("1.json") or b"").decode().split("\n"))[0] == "opened"


class AskingTwice(MemoryStore):
    """As a client that repeats a request whose reply was lost, and tells nobody."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        super().put_if_absent(key, data)
        return super().put_if_absent(key, data)


def test_what_a_client_stored_by_a_request_that_it_repeated_is_ours() -> None:
    store = AskingTwice()
    write_all(Recording(store))
    text = b"\n".join(store.get(info.key) or b"" for info in store.list())
    assert methods(json.loads(line) for line in text.split(b"\n")) == ["opened", "log", "closed"]


def test_a_chunk_of_somebody_else_ends_such_a_writer() -> None:
    store = MemoryStore()
    store.put("1.json", b"{}")
    with pytest.raises(FencedError, match="did not write"):
        write_all(Recording(store))


# --- Databricks ---------------------------------------------------------------------------------------


class InputWidgetNotDefined(Exception):  # noqa: N818 - Databricks' name
    pass


class Widgets:
    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, name: str) -> str:
        if name not in self._values:
            raise InputWidgetNotDefined(name)
        return self._values[name]


def test_a_notebook_that_nobody_launched_is_told_by_its_missing_widget() -> None:
    loader = PipesDatabricksNotebookWidgetsParamsLoader(Widgets())
    assert not loader.is_dagster_pipes_process()
    with pytest.raises(DagsterPipesError, match="the widget DAGSTER_PIPES_MESSAGES is absent"):
        loader.load_messages_params()


def test_dbutils_itself_is_taken_for_its_widgets() -> None:
    dbutils = SimpleNamespace(widgets=Widgets(**bootstrap({"path": "/data"})))
    loader = PipesDatabricksNotebookWidgetsParamsLoader(dbutils)
    assert loader.is_dagster_pipes_process()
    assert loader.load_messages_params() == {"path": "/data"}


def test_a_damaged_widget_is_named() -> None:
    loader = PipesDatabricksNotebookWidgetsParamsLoader(Widgets(DAGSTER_PIPES_CONTEXT="?"))
    with pytest.raises(DagsterPipesError, match="the widget DAGSTER_PIPES_CONTEXT"):
        loader.load_context_params()


def test_any_other_trouble_with_widgets_is_raised_as_it_is() -> None:
    class Broken:
        def get(self, name: str) -> str:
            raise RuntimeError("the driver is gone")

    with pytest.raises(RuntimeError, match="the driver is gone"):
        PipesDatabricksNotebookWidgetsParamsLoader(Broken()).is_dagster_pipes_process()


def test_without_spark_a_job_on_dbfs_goes_on_and_says_what_will_be_missing() -> None:
    with pytest.warns(DagsterPipesWarning, match="logs will not be seen .*pyspark"):
        assert PipesDbfsMessageWriter().get_opened_extras() == {}


def test_without_an_active_session_a_job_on_dbfs_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    spark, sql = ModuleType("pyspark"), ModuleType("pyspark.sql")
    sql.SparkSession = SimpleNamespace(getActiveSession=lambda: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyspark", spark)
    monkeypatch.setitem(sys.modules, "pyspark.sql", sql)
    with pytest.warns(DagsterPipesWarning, match="no Spark session is active"):
        assert PipesDbfsMessageWriter().get_opened_extras() == {}


def test_lanes_have_folders_of_their_own_on_dbfs_and_in_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databricks, "MOUNT", str(tmp_path))
    monkeypatch.setenv("BLOBPIPES_LANE", "3")
    entry = {"v": 1, "lanes": 4}
    for writer, path in (
        (PipesDbfsMessageWriter(), "/run"),
        (PipesUnityCatalogVolumesMessageWriter(), f"{tmp_path}/volume"),
    ):
        with writer.open({"path": path, "blobpipes": entry}) as channel:
            channel.write_message(opened())
            channel.write_message(closed())
    for folder in ("run", "volume"):
        assert methods(messages_in(tmp_path / folder / "lanes" / "3")) == ["opened", "closed"]


def test_with_our_own_reader_files_on_dbfs_have_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks, "MOUNT", str(tmp_path))
    with PipesDbfsMessageWriter().open({"path": "/run", "blobpipes": {"v": 1}}) as channel:
        channel.write_message(opened())
        channel.write_message(closed())
    assert '{"blobpipes":{"v":1' in chunks_in(tmp_path / "run")[0].replace(" ", "")
    assert open_store(str(tmp_path / "run")).list()


# --- Prefect ------------------------------------------------------------------------------------------


def write_to_prefect(message: PipesMessage, caplog: pytest.LogCaptureFixture) -> list[Any]:
    params = {"prefect_logs": True, "max_message_bytes": 300}
    with caplog.at_level(logging.INFO), PipesPrefectLogsMessageWriter().open(params) as channel:
        channel.write_message(message)
    return [json.loads(record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize("message", [asset_materialization("a", metadata={"x": "y" * 300}), custom("z" * 300)])
def test_a_result_that_is_too_long_for_prefect_is_refused(
    message: PipesMessage, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MessageTooLargeError, match="over the limit of 300"):
        write_to_prefect(message, caplog)
    assert caplog.records == []


@pytest.mark.parametrize("message", [log("x" * 300), external_stream("stdout", "x" * 300)])
def test_a_log_that_is_too_long_for_prefect_leaves_an_error_in_its_place(
    message: PipesMessage, caplog: pytest.LogCaptureFixture
) -> None:
    (sent,) = write_to_prefect(message, caplog)
    assert sent["method"] == "log"
    assert sent["params"]["level"] == "ERROR"
    assert "over the limit of 300" in sent["params"]["message"]


def test_an_exception_that_is_too_long_for_prefect_still_closes(caplog: pytest.LogCaptureFixture) -> None:
    exception: Any = {"message": "m" * 300, "stack": [], "name": "ValueError", "cause": None, "context": None}
    (sent,) = write_to_prefect(closed(exception), caplog)
    assert sent["method"] == "closed"
    assert sent["params"]["exception"]["name"] == "ValueError"
    assert sent["params"]["exception"]["stack"] == []


@pytest.mark.parametrize("params", [{}, {"prefect_logs": "yes"}, {"prefect_logs": True, "max_message_bytes": "1"}])
def test_params_of_another_reader_are_refused_by_prefects_writer(params: dict[str, Any]) -> None:
    with pytest.raises(DagsterPipesError, match="the param `"), PipesPrefectLogsMessageWriter().open(params):
        pass


# --- small things -------------------------------------------------------------------------------------


def test_the_exception_of_a_thread_is_shown_when_it_is_joined(capsys: pytest.CaptureFixture[str]) -> None:
    thread = ExcThread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_parser_can_be_a_parent_of_a_programs_own() -> None:
    import argparse

    own = argparse.ArgumentParser(parents=[DAGSTER_PIPES_CLI_PARSER])
    assert own.parse_args(["--dagster-pipes-context", "x"]).dagster_pipes_context == "x"
