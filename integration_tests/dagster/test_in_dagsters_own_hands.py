"""Our reader and injector inside what Dagster itself offers: its session, its client, its results."""

import logging
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from blobpipes.dagster import PipesBlobStoreContextInjector, PipesBlobStoreMessageReader, report_of
from integration_tests.dagster.steps import (
    ENV,
    INTERVAL,
    bare_command,
    checks,
    command,
    engine_errors,
    engine_metadata,
    entries,
    failure,
    logged,
    materialized,
    official_client,
    run,
    run_one,
    texts,
)


def test_a_session_that_dagster_opens_brings_everything(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    lake = f"file://{tmp_path}/lake?interval={INTERVAL}"
    reports = []

    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        with dg.open_pipes_session(
            context, PipesBlobStoreContextInjector(lake), PipesBlobStoreMessageReader(lake), extras={"limit": 3}
        ) as session:
            job = command("""
                pipes.log.warning("at most %s", pipes.get_extra("limit"))
                pipes.report_custom_message({"any": [1, None]})
                pipes.report_asset_materialization(metadata={"rows": 3}, data_version="7")
            """)
            subprocess.run(job, env={**os.environ, **ENV, **session.get_bootstrap_env_vars()}, check=True)
        reports.append(report_of(session))
        assert session.get_custom_messages() == ({"any": [1, None]},)
        yield from session.get_results()

    result = run(instance, orders)
    assert result.success, failure(result)
    assert (logging.WARNING, "at most 3") in logged(instance, result)
    made = materialized(instance, result)["orders"]
    assert made.metadata["rows"].value == 3
    assert made.tags["dagster/data_version"] == "7"
    assert [report.verdict for report in reports] == ["complete"]
    (verdict,) = [text for text in texts(instance, result) if text.startswith("[pipes] complete: 5 messages")]
    assert verdict.endswith(f" {reports[0].url}")


def test_what_a_session_has_cost_is_metadata_in_the_run(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run_one(instance, tmp_path, command("pipes.report_asset_materialization()"))
    assert result.success, failure(result)
    (figures,) = [found for found in engine_metadata(instance, result) if "blobpipes/cost_usd" in found]
    assert figures["blobpipes/verdict"].value == "complete"
    assert figures["blobpipes/requests_put"].value >= 3  # the descriptor, the context, a chunk
    assert figures["blobpipes/url"].value.startswith("file://")


def test_a_broken_price_file_fails_no_step(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.toml").write_text("no toml")
    monkeypatch.setenv("BLOBPIPES_PRICES", str(tmp_path / "prices.toml"))
    result = run_one(instance, tmp_path, command("pipes.report_asset_materialization()"))
    assert result.success, failure(result)
    assert [text for text in texts(instance, result) if "cost cannot be told" in text]


def test_every_metadata_type_becomes_dagsters_own(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run_one(
        instance,
        tmp_path,
        command("""
            column = {"name": "id", "type": "int", "description": "the id", "tags": {"pii": "no"},
                      "constraints": {"nullable": False, "unique": True, "other": ["positive"]}}
            typed = {
                "text": "t", "url": "http://x", "path": "/p", "notebook": "/n", "json": {"a": [1]}, "md": "*m*",
                "float": 1.0, "int": 2, "bool": True, "dagster_run": "r", "asset": "a/b", "null": None,
                "timestamp": 1700000000.5,
                "table": {"records": [{"id": 1}, {"id": 2}], "schema": [column]},
                "table_schema": {"columns": [column]},
                "table_column_lineage": {"deps_by_column": {"id": [{"asset_key": "src", "column_name": "id"}]}},
            }
            metadata = {kind: {"type": kind, "raw_value": raw} for kind, raw in typed.items()}
            pipes.report_asset_check("not_empty", passed=False, severity="WARN", metadata={"bare": 5})
            pipes.report_asset_materialization(metadata={**metadata, "bare": 5, "nan": float("nan")})
        """),
    )
    assert result.success, failure(result)
    metadata = materialized(instance, result)["orders"].metadata
    kinds = {label: type(value).__name__.removesuffix("MetadataValue") for label, value in metadata.items()}
    assert kinds == {
        "text": "Text", "url": "Url", "path": "Path", "notebook": "Notebook", "json": "Json", "md": "Markdown",
        "float": "Float", "int": "Int", "bool": "Bool", "dagster_run": "DagsterRun", "asset": "DagsterAsset",
        "null": "Null", "timestamp": "Timestamp", "table": "Table", "table_schema": "TableSchema",
        "table_column_lineage": "TableColumnLineage", "bare": "Int", "nan": "Float",
    }  # fmt: skip
    assert metadata["asset"].asset_key == dg.AssetKey(["a", "b"])
    (check,) = checks(instance, result)
    assert (check.check_name, check.passed, check.severity) == ("not_empty", False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["bare"].value == 5


def test_log_messages_keep_their_order_and_level(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run_one(
        instance,
        tmp_path,
        command("""
            for i in range(500):
                pipes.log.log(10 * (1 + i % 5), "message %d of 100%%", i)
        """),
    )
    arrived = [(level, text) for level, text in logged(instance, result) if text.startswith("message ")]
    assert arrived == [(10 * (1 + i % 5), f"message {i} of 100%") for i in range(500)]


def test_an_exception_is_an_event_with_its_causes(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run_one(
        instance,
        tmp_path,
        command("""
            try:
                {}["rows"]
            except KeyError as error:
                raise ValueError("no rows") from error
        """),
    )
    assert not result.success
    assert "External execution process failed with code 1" in failure(result)
    (error,) = engine_errors(instance, result)
    assert (error.cls_name, error.cause.cls_name) == ("ValueError", "KeyError")


def test_captured_output_is_among_the_steps_compute_logs(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        job = command("""
            import sys
            print("said on stdout", flush=True)
            print("said on stderr", file=sys.stderr, flush=True)
            pipes.report_asset_materialization()
        """)

        @dg.asset
        def orders(context: dg.AssetExecutionContext):
            reader = PipesBlobStoreMessageReader(f"file://{tmp_path}/lake", INTERVAL, include_stdio_in_messages=True)
            injector = PipesBlobStoreContextInjector(f"file://{tmp_path}/lake")
            with dg.open_pipes_session(context, injector, reader) as session:
                variables = {**os.environ, **ENV, **session.get_bootstrap_env_vars()}
                nowhere = subprocess.DEVNULL  # so the only way is through the messages
                subprocess.run(job, env=variables, check=True, stdout=nowhere, stderr=nowhere)
            return session.get_results()

        result = run(instance, orders)
        assert result.success, failure(result)
        captured = [e.dagster_event for e in entries(instance, result) if e.dagster_event is not None]
        (event,) = [e for e in captured if e.event_type_value == "LOGS_CAPTURED"]
        key = [result.run_id, "compute_logs", event.event_specific_data.file_key]
        data = instance.compute_log_manager.get_log_data(key)
        assert data.stdout is not None
        assert b"said on stdout" in data.stdout
        assert data.stderr is not None
        assert b"said on stderr" in data.stderr


def test_a_log_reader_copies_its_log_beside_the_messages(
    instance: dg.DagsterInstance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class OneLog(dg.PipesLogReader):  # as those of dagster-aws: written for Dagster's threaded readers
        running = False

        def start(self, params: Any, is_session_closed: threading.Event) -> None:
            self.running = True

        def stop(self) -> None:
            self.running = False
            print("the platform's log")

        def is_running(self) -> bool:
            return self.running

        def target_is_readable(self, params: Any) -> bool:
            return True

    result = run_one(instance, tmp_path, command("pipes.report_asset_materialization()"), log_readers=[OneLog()])
    assert "the platform's log" in capsys.readouterr().out
    assert "orders" in materialized(instance, result)


def test_a_step_of_several_assets(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("north"), dg.AssetSpec(["deep", "south"])])
    def both(context: dg.AssetExecutionContext):
        job = command("""
            for key in pipes.asset_keys:
                pipes.report_asset_materialization(asset_key=key, metadata={"length": len(key)})
        """)
        return official_client(tmp_path).run(context=context, command=job).get_results()

    result = run(instance, both)
    assert result.success, failure(result)
    made = {e.asset_key: e for e in (m.step_materialization_data.materialization
                                     for m in result.get_asset_materialization_events())}  # fmt: skip
    assert set(made) == {dg.AssetKey("north"), dg.AssetKey(["deep", "south"])}


def test_an_op_without_assets_may_use_it_too(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.op
    def work(context: dg.OpExecutionContext) -> int:
        invocation = official_client(tmp_path).run(context=context, command=command("pipes.report_custom_message(42)"))
        answer: int = invocation.get_custom_messages()[0]
        return answer

    @dg.job
    def plain() -> None:
        work()

    result = plain.execute_in_process(instance=instance)
    assert result.output_for_node("work") == 42


def test_a_partition_and_its_window_reach_the_job(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    months = dg.MonthlyPartitionsDefinition("2013-01-01")

    @dg.asset(partitions_def=months)
    def flights(context: dg.AssetExecutionContext):
        job = command("""
            window = pipes.partition_time_window
            pipes.report_asset_materialization(metadata={"key": pipes.partition_key, "end": window["end"]})
        """)
        return official_client(tmp_path).run(context=context, command=job).get_materialize_result()

    result = run(instance, flights, partition_key="2013-02-01")
    assert result.success, failure(result)
    made = materialized(instance, result)["flights"]
    assert made.partition == "2013-02-01"
    assert (made.metadata["key"].value, made.metadata["end"].value[:10]) == ("2013-02-01", "2013-03-01")


@pytest.mark.skipif(dg.__version__.startswith("1.9."), reason="Dagster 1.9 retries no step that its own client failed")
def test_a_retried_step_opens_a_new_session_that_knows_which_try_it_is(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def orders(context: dg.AssetExecutionContext):
        job = command("""
            pipes.log.info("try %d", pipes.retry_number)
            assert pipes.retry_number == 1
            pipes.report_asset_materialization()
        """)
        return official_client(tmp_path).run(context=context, command=job).get_materialize_result()

    result = run(instance, orders)
    assert result.success, failure(result)
    assert [text for text in texts(instance, result) if text.startswith("try")] == ["try 0", "try 1"]


def test_one_reader_serves_steps_at_once_and_again(tmp_path: Path) -> None:
    lake = f"file://{tmp_path}/lake?interval={INTERVAL}"
    client = dg.PipesSubprocessClient(
        env=ENV,
        context_injector=PipesBlobStoreContextInjector(lake),
        message_reader=PipesBlobStoreMessageReader(lake),
    )
    both_run = threading.Barrier(2, timeout=60)

    def asset(name: str) -> Any:
        @dg.asset(name=name)
        def made(context: dg.AssetExecutionContext):
            job = command(f"pipes.log.info('from {name}'); pipes.report_asset_materialization()")
            both_run.wait()
            return client.run(context=context, command=job).get_materialize_result()

        return made

    said: dict[str, list[str]] = {}

    def materialize(name: str) -> None:
        with dg.DagsterInstance.ephemeral() as instance:  # one for each thread: its database is not shared
            result = run(instance, asset(name))
            assert result.success, failure(result)
            said.setdefault(name, []).extend(text for text in texts(instance, result) if text.startswith("from"))

    for _ in range(2):
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(materialize, ["one", "two"]))
    assert said == {"one": ["from one"] * 2, "two": ["from two"] * 2}


@pytest.mark.filterwarnings("ignore:.*is currently in preview")
def test_a_composite_reader_of_dagster_takes_ours(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    composite = getattr(dg, "PipesCompositeMessageReader", None)
    if composite is None:
        pytest.skip(f"Dagster {dg.__version__} has no composite reader")
    lake = f"file://{tmp_path}/lake?interval={INTERVAL}"

    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def both(context: dg.AssetExecutionContext):
        reader = composite([PipesBlobStoreMessageReader(lake), PipesBlobStoreMessageReader(lake)])
        with dg.open_pipes_session(context, PipesBlobStoreContextInjector(lake), reader) as session:
            for key, variables in zip("ab", session.get_per_writer_bootstrap_env_vars(), strict=True):
                job = command(f"pipes.report_asset_materialization(asset_key={key!r})")
                subprocess.run(job, env={**os.environ, **ENV, **variables}, check=True)
        yield from session.get_results(implicit_materializations=False)

    result = run(instance, both)
    assert result.success, failure(result)
    assert set(materialized(instance, result)) == {"a", "b"}


def test_an_asset_that_is_called_as_a_function(tmp_path: Path) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        with dg.open_pipes_session(
            context,
            PipesBlobStoreContextInjector(f"file://{tmp_path}/lake"),
            PipesBlobStoreMessageReader(f"file://{tmp_path}/lake", INTERVAL),
        ) as session:
            variables = {**os.environ, **ENV, **session.get_bootstrap_env_vars()}
            subprocess.run(
                command("pipes.report_asset_materialization(metadata={'rows': 1})"), env=variables, check=True
            )
        return session.get_results()

    (made,) = orders(dg.build_asset_context())
    assert made.metadata["rows"].value == 1


def test_a_subclass_written_for_dagsters_blob_store_reader_keeps_its_hooks(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    class FolderReader(PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self) -> Any:
            yield {"path": str(tmp_path / "chunks")}

        def download_messages_chunk(self, index: int, params: Any) -> str | None:
            path = Path(params["path"], f"{index}.json")
            return path.read_text() if path.exists() else None

    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        (tmp_path / "chunks").mkdir()
        client = dg.PipesSubprocessClient(env=ENV, message_reader=FolderReader(interval=INTERVAL))
        job = bare_command("""
            from blobpipes import PipesBlobStoreMessageWriter
            from dagster_pipes import PipesDefaultMessageWriter
            import dagster_pipes, os, json
            from pathlib import Path
            class Channel(dagster_pipes.PipesBlobStoreMessageWriterChannel):
                def upload_messages_chunk(self, payload, index):
                    temporary = Path(self.folder, f".{index}")
                    temporary.write_text(payload.read())
                    temporary.rename(Path(self.folder, f"{index}.json"))
            class Writer(dagster_pipes.PipesBlobStoreMessageWriter):
                def make_channel(self, params):
                    channel = Channel(interval=0)
                    channel.folder = params["path"]
                    return channel
            with dagster_pipes.open_dagster_pipes(message_writer=Writer()) as pipes:
                pipes.report_asset_materialization(metadata={"rows": 2})
        """)
        return client.run(context=context, command=job).get_materialize_result()

    result = run(instance, orders)
    assert result.success, failure(result)
    assert materialized(instance, result)["orders"].metadata["rows"].value == 2
