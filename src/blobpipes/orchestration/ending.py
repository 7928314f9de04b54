"""How a session ends once everything was read: with a judgement, and with what is left behind removed.

For every way to open a session, so that all of them are as strict and say it in the same words.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from typing import Literal, TypeAlias

from blobpipes.errors import DamagedArchiveError, IncompleteError, NeverOpenedError, NotArchivedError, StoreError
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.report import PipesSessionReport, counted, ledger_of

OnIncomplete: TypeAlias = Literal["raise", "warn"]


def checked_policy(on_incomplete: str) -> None:
    """Refuse a policy that does not exist, before anything is opened.

    Raises:
        ValueError: it is neither.
    """
    if on_incomplete not in ("raise", "warn"):
        raise ValueError(f"on_incomplete is 'raise' or 'warn', not {on_incomplete!r}")


def judge(
    report: PipesSessionReport, handler: PipesMessageHandler, *, looked: str, on_incomplete: OnIncomplete
) -> None:
    """Raise or warn unless everything came.

    Args:
        looked: where context and messages went, for the case that not one came.

    Raises:
        NeverOpenedError, IncompleteError: if `on_incomplete` says so.
    """
    if report.all_arrived:
        return
    error = _incomplete(report, looked)
    if on_incomplete == "raise":
        raise error
    handler.say(logging.WARNING, str(error))


def clean_up(report: PipesSessionReport, handler: PipesMessageHandler) -> PipesSessionReport:
    """After a success, remove what the reader has promised to remove; the report with what that has cost.

    What stays behind costs a little; it is no reason to fail a session in which everything came.
    """
    if report.verdict != "complete" or not report.all_arrived:
        return report
    try:
        handler.inbox.clean_up()
    except (StoreError, NotArchivedError, DamagedArchiveError) as error:
        handler.say(logging.WARNING, f"the session could not be cleaned up: {error}")
    return replace(report, ledger=ledger_of(handler.inbox))


def attach_report(report: PipesSessionReport, failure: BaseException) -> None:
    """Let the block's own exception tell how far the session came."""
    with suppress(AttributeError):  # some exceptions take no attributes
        failure.report = report  # type: ignore[attr-defined]
        if hasattr(failure, "add_note"):  # Python 3.11
            failure.add_note(f"[pipes] {report.summary()}")


def _incomplete(report: PipesSessionReport, looked: str) -> IncompleteError:
    if report.verdict == "truncated" and not report.messages:
        return NeverOpenedError(f"no message came from the external process. {looked}", report=report)
    if report.verdict in ("complete", "failed"):
        first = next((p.text for p in report.problems if p.kind in ("handler", "malformed")), None)
        named = f". The first: {first}" if first else ""
        return IncompleteError(
            f"{counted(report.failed_results, 'result')} came but could not be handled{named}",
            report=report,
            remedy="See the report's problems: 'handler' means that this side failed, 'malformed' that the job did.",
        )
    return IncompleteError(f"the session is {report.verdict}. {report.detail}", report=report)
