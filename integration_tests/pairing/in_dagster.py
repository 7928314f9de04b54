"""A run of Dagster as the orchestration side: with the official readers and injectors, or with our adapter's.

Every scene is an asset of one run, or a job of its own; what arrived is read from the run's event log, where a person
would find it.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import dagster as dg

from integration_tests.pairing import dagster_halves, story
from integration_tests.pairing.caller import own_streams
from integration_tests.pairing.plans import Arrived, Plan

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the event log has it all


def play(plan: Plan, scene: str) -> Arrived:
    """One run with the job of this scene."""
    with dg.DagsterInstance.ephemeral() as instance:
        return _play(plan, scene, instance)


def _play(plan: Plan, scene: str, instance: dg.DagsterInstance) -> Arrived:
    arrived = Arrived()
    known = {"whole": _whole, "several": _several}
    if scene == "whole":
        materialize([_source(), _earlier()], instance, partition_key="2024-01-02|x")  # so that there is provenance
    with own_streams(arrived):
        run = known[scene] if scene in known else import_module("integration_tests.pairing.scenes").SCENES[scene]
        run_id = run(plan, arrived, instance)
    lines = arrived.streams["stderr"].splitlines(keepends=True)
    arrived.streams["stderr"] = "".join(
        line for line in lines if " - dagster - CRITICAL - " not in line
    )  # the console's
    if run_id is not None:
        _read_run(instance, run_id, arrived)
    return arrived


def materialize(assets: Any, instance: dg.DagsterInstance, **options: Any) -> str:
    """Run these assets; the run's id."""
    result = dg.materialize(assets, instance=instance, run_config=QUIET, raise_on_error=False, **options)
    return result.run_id


# --- the assets ---------------------------------------------------------------------------------------

PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01"),
        "name": dg.StaticPartitionsDefinition(["x", "y"]),
    }
)


def _source() -> Any:
    @dg.asset(name="source")
    def source():  # type: ignore[no-untyped-def]  # Dagster refuses annotations that are text
        return dg.MaterializeResult(data_version=dg.DataVersion("v0"))

    return source


def _earlier() -> Any:
    """An earlier materialization of the asset `whole`, without any pipe."""

    @dg.asset(name="whole", deps=["source"], partitions_def=PARTITIONS, code_version="7")
    def whole():  # type: ignore[no-untyped-def]
        return dg.MaterializeResult()

    return whole


def _whole(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    checks = [dg.AssetCheckSpec(name, asset="whole") for name in ("rows", "dates")]

    @dg.asset(name="whole", deps=["source"], partitions_def=PARTITIONS, code_version="7", check_specs=checks)
    def whole(context):  # type: ignore[no-untyped-def]
        if context.retry_number == 0:
            raise dg.RetryRequested(max_retries=1)
        yield from run_job(plan, "whole", context, arrived).get_results(implicit_materializations=False)

    return materialize([_source().to_source_asset(), whole], instance, partition_key="2024-01-02|x")


def _several(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    outs = {f"out{number}": dg.AssetOut(key=dg.AssetKey(key)) for number, key in enumerate(story.MANY)}
    checks = [dg.AssetCheckSpec("known", asset=story.CHECKED)]

    @dg.multi_asset(name="several", outs=outs, check_specs=checks)
    def several(context):  # type: ignore[no-untyped-def]
        yield from run_job(plan, "several", context, arrived).get_results(implicit_materializations=False)

    return materialize([several], instance)


def run_job(plan: Plan, scene: str, context: Any, arrived: Arrived, *, halves: Any = None, command: Any = None) -> Any:
    """Run the job of a scene as this step's external process; what Dagster's own client returns."""
    injector, reader = halves or dagster_halves.halves(plan, f"{scene}-{uuid.uuid4().hex[:8]}")
    note(injector, reader, arrived)
    env = {**os.environ, **plan.job_env}
    client = dg.PipesSubprocessClient(env=env, context_injector=injector, message_reader=reader, forward_stdio=False)
    done = client.run(context=context, command=command or [*plan.command, scene], extras=story.EXTRAS)
    arrived.custom = story.short(done.get_custom_messages())
    return done


def note(injector: Any, reader: Any, arrived: Arrived) -> None:
    """Keep the context that is sent, and what the job tells when it opens."""
    _note_context(injector, arrived)
    _note_opened(reader, arrived)


def _note_context(injector: Any, arrived: Arrived) -> None:
    inject = injector.inject_context

    @contextmanager
    def noting(context_data: Any) -> Iterator[Any]:
        arrived.sent = dict(context_data)
        with inject(context_data) as params:
            yield params

    injector.inject_context = noting


def _note_opened(reader: Any, arrived: Arrived) -> None:
    on_opened = reader.on_opened

    def noting(payload: Any) -> None:
        arrived.opened_extras = dict((payload or {}).get("extras") or {})
        on_opened(payload)

    reader.on_opened = noting


# --- what the run's log holds -------------------------------------------------------------------------


def _read_run(instance: dg.DagsterInstance, run_id: str, arrived: Arrived) -> None:
    for record in instance.all_logs(run_id):
        if record.is_dagster_event:
            _read_event(record.get_dagster_event(), arrived)
        elif record.user_message.startswith("[pipes]"):
            if int(record.level) >= logging.WARNING:
                arrived.complaints.append(record.user_message)
        else:
            arrived.logs.append([int(record.level), record.user_message])


def _read_event(event: Any, arrived: Arrived) -> None:
    kind = event.event_type_value
    if kind == "ASSET_MATERIALIZATION":
        made = event.event_specific_data.materialization
        given = made.tags.get("dagster/data_version_is_user_provided")  # else Dagster made one up
        version = made.tags["dagster/data_version"] if given else None
        arrived.results.append(["materialization", list(made.asset_key.path), version, _metadata(made.metadata)])
    elif kind == "ASSET_CHECK_EVALUATION":
        made = event.event_specific_data
        key, severity = list(made.asset_key.path), made.severity.value
        arrived.results.append(["check", key, made.check_name, made.passed, severity, _metadata(made.metadata)])
    elif kind == "ENGINE_EVENT" and "closed with" in (event.message or ""):
        arrived.exception = _messages(event.event_specific_data.error)
    elif kind == "ENGINE_EVENT" and "blobpipes/cost_usd" in (event.event_specific_data.metadata or {}):
        pass  # what the session has cost: not every side tells it
    elif kind == "ENGINE_EVENT" and "[pipes]" in (event.message or ""):
        arrived.complaints.append(f"{event.message} {getattr(event.event_specific_data, 'error', '')}")
    elif kind == "STEP_FAILURE":
        arrived.complaints.append(str(event.event_specific_data.error))


def _messages(error: Any) -> list[str]:
    if error is None:
        return []
    return [error.message, *_messages(error.cause), *_messages(error.context)]


def _metadata(metadata: Any) -> dict[str, Any]:
    return {label: [type(value).__name__, _plain(value)] for label, value in metadata.items()}


def _plain(value: Any) -> Any:
    kind = type(value).__name__
    if kind == "TableMetadataValue":
        return [[dict(record.data) for record in value.records], _columns(value.schema)]
    if kind == "TableSchemaMetadataValue":
        return _columns(value.schema)
    if kind == "TableColumnLineageMetadataValue":
        deps = value.column_lineage.deps_by_column
        return {column: [[list(dep.asset_key.path), dep.column_name] for dep in some] for column, some in deps.items()}
    if kind == "DagsterAssetMetadataValue":
        return list(value.asset_key.path)
    return value.value


def _columns(schema: Any) -> list[Any]:
    return [
        {
            "name": column.name,
            "type": column.type,
            **({"description": column.description} if column.description else {}),
            **({"tags": dict(column.tags)} if column.tags else {}),
            **({} if column.constraints.nullable else {"constraints": {"nullable": False}}),
        }
        for column in schema.columns
    ]
