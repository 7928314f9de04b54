"""What a session has asked of the store and what that cost, as an event with metadata in the run's log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from blobpipes.dagster.official import BaseDirectExecutionContext, Context, DagsterEvent, EngineEventData, op_context
from blobpipes.errors import BlobpipesError
from blobpipes.orchestration.report import PipesSessionReport


def record_figures(context: Context, report: PipesSessionReport, say: Callable[[int, str], None]) -> None:
    """One event for each session in a store. It is no result's metadata: two assets of one job would both have it."""
    own = op_context(context)
    if report.url is None or isinstance(own, BaseDirectExecutionContext):  # an asset called as a function has no step
        return
    try:
        figures = report.cost.as_metadata()
    except BlobpipesError as error:  # a broken price file must not fail a step whose job has done well
        say(logging.WARNING, f"what the session has cost cannot be told: {error}")
        return
    told = EngineEventData(metadata={"blobpipes/verdict": report.verdict, "blobpipes/url": report.url, **figures})
    DagsterEvent.engine_event(
        own.get_step_execution_context(), f"[pipes] what the session has cost: {report.cost.summary()}", told
    )
