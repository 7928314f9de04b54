"""`open_dagster_pipes`: one call at the beginning of a job, without arguments in nearly every case.

What a process that ends without closing still sends is the business of `exits.py`.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

from blobpipes.errors import DagsterPipesWarning
from blobpipes.external.context import PipesContext
from blobpipes.external.context_loaders import PipesContextLoader, PipesDefaultContextLoader
from blobpipes.external.local import LocalMessageWriter, LocalParamsLoader
from blobpipes.external.message_writers import PipesDefaultMessageWriter, PipesMessageWriter
from blobpipes.external.params_loaders import PipesParamsLoader, default_params_loader

_lock = threading.Lock()
_has_warned = False


def open_dagster_pipes(
    *,
    context_loader: PipesContextLoader | None = None,
    message_writer: PipesMessageWriter[Any] | None = None,
    params_loader: PipesParamsLoader | None = None,
) -> PipesContext:
    """Open the pipe that the orchestration process has laid. The open one, if there is one in this process.

    Use it as a context manager, so that it is closed and a failure is reported. Which loader and
    writer fit is found out from the params; pass your own for a place or a carrier of your own.

    A process that no orchestrator launched gets a context that shows messages by Python's logging,
    and one DagsterPipesWarning.

    Raises:
        DagsterPipesError: the params are damaged or incomplete, or the context is absent or malformed.
        StoreError, InvalidUrlError, InvalidOptionError, MissingBackendError: about the store they name.
    """
    with _lock:
        # a test's stand-in, set by PipesContext.set, need not have a truthful `is_closed`
        if PipesContext.is_initialized() and PipesContext.get().is_closed is not True:
            return PipesContext.get()
        loader = params_loader or default_params_loader()
        if loader.is_dagster_pipes_process():
            context = PipesContext(
                loader, context_loader or PipesDefaultContextLoader(), message_writer or PipesDefaultMessageWriter()
            )
        else:
            _warn_once()
            context = PipesContext(LocalParamsLoader(), PipesDefaultContextLoader(), LocalMessageWriter())
        PipesContext.set(context)
    return context


def _warn_once() -> None:
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(
            "This process was not launched by an orchestration process: messages are only shown here.",
            DagsterPipesWarning,
            stacklevel=3,
        )
