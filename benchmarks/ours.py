"""Our calling half: PipesSubprocessClient over the plan's URL."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.plan import SESSION_VAR, Plan, Watching, number_of
from blobpipes import (
    BlobpipesError,
    PipesBlobStoreMessageReader,
    PipesEvent,
    PipesMappingParamsLoader,
    PipesSessionReport,
    PipesSubprocessClient,
    RunContext,
    open_dagster_pipes,
    open_pipes_session,
)
from blobpipes.wire.payloads import Log


def runner(plan: Plan, command: Sequence[str]) -> Callable[[Watching], None]:
    def run(watching: Watching) -> None:
        def note(event: PipesEvent) -> None:
            if isinstance(event.payload, Log):
                watching.arrived.append(number_of(event.payload.message))

        client = PipesSubprocessClient(**_place(plan), on_event=note)
        for number in range(plan.sessions):
            os.environ[SESSION_VAR] = str(number)
            try:
                _tell(
                    watching, client.run(context=RunContext.for_asset("a", log=_silent_log()), command=command).report
                )
            except BlobpipesError as error:
                watching.error = f"{type(error).__name__}: {error.message}"
                report = getattr(error, "report", None)
                if report is not None:
                    _tell(watching, report)

    return run


def _silent_log() -> logging.Logger:
    """Keeps what comes from the terminal, as the official side's run does."""
    log = logging.getLogger("benchmark.job")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(logging.NullHandler())
    return log


def _place(plan: Plan) -> dict[str, Any]:
    credentials = {"storage_options": {"key": plan.reader_key, "secret": "wrong"}} if plan.reader_key else {}
    url = f"{plan.url}?interval={plan.reader_interval:g}s{plan.options}"
    if plan.sessions == 1:
        return {"url": url, **credentials}
    return {"message_reader": PipesBlobStoreMessageReader(url), "context_injector": None}


def _tell(watching: Watching, report: PipesSessionReport) -> None:
    watching.notes.append(report.verdict if not report.missing else f"{report.verdict}, {report.missing} missing")


def in_memory(messages: int) -> int:
    """A session over memory:// whose job is a thread of this process; how many messages arrived."""
    arrived = 0

    def count(event: PipesEvent) -> None:
        nonlocal arrived
        arrived += isinstance(event.payload, Log)

    context = RunContext.for_asset("a", log=_silent_log())
    with open_pipes_session(context, url="memory://benchmark?interval=1s", on_event=count) as session:
        loader = PipesMappingParamsLoader(session.get_bootstrap_env_vars())
        with open_dagster_pipes(params_loader=loader) as pipes:
            for number in range(messages):
                pipes.log.info("message %d", number)
    return arrived
