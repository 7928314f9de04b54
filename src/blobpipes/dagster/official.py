"""What the adapter uses of Dagster, gathered here because some of it has no public name.

All of it is where it is from Dagster 1.9 on. What only newer versions have is imported by the function that needs it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    DagsterEvent,
    EnvVar,
    MaterializeResult,
    OpExecutionContext,
    PipesClient,
    PipesContextInjector,
    PipesMessageHandler,
    PipesMessageReader,
    PipesSession,
)
from dagster import open_pipes_session as open_official_session
from dagster._core.definitions.resource_annotation import TreatAsResourceParam
from dagster._core.errors import DagsterPipesExecutionError
from dagster._core.events import EngineEventData
from dagster._core.execution.context.invocation import BaseDirectExecutionContext
from dagster._core.pipes.client import PipesClientCompletedInvocation
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined] # an import of that module's own

__all__ = [
    "AssetCheckResult",
    "AssetExecutionContext",
    "AssetMaterialization",
    "BaseDirectExecutionContext",
    "DagsterEvent",
    "DagsterPipesExecutionError",
    "EngineEventData",
    "EnvVar",
    "MaterializeResult",
    "OpExecutionContext",
    "PipesClient",
    "PipesClientCompletedInvocation",
    "PipesContextInjector",
    "PipesMessageHandler",
    "PipesMessageReader",
    "PipesSession",
    "SerializableErrorInfo",
    "TreatAsResourceParam",
    "Context",
    "Result",
    "context_of",
    "op_context",
    "open_official_session",
    "session_handler",
]

Context: TypeAlias = "OpExecutionContext | AssetExecutionContext"
Result: TypeAlias = "MaterializeResult[Any] | AssetCheckResult"


def context_of(handler: PipesMessageHandler) -> Context:
    """The step's context. Dagster's own readers take it from there too, since no public name leads to it."""
    context: Context = handler._context
    return context


def op_context(context: Context) -> OpExecutionContext:
    """The same step, by a context none of whose properties is on its way out."""
    return context if isinstance(context, OpExecutionContext) else context.op_execution_context


def session_handler(handler: PipesMessageHandler) -> PipesMessageHandler:
    """The session's own handler: a composite reader gives its readers a wrapper of it."""
    whole: PipesMessageHandler = getattr(handler, "_handler", handler)
    return whole
