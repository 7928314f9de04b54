"""What the tests with Dagster share: jobs as text, runs in this process, and what Dagster recorded of them."""

import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from blobpipes.dagster import PipesBlobStoreContextInjector, PipesBlobStoreMessageReader
from tests.external.launching import SOURCE

INTERVAL = "200ms"
OURS = "from blobpipes import open_dagster_pipes\n"
ENV = {"PYTHONPATH": str(SOURCE)}


def command(source: str) -> list[str]:
    """A Python program whose `pipes` is open while `source` runs."""
    body = textwrap.indent(textwrap.dedent(source).strip(), "    ")
    return [sys.executable, "-c", f"{OURS}with open_dagster_pipes() as pipes:\n{body}\n"]


def bare_command(source: str) -> list[str]:
    """A Python program that opens by itself, and need not close."""
    return [sys.executable, "-c", OURS + textwrap.dedent(source)]


def official_client(folder: Path, **reading: Any) -> dg.PipesSubprocessClient:
    """Dagster's own client with our reader and injector."""
    return dg.PipesSubprocessClient(
        env=ENV,
        context_injector=PipesBlobStoreContextInjector(f"file://{folder}/lake"),
        message_reader=PipesBlobStoreMessageReader(f"file://{folder}/lake", INTERVAL, **reading),
    )


def run(instance: dg.DagsterInstance, *assets: Any, **how: Any) -> dg.ExecuteInProcessResult:
    """Materialize; a failing step is a result, not an exception."""
    return dg.materialize(list(assets), instance=instance, raise_on_error=False, **how)


def run_one(
    instance: dg.DagsterInstance, folder: Path, job: Sequence[str], **reading: Any
) -> dg.ExecuteInProcessResult:
    """One asset `orders`, made by `job` through Dagster's own client; with a check `not_empty` if the job has one."""
    specs = [dg.AssetCheckSpec("not_empty", asset="orders")] if "not_empty" in " ".join(job) else []

    @dg.asset(check_specs=specs)
    def orders(context: dg.AssetExecutionContext):
        return official_client(folder, **reading).run(context=context, command=list(job)).get_results()

    return run(instance, orders)


def entries(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> Sequence[Any]:
    """Everything in the run's event log."""
    return instance.all_logs(result.run_id)


def logged(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[tuple[int, str]]:
    """Level and text of each log message of the run that is no event."""
    return [(e.level, e.user_message) for e in entries(instance, result) if e.dagster_event is None]


def texts(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    return [text for _, text in logged(instance, result)]


def engine_errors(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[Any]:
    """The errors that engine events carry."""
    events = [e.dagster_event for e in entries(instance, result) if e.dagster_event is not None]
    data = [e.event_specific_data for e in events if e.event_type_value == "ENGINE_EVENT"]
    return [d.error for d in data if getattr(d, "error", None) is not None]


def engine_metadata(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[Any]:
    """The metadata that engine events carry."""
    events = [e.dagster_event for e in entries(instance, result) if e.dagster_event is not None]
    data = [e.event_specific_data for e in events if e.event_type_value == "ENGINE_EVENT"]
    return [d.metadata for d in data if getattr(d, "metadata", None)]


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The class and message of what ended the step, with its causes."""
    error = result.get_step_failure_events()[0].step_failure_data.error
    return str(error.to_string()) if error is not None else ""


def materialized(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The materializations in the run's event log, by asset."""
    found: dict[str, Any] = {}
    for entry in entries(instance, result):
        if entry.asset_materialization is not None:
            key = entry.asset_materialization.asset_key.to_user_string()
            assert key not in found, f"{key} is recorded twice"
            found[key] = entry.asset_materialization
    return found


def checks(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[Any]:
    """The check evaluations in the run's event log."""
    return [e.asset_check_evaluation for e in entries(instance, result) if e.asset_check_evaluation is not None]


def wait_until(holds: Callable[[], object], seconds: float = 90.0) -> None:
    """For what another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
