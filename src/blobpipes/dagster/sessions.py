"""Dagster's `open_pipes_session`, with a storage URL instead of an injector and a reader, and ranges of partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster import TimeWindowPartitionsDefinition

from blobpipes.dagster.context_injectors import PipesBlobStoreContextInjector
from blobpipes.dagster.message_readers import PipesBlobStoreMessageReader
from blobpipes.dagster.official import (
    BaseDirectExecutionContext,
    Context,
    EnvVar,
    PipesContextInjector,
    PipesMessageReader,
    PipesSession,
    op_context,
    open_official_session,
)
from blobpipes.orchestration.ids import new_id
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import PipesParams

_LONGEST_STEP = 80  # characters of a step's name in a session's: a name stays readable in listings


@contextmanager
def open_pipes_session(
    context: Context,
    context_injector: PipesContextInjector | None = None,
    message_reader: PipesMessageReader | None = None,
    extras: Mapping[str, Any] | None = None,
    *,
    url: str | EnvVar | None = None,
    session: str | None = None,
    attach: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    pass_storage_options: Mapping[str, Any] | None = None,
    **reading: Any,
) -> Iterator[PipesSession]:
    """Open a session of Dagster's for a job that the block launches; read to the proved end when it is left.

    A step over a range of partitions gets that range, which Dagster's own session leaves out.

    Args:
        context: the step's.
        context_injector, message_reader: any of Dagster's; what is left out goes through the store at `url`.
        extras: for the job.
        url: under which sessions live, by default BLOBPIPES_URL; text or an `EnvVar`.
        session: the session's name under the URL; by default a new one that tells the run and the step.
        attach: read a session of that name which an earlier process has opened.
        storage_options: for the file system; never passed on to the job.
        pass_storage_options: what of it the job shall have too (endpoint, region); no credentials.
        reading: for `PipesBlobStoreMessageReader`: on_incomplete, include_stdio_in_messages, lanes, interval, ...
    """
    where: dict[str, Any] = {
        "session": session or session_name(context),
        "attach": attach,
        "storage_options": storage_options,
        "pass_storage_options": pass_storage_options,
    }
    injector = context_injector or PipesBlobStoreContextInjector(url, **where)
    reader = message_reader or PipesBlobStoreMessageReader(url, **where, **reading)
    with open_official_session(context, _RangeInjector(injector, context), reader, extras) as opened:
        yield opened


def session_name(context: Context) -> str:
    """A new name: when, which run, which step. Sorts by time."""
    op = op_context(context)
    if isinstance(op, BaseDirectExecutionContext):
        return new_id()
    step = re.sub(r"[^A-Za-z0-9._]+", "-", op.get_step_execution_context().step.key)[:_LONGEST_STEP]
    return f"{new_id()}_{op.run_id[:8]}_{step}"


class _RangeInjector(PipesContextInjector):
    """Another injector, which is given the step's range of partitions too."""

    def __init__(self, inner: PipesContextInjector, context: Context) -> None:
        self._inner = inner
        self._context = context

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        with self._inner.inject_context(_with_range(context_data, self._context)) as params:
            yield params

    def no_messages_debug_text(self) -> str:
        return self._inner.no_messages_debug_text()


def _with_range(data: PipesContextData, context: Context) -> PipesContextData:
    op = op_context(context)
    if data["partition_key_range"] is not None or not op.has_partition_key_range:
        return data
    keys = op.partition_key_range
    whole: PipesContextData = {**data, "partition_key_range": {"start": keys.start, "end": keys.end}}
    if op.has_assets_def and isinstance(op.assets_def.partitions_def, TimeWindowPartitionsDefinition):
        window = op.partition_time_window
        whole["partition_time_window"] = {"start": window.start.isoformat(), "end": window.end.isoformat()}
    return whole
