"""Dagster's half of blobpipes: true subclasses of Dagster's readers, injectors and clients. Needs `blobpipes[dagster]`.

Take any of them into an existing project; the rest of it stays. See docs/dagster.md.
"""

from __future__ import annotations

from blobpipes.dagster.context_injectors import (
    EngineContextInjector,
    PipesBlobStoreContextInjector,
    PipesEnvContextInjector,
    PipesFileContextInjector,
    PipesTempFileContextInjector,
)
from blobpipes.dagster.message_readers import (
    EngineMessageReader,
    PipesBlobStoreMessageReader,
    PipesFileMessageReader,
    PipesTempFileMessageReader,
    report_of,
)

__all__ = [
    "EngineContextInjector",
    "EngineMessageReader",
    "PipesBlobStoreContextInjector",
    "PipesBlobStoreMessageReader",
    "PipesEnvContextInjector",
    "PipesFileContextInjector",
    "PipesFileMessageReader",
    "PipesTempFileContextInjector",
    "PipesTempFileMessageReader",
    "report_of",
]
