"""What the step's own results do not say: what came before a failure, and what did not come at all.

Dagster records what a step yields. A step that fails yields nothing, so materializations that the job had reported
would be forgotten; and a step whose job reported none of an asset yields an empty one in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from blobpipes.dagster.official import (
    AssetCheckResult,
    AssetMaterialization,
    BaseDirectExecutionContext,
    Context,
    DagsterEvent,
    MaterializeResult,
    Result,
    op_context,
)
from blobpipes.errors import IncompleteError
from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.wire.exceptions import PipesException

_DATA_VERSION_TAG = "dagster/data_version"
_USER_PROVIDED_TAG = "dagster/data_version_is_user_provided"

Say = Callable[[int, str], None]


def record_before_failure(context: Context, results: Sequence[Result], say: Say) -> None:
    """Put results into the event log at once, because the step is about to fail and will not yield them.

    What the step has yielded already, and what it may not yield, is left out.
    """
    if isinstance(context, BaseDirectExecutionContext) or not context.has_assets_def:
        return
    recorded = sum(_is_recorded(context, result, say) for result in results)
    if recorded:
        say(logging.INFO, f"recorded what had come before the failure: {recorded} of {len(results)} results")


def missing_materializations(context: Context, results: Iterable[Result]) -> list[str]:
    """The step's assets, as users write them, of which the job reported no materialization."""
    if not context.has_assets_def:
        return []
    reported = {result.asset_key for result in results if isinstance(result, MaterializeResult)}
    return sorted(key.to_user_string() for key in set(context.selected_asset_keys) - reported)


def judge_missing(missing: Sequence[str], report: PipesSessionReport, say: Say, *, on_incomplete: str) -> None:
    """Say which materializations did not come, because Dagster is about to put empty ones in their place.

    Raises:
        IncompleteError: the job has failed by its own word, and `on_incomplete` is "raise".
    """
    if not missing:
        return
    assets = ", ".join(missing)
    failed = report.exception is not None and not _is_normal_exit(report.exception)
    if failed and on_incomplete == "raise":
        raise IncompleteError(
            f"the job closed with an exception and reported no materialization of {assets}",
            report=report,
            remedy="See the exception above. Pass on_incomplete='warn' to take such assets for materialized.",
        )
    how = "ended with an exception and reported" if failed else "reported"
    say(
        logging.WARNING,
        f"the job {how} no materialization of {assets}: Dagster records an empty one in its place, "
        "unless get_results is called with implicit_materializations=False.",
    )


def _is_normal_exit(exception: PipesException) -> bool:
    """`sys.exit()` inside the job's block is reported as an exception, though it means that all is well."""
    return exception["name"] == "SystemExit" and exception["message"].strip() in ("SystemExit", "SystemExit: 0")


def _is_recorded(context: Context, result: Result, say: Say) -> bool:
    try:
        return _record(context, result)
    except Exception as error:  # noqa: BLE001 - the step fails in any case, for a reason of more weight
        say(logging.WARNING, f"a result that came before the failure could not be recorded: {error}")
        return False


def _record(context: Context, result: Result) -> bool:
    step = context.get_step_execution_context()
    if isinstance(result, AssetCheckResult):
        DagsterEvent.asset_check_evaluation(step, result.to_asset_check_evaluation(step))
        return True
    key = result.asset_key
    if key is None or key not in context.selected_asset_keys:
        return False
    output = op_context(context).output_for_asset_key(key)
    if step.has_seen_output(output):
        return False
    version = result.data_version
    tags = {} if version is None else {_DATA_VERSION_TAG: version.value, _USER_PROVIDED_TAG: "true"}
    for partition in _partitions(context, output):
        event = AssetMaterialization(asset_key=key, metadata=result.metadata, partition=partition, tags=tags)
        DagsterEvent.asset_materialization(step, event)
    return True


def _partitions(context: Context, output: str) -> Sequence[str | None]:
    if not context.get_step_execution_context().has_asset_partitions_for_output(output):
        return [None]
    return list(op_context(context).partition_keys)
