"""Our own clients under Dagster: settings, sharing, termination, and what they give back."""

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from blobpipes.dagster import (
    PipesBlobStoreMessageReader,
    PipesBlobStoreResource,
    PipesSubprocessClient,
    open_pipes_session,
)
from blobpipes.errors import InvalidOptionError, InvalidUrlError
from integration_tests.dagster.steps import ENV, checks, command, failure, materialized, run, texts, wait_until

REPORTS = 'pipes.report_asset_materialization(metadata={"rows": 3})'


def made_by(client: PipesSubprocessClient, source: str = REPORTS):
    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        return client.run(context=context, command=command(source)).get_results()

    return orders


def test_a_client_needs_nothing_but_a_url(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run(instance, made_by(PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms")))
    assert result.success, failure(result)
    assert materialized(instance, result)["orders"].metadata["rows"].value == 3
    (session,) = (tmp_path / "lake").iterdir()
    assert f"_{result.run_id[:8]}_orders" in session.name


def test_without_a_url_it_uses_temporary_files(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLOBPIPES_URL", raising=False)
    result = run(instance, made_by(PipesSubprocessClient(ENV)))
    assert materialized(instance, result)["orders"].metadata["rows"].value == 3


def test_as_a_resource_its_url_may_come_from_the_environment_of_the_step(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PipesSubprocessClient(ENV, url=dg.EnvVar("LAKE_OF_THIS_TEST"))  # not set yet

    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipes: PipesSubprocessClient):
        return pipes.run(context=context, command=command(REPORTS)).get_materialize_result()

    result = run(instance, orders, resources={"pipes": client})
    assert "the environment variable LAKE_OF_THIS_TEST is not set" in failure(result)
    monkeypatch.setenv("LAKE_OF_THIS_TEST", f"file://{tmp_path}/lake?interval=200ms")
    result = run(instance, orders, resources={"pipes": client})
    assert result.success, failure(result)
    assert len(list((tmp_path / "lake").iterdir())) == 1


def test_a_configurable_resource_makes_clients_and_sessions(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_OF_THIS_TEST", f"file://{tmp_path}/lake?interval=200ms")

    @dg.asset
    def orders(context: dg.AssetExecutionContext, pipes: PipesBlobStoreResource):
        return pipes.subprocess_client(env=ENV).run(context=context, command=command(REPORTS)).get_materialize_result()

    @dg.asset
    def returns(context: dg.AssetExecutionContext, pipes: PipesBlobStoreResource):
        with pipes.open_session(context, extras={"a": 1}) as session:
            subprocess.run(command(REPORTS), env={**os.environ, **ENV, **session.get_bootstrap_env_vars()}, check=True)
        return session.get_results()

    resource = PipesBlobStoreResource(url=dg.EnvVar("LAKE_OF_THIS_TEST"))
    result = run(instance, orders, returns, resources={"pipes": resource})
    assert result.success, failure(result)
    assert set(materialized(instance, result)) == {"orders", "returns"}
    assert len(list((tmp_path / "lake").iterdir())) == 2


def test_readers_may_be_resources_too(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext, reader: PipesBlobStoreMessageReader):
        client = dg.PipesSubprocessClient(env=ENV, message_reader=reader)
        return client.run(context=context, command=command(REPORTS)).get_materialize_result()

    reader = PipesBlobStoreMessageReader(f"file://{tmp_path}/lake", "200ms")
    result = run(instance, orders, resources={"reader": reader})
    assert result.success, failure(result)


def test_a_url_that_cannot_be_understood_is_refused_when_the_code_loads() -> None:
    with pytest.raises(InvalidOptionError, match="interval"):
        PipesSubprocessClient(url="s3://lake?intervall=3s")
    with pytest.raises(InvalidUrlError):
        PipesBlobStoreMessageReader("s3:/lake")


def test_the_invocation_has_the_report_and_the_single_results(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    invocations = []

    @dg.asset_check(asset="orders", name="not_empty")
    def not_empty(context: dg.AssetCheckExecutionContext):
        client = PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms")
        source = 'pipes.report_asset_check("not_empty", passed=True, asset_key="orders")'
        invocation = client.run(context=context.op_execution_context, command=command(source))
        invocations.append(invocation)
        return invocation.get_asset_check_result()

    @dg.asset
    def orders() -> None: ...

    result = run(instance, orders, not_empty)
    assert result.success, failure(result)
    assert [check.passed for check in checks(instance, result)] == [True]
    assert invocations[0].report.verdict == "complete"


@pytest.mark.filterwarnings("ignore:.*is currently in beta")
def test_a_range_of_partitions_reaches_the_job(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    months = dg.MonthlyPartitionsDefinition("2013-01-01")

    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run())
    def flights(context: dg.AssetExecutionContext):
        source = """
            seen = pipes.partition_key_range, pipes.partition_time_window
            pipes.report_asset_materialization(metadata={"seen": {"type": "json", "raw_value": seen}})
        """
        client = PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms")
        return client.run(context=context, command=command(source)).get_materialize_result()

    tags = {"dagster/asset_partition_range_start": "2013-02-01", "dagster/asset_partition_range_end": "2013-04-01"}
    result = run(instance, flights, tags=tags)
    assert result.success, failure(result)
    events = result.asset_materializations_for_node("flights")
    assert [event.partition for event in events] == ["2013-02-01", "2013-03-01", "2013-04-01"]
    keys, window = events[0].metadata["seen"].value
    assert keys == {"start": "2013-02-01", "end": "2013-04-01"}
    assert (window["start"][:10], window["end"][:10]) == ("2013-02-01", "2013-05-01")


def test_a_session_by_url_launches_whatever_the_block_launches(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        with open_pipes_session(context, url=f"file://{tmp_path}/lake", interval="200ms", lanes=2) as session:
            variables = {**os.environ, **ENV, **session.get_bootstrap_env_vars()}
            jobs = [
                subprocess.Popen(command(source), env={**variables, "BLOBPIPES_LANE": str(lane)})
                for lane, source in enumerate(["pipes.log.info('from lane 0')", REPORTS])
            ]
            assert [job.wait() for job in jobs] == [0, 0]
        yield from session.get_results()

    result = run(instance, orders)
    assert result.success, failure(result)
    assert "from lane 0" in texts(instance, result)
    assert "orders" in materialized(instance, result)
    assert not [text for text in texts(instance, result) if "unexpected message" in text]


def _materialize_and_wait(folder: str) -> None:
    """In a process of its own: a run whose job tells its id and waits to be stopped."""
    with dg.DagsterInstance.local_temp(folder) as instance:
        source = """
            import os, time
            from pathlib import Path
            file = Path(pipes.get_extra("folder"), "pid")
            file.with_suffix(".new").write_text(str(os.getpid()))
            file.with_suffix(".new").rename(file)
            try:
                time.sleep(600)
            finally:
                pipes.report_asset_materialization(metadata={"rows": 1})
                pipes.log.info("last words")
        """
        client = PipesSubprocessClient(ENV, url=f"file://{folder}/lake?interval=200ms")

        @dg.asset
        def orders(context: dg.AssetExecutionContext):
            return client.run(context=context, command=command(source), extras={"folder": folder}).get_results()

        run(instance, orders)


@pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")
def test_a_terminated_run_interrupts_the_job_and_hears_its_last_words(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_materialize_and_wait, args=(str(tmp_path),))
    process.start()
    try:
        wait_until((tmp_path / "pid").exists)
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            (record,) = instance.get_run_records()
            instance.report_run_canceling(record.dagster_run)
        os.kill(process.pid or 0, signal.SIGTERM)  # as Dagster's run launcher terminates a run
        process.join(90)
        assert not process.is_alive()
    finally:
        process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        (record,) = instance.get_run_records()
        entries = instance.all_logs(record.dagster_run.run_id)
    assert record.dagster_run.status == dg.DagsterRunStatus.CANCELED
    assert "last words" in [entry.user_message for entry in entries]
    assert [entry.asset_materialization.metadata["rows"].value for entry in entries if entry.asset_materialization] == [
        1
    ]
