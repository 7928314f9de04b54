"""Dagster's half of blobpipes: true subclasses of Dagster's readers, injectors and clients. Needs `blobpipes[dagster]`.

Take any of them into an existing project; the rest of it stays. See docs/dagster.md.
"""

from __future__ import annotations

from blobpipes.dagster.clients import PipesClientCompletedInvocation, PipesPlaceClient, PipesSubprocessClient
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
from blobpipes.dagster.places import PipesAWSBatchClient, PipesEC2Client, PipesSlurmClient, PipesSSHClient
from blobpipes.dagster.resources import PipesBlobStoreResource
from blobpipes.dagster.sessions import open_pipes_session

__all__ = [
    "EngineContextInjector",
    "EngineMessageReader",
    "PipesAWSBatchClient",
    "PipesBlobStoreContextInjector",
    "PipesBlobStoreMessageReader",
    "PipesBlobStoreResource",
    "PipesClientCompletedInvocation",
    "PipesEC2Client",
    "PipesEnvContextInjector",
    "PipesFileContextInjector",
    "PipesFileMessageReader",
    "PipesPlaceClient",
    "PipesSSHClient",
    "PipesSlurmClient",
    "PipesSubprocessClient",
    "PipesTempFileContextInjector",
    "PipesTempFileMessageReader",
    "open_pipes_session",
    "report_of",
]
