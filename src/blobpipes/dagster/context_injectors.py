"""Dagster's context injectors, with those of blobpipes underneath."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any

from blobpipes.dagster.official import EnvVar, PipesContextInjector, TreatAsResourceParam
from blobpipes.dagster.settings import is_known, resolved, resolved_url
from blobpipes.orchestration import context_injectors as engine
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import PipesParams


class EngineContextInjector(PipesContextInjector, TreatAsResourceParam):
    """Any context injector of blobpipes, as one of Dagster's. May be shared by steps, threads and sessions.

    Args:
        make: makes the injector of blobpipes, when it is first needed.
    """

    def __init__(self, make: Callable[[], engine.PipesContextInjector]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._engine: engine.PipesContextInjector | None = None

    @property
    def engine(self) -> engine.PipesContextInjector:
        """The injector of blobpipes."""
        with self._lock:
            if self._engine is None:
                self._engine = self._make()
            return self._engine

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """The context is there while the block lasts, and removed at its end, also when it raises."""
        with self.engine.inject_context(context_data) as params:
            yield params

    def no_messages_debug_text(self) -> str:
        """How the context was sent."""
        return self.engine.no_messages_debug_text()


class PipesBlobStoreContextInjector(EngineContextInjector):
    """Puts the context into a store.

    Args:
        url: under which sessions live: text, or an `EnvVar`, which is looked up when a step runs. By default
            BLOBPIPES_URL.
        session: the session's name, for an injector that is used once; by default each session gets a new one.
        storage_options: for the file system; never passed on to the job. Each value may be an `EnvVar`.
        pass_storage_options: what of it the job shall have too (endpoint, region); no credentials.
        attach: leave the context that an earlier process has put there for a job that may be running.
    """

    def __init__(
        self,
        url: str | EnvVar | None = None,
        *,
        session: str | None = None,
        attach: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        pass_storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        def make() -> engine.PipesContextInjector:
            found = {name: resolved(value) for name, value in (storage_options or {}).items()}
            return engine.PipesBlobStoreContextInjector(
                resolved_url(url),
                session=session,
                attach=attach,
                storage_options=found or None,
                pass_storage_options=pass_storage_options,
            )

        super().__init__(make)
        if is_known(url) and not any(isinstance(value, EnvVar) for value in (storage_options or {}).values()):
            _ = self.engine  # what is wrong with the settings is said here, when the code location loads


class PipesFileContextInjector(EngineContextInjector):
    """Writes the context to a file of this machine.

    Args:
        path: the file; its directory must exist.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(lambda: engine.PipesFileContextInjector(path))


class PipesTempFileContextInjector(EngineContextInjector):
    """Writes the context to a temporary file, one for each session."""

    def __init__(self) -> None:
        super().__init__(engine.PipesTempFileContextInjector)


class PipesEnvContextInjector(EngineContextInjector):
    """Puts the context into the parameters themselves: no store needed, but one variable's size limits it."""

    def __init__(self) -> None:
        super().__init__(engine.PipesEnvContextInjector)
