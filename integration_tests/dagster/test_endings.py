"""How a step ends when not all is well: what fails it, what is recorded before that, what is said aloud."""

import os
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from blobpipes.dagster import PipesBlobStoreMessageReader, PipesSubprocessClient, report_of
from integration_tests.dagster.steps import (
    ENV,
    bare_command,
    checks,
    command,
    engine_errors,
    failure,
    materialized,
    run,
    run_one,
    texts,
)

LEAVES_WITHOUT_CLOSING = """
    pipes = open_dagster_pipes()
    pipes.report_asset_materialization(metadata={"rows": 3})
"""  # the end of the interpreter flushes, and closes nothing


def test_a_job_that_ends_without_closing_fails_the_step_and_keeps_its_results(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    job = bare_command(LEAVES_WITHOUT_CLOSING)
    result = run_one(instance, tmp_path, job)
    assert not result.success
    assert "IncompleteError: the session is truncated" in failure(result)
    assert materialized(instance, result)["orders"].metadata["rows"].value == 3


def test_with_the_policy_to_warn_it_succeeds_and_says_so(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    job = bare_command(LEAVES_WITHOUT_CLOSING)
    result = run_one(instance, tmp_path, job, on_incomplete="warn")
    assert result.success, failure(result)
    assert any("the session is truncated" in text for text in texts(instance, result))
    assert materialized(instance, result)["orders"].metadata["rows"].value == 3


def test_what_came_before_a_failure_is_recorded_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("not_empty", asset="orders")])
    def orders(context: dg.AssetExecutionContext):
        client = PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms")
        source = """
            pipes.report_asset_check("not_empty", passed=True)
            pipes.report_asset_materialization(metadata={"rows": 3}, data_version="7")
            raise ValueError("no rows")
        """
        return client.run(context=context, command=command(source)).get_results()

    result = run(instance, orders)
    assert not result.success
    assert "JobFailedError" in failure(result)
    made = materialized(instance, result)["orders"]
    assert (made.metadata["rows"].value, made.tags["dagster/data_version"]) == (3, "7")
    assert [check.check_name for check in checks(instance, result)] == ["not_empty"]
    assert [error.cls_name for error in engine_errors(instance, result)] == ["ValueError"]


def test_it_is_not_recorded_where_the_step_yields_it_by_itself(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        reader = PipesBlobStoreMessageReader(f"file://{tmp_path}/lake", "200ms", record_before_failure=False)
        sessions = []
        try:
            with dg.open_pipes_session(context, dg.PipesEnvContextInjector(), reader) as session:
                sessions.append(session)
                variables = {**os.environ, **ENV, **session.get_bootstrap_env_vars()}
                subprocess.run(command("pipes.report_asset_materialization()"), env=variables, check=True)
                raise RuntimeError("the body fails")
        except RuntimeError:
            yield from sessions[0].get_results()
        assert report_of(sessions[0]).verdict == "complete"

    result = run(instance, orders)
    assert result.success, failure(result)
    assert set(materialized(instance, result)) == {"orders"}


def test_results_of_a_partitioned_asset_are_recorded_with_its_partition(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x", "y"]))
    def orders(context: dg.AssetExecutionContext):
        client = PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms")
        source = "pipes.report_asset_materialization()\nraise ValueError"
        return client.run(context=context, command=command(source)).get_results()

    result = run(instance, orders, partition_key="y")
    assert not result.success
    assert materialized(instance, result)["orders"].partition == "y"


def test_a_missing_materialization_is_replaced_but_not_in_silence(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = run_one(instance, tmp_path, command("pipes.report_asset_check('not_empty', passed=True)"))
    assert result.success, failure(result)
    assert materialized(instance, result)["orders"].metadata == {}
    (said,) = [text for text in texts(instance, result) if "no materialization" in text]
    assert "the job reported no materialization of orders: Dagster records an empty one" in said


def test_after_an_incomplete_session_our_client_adds_no_materialization(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    found = []

    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        client = PipesSubprocessClient(ENV, url=f"file://{tmp_path}/lake?interval=200ms", on_incomplete="warn")
        invocation = client.run(context=context, command=bare_command("open_dagster_pipes()"))
        found.append((invocation.report.verdict, invocation.get_results()))
        return dg.MaterializeResult()

    result = run(instance, orders)
    assert result.success, failure(result)
    assert found == [("truncated", ())]


def _closes_with(instance: dg.DagsterInstance, folder: Path, error: str) -> dg.ExecuteInProcessResult:
    """The job closes with an exception and then exits with code 0, as under a launcher that shows no exit codes."""
    job = bare_command(f"""
        import sys
        try:
            with open_dagster_pipes() as pipes:
                {error}
        except BaseException:
            pass
    """)
    return run_one(instance, folder, job)


def test_a_job_that_failed_by_its_own_word_is_not_taken_for_a_materialization(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = _closes_with(instance, tmp_path, "raise ValueError('no rows')")
    assert not result.success
    assert "closed with an exception and reported no materialization of orders" in failure(result)
    assert materialized(instance, result) == {}


def test_leaving_by_sys_exit_is_no_failure(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = _closes_with(instance, tmp_path, "sys.exit(0)")
    assert result.success, failure(result)


def test_a_job_of_which_nothing_came_fails_the_step_and_names_where_both_sides_looked(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = run_one(instance, tmp_path, bare_command(""))
    assert not result.success
    assert "NeverOpenedError: no message came" in failure(result)
    assert f"{tmp_path}/lake" in failure(result)


COLUMN = {"name": "id", "type": "int"}
REFUSED = {
    "records with different fields": ("table", {"records": [{"id": 1}, {"other": 2}], "schema": [COLUMN]}),
    "a lineage source twice": (
        "table_column_lineage",
        {"deps_by_column": {"id": [{"asset_key": "s", "column_name": "id"}] * 2}},
    ),
    "nullable that is no bool": ("table_schema", {"columns": [{**COLUMN, "constraints": {"nullable": "yes"}}]}),
    "unique that is no bool": ("table_schema", {"columns": [{**COLUMN, "constraints": {"unique": 1}}]}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_result_that_dagster_refuses_is_named_and_the_rest_arrives(
    instance: dg.DagsterInstance, tmp_path: Path, what: str
) -> None:
    """Our own job's side refuses some of them already, so this one writes its message itself."""
    kind, raw = REFUSED[what]
    message = {
        "__dagster_pipes_version": "0.1",
        "method": "report_asset_materialization",
        "params": {"asset_key": "orders", "data_version": None, "metadata": {"odd": {"type": kind, "raw_value": raw}}},
    }
    source = f"""
        from blobpipes.wire.messages import encode_message
        pipes.log.info("before")
        pipes._channel.write_message({message!r})
        pipes.report_asset_check("not_empty", passed=True)
        pipes.log.info("after")
    """
    result = run_one(instance, tmp_path, command(source))
    assert not result.success
    assert "1 result came but could not be handled" in failure(result)
    assert "orders" in failure(result)
    said = texts(instance, result)
    assert "before" in said
    assert "after" in said
    assert [check.check_name for check in checks(instance, result)] == ["not_empty"]


def test_a_lineage_asset_key_may_be_an_array_of_parts(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    source = """
        deps = {"deps_by_column": {"id": [{"asset_key": ["deep", "source"], "column_name": "id"}]}}
        pipes.report_asset_materialization(metadata={"l": {"type": "table_column_lineage", "raw_value": deps}})
    """
    result = run_one(instance, tmp_path, command(source))
    assert result.success, failure(result)
    (dep,) = materialized(instance, result)["orders"].metadata["l"].value.deps_by_column["id"]
    assert dep.asset_key == dg.AssetKey(["deep", "source"])


def test_a_message_that_breaks_the_protocol_is_named_and_the_rest_arrives(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    source = """
        pipes._channel.write_message({"__dagster_pipes_version": "0.1", "method": "dance", "params": {}})
        pipes.report_asset_materialization()
    """
    result = run_one(instance, tmp_path, command(source))
    assert result.success, failure(result)
    assert any("dance" in text for text in texts(instance, result))


def test_a_restarted_job_reports_its_results_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    job = bare_command("""
        import sys
        def once(rows, fails):
            try:
                with open_dagster_pipes() as pipes:
                    pipes.report_asset_materialization(metadata={"rows": rows})
                    if fails:
                        raise RuntimeError("preempted")
            except RuntimeError:
                pass
        once(1, True)
        once(2, False)
    """)
    result = run_one(instance, tmp_path, job, restarts=1)
    assert result.success, failure(result)
    assert materialized(instance, result)["orders"].metadata["rows"].value == 2
    assert [error.cls_name for error in engine_errors(instance, result)] == ["RuntimeError"]
    assert not [text for text in texts(instance, result) if "unexpected message" in text]
