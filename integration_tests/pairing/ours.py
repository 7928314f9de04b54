"""Our orchestration side alone: no Dagster anywhere."""

from __future__ import annotations

import logging
import os
import subprocess
from typing import Any

from blobpipes import (
    AssetCheckResult,
    MaterializeResult,
    PipesEvent,
    PipesTempFileContextInjector,
    PipesTempFileMessageReader,
    RunContext,
    open_pipes_session,
)
from blobpipes.wire.asset_keys import parse_asset_key
from blobpipes.wire.payloads import Log, Opened
from integration_tests.pairing import story
from integration_tests.pairing.caller import own_streams
from integration_tests.pairing.plans import Arrived, Plan

PROVENANCE: Any = {"code_version": "7", "input_data_versions": {"source": "v0"}, "is_user_provided": False}


def _context(scene: str) -> RunContext:
    if scene == "bare":
        return RunContext(log=_silent())
    if scene == "several":
        return RunContext(asset_keys=story.MANY, job_name="nightly", log=_silent())
    return RunContext.for_asset(
        ["whole"],
        job_name="nightly",
        retry_number=1,
        partition_key="2024-01-02|x",
        partition_time_window=("2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"),
        code_version_by_asset_key={"whole": "7"},
        provenance_by_asset_key={"whole": PROVENANCE},
        log=_silent(),
    )


def play(plan: Plan, scene: str) -> Arrived:
    """One session with the job of this scene."""
    arrived = Arrived()

    def note(event: PipesEvent) -> None:
        if isinstance(event.payload, Log):
            arrived.logs.append([event.payload.level, event.payload.message])
        elif isinstance(event.payload, Opened):
            arrived.opened_extras = dict(event.payload.extras)

    files: Any = {"context_injector": PipesTempFileContextInjector(), "message_reader": PipesTempFileMessageReader()}
    place: Any = files if plan.flavour == "file" else {"url": f"{plan.url}/{scene}?interval=200ms"}
    context = _context(scene)
    arrived.sent = dict(context.data_with(story.EXTRAS))
    with (
        own_streams(arrived),
        open_pipes_session(context, **place, extras=story.EXTRAS, on_event=note, on_incomplete="warn") as session,
    ):
        env = {**os.environ, **plan.job_env, **session.get_bootstrap_env_vars()}
        done = subprocess.run([*plan.command, scene], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"the job failed:\n{done.stderr[-3000:]}"
    report = session.report
    arrived.verdict = report.verdict
    arrived.results = [_result(result) for result in session.get_results(implicit_materializations=False)]
    arrived.custom = story.short(session.get_custom_messages())
    arrived.exception = _messages(report.exception)
    arrived.complaints = [str(problem) for problem in report.problems]
    return arrived


def _result(result: Any) -> Any:
    metadata = {label: [value["type"], value["raw_value"]] for label, value in (result.metadata or {}).items()}
    key = parse_asset_key(result.asset_key)
    if isinstance(result, MaterializeResult):
        return ["materialization", key, result.data_version, metadata]
    assert isinstance(result, AssetCheckResult)
    return ["check", key, result.check_name, result.passed, result.severity, metadata]


def _messages(exception: Any) -> list[str]:
    if exception is None:
        return []
    return [exception["message"], *_messages(exception["cause"]), *_messages(exception["context"])]


def _silent() -> logging.Logger:
    log = logging.getLogger("pairing")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(logging.NullHandler())
    return log
