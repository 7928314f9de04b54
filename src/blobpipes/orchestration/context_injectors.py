"""How the context reaches the external process: in a store, in a file, or in the parameters themselves.

What was put somewhere is removed when the session has ended, also when its block raised.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Any

from blobpipes.chunklog.layout import CONTEXT_KEY
from blobpipes.errors import DagsterPipesError, SessionExistsError, StoreError
from blobpipes.orchestration.safe_options import checked_hints
from blobpipes.orchestration.session_place import OPENING, SessionPlace, parse_storage
from blobpipes.storage.metered import Meter
from blobpipes.storage.store import Store
from blobpipes.storage.url import join
from blobpipes.wire.context import PipesContextData, encode_context
from blobpipes.wire.params import PipesParams

_FILE_NAME = "context"  # as the official temporary file is called


class PipesContextInjector(ABC):
    """Puts the context where the external process can take it."""

    @abstractmethod
    def inject_context(self, context_data: PipesContextData) -> AbstractContextManager[PipesParams]:
        """A context manager: the context is there while its block lasts.

        It gives the params by which the external process finds the context. Write it as a generator with
        `@contextmanager`.
        """

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """How the context was sent, for the person who has to find out why nothing came back."""

    def with_meter(self, meter: Meter) -> PipesContextInjector:
        """The same injector, whose requests to a store `meter` counts. One that asks no store counts nothing."""
        return self


class PipesBlobStoreContextInjector(PipesContextInjector):
    """Puts the context into the session's prefix of a store.

    Args:
        url: under which sessions live.
        session: the session's name; by default each session gets a new one.
        storage_options: for the file system; never passed on to the external process.
        pass_storage_options: what of it the external process shall have too (endpoint, region); no credentials.
        attach: leave the context that an earlier process has put there for a job that may be running.
    """

    def __init__(
        self,
        url: str,
        *,
        session: str | None = None,
        attach: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        pass_storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._storage = parse_storage(url, storage_options, {})
        self._session = session
        self._attach = attach
        self._hints = checked_hints(pass_storage_options)
        self._storage.session(session)  # a name that cannot be one is refused here
        self._meter: Meter | None = None

    def with_meter(self, meter: Meter) -> PipesContextInjector:
        """The same injector, counted."""
        counted = copy(self)
        counted._meter = meter
        return counted

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """Put the context, and delete it at the end.

        Raises:
            UnserializableError: an extra cannot become JSON; nothing was stored.
            SessionExistsError: the name is taken.
            StoreError: the store refuses, or cannot be reached.
        """
        data = encode_context(context_data)
        place = self._storage.session(self._session)
        store = place.open_store(retry=OPENING, meter=self._meter)
        if not store.put_if_absent(CONTEXT_KEY, data) and not self._attach:
            raise SessionExistsError(f"the session {place.url} already has a context")
        try:
            yield self._params(place)
        finally:
            _delete(store)

    def _params(self, place: SessionPlace) -> PipesParams:
        ours: dict[str, Any] = {"v": 1, "url": join(place.url, CONTEXT_KEY), **self._hints}
        return {**place.official_params("key", CONTEXT_KEY), "blobpipes": ours}

    def no_messages_debug_text(self) -> str:
        """Which store."""
        return f"Attempted to inject context via the store {self._storage.shown}."


class PipesFileContextInjector(PipesContextInjector):
    """Writes the context to a file of this machine.

    Args:
        path: the file; its directory must exist.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path).absolute()  # the external process may have another working directory

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """Write the file, and remove it at the end.

        Raises:
            UnserializableError: an extra cannot become JSON; nothing was written.
            DagsterPipesError: the file cannot be written.
        """
        data = encode_context(context_data)
        try:
            begin_file(self._path, data, "context")
            yield {"path": str(self._path)}
        finally:
            self._path.unlink(missing_ok=True)

    def no_messages_debug_text(self) -> str:
        """Which file."""
        return f"Attempted to inject context via file {self._path}."


class PipesTempFileContextInjector(PipesContextInjector):
    """Writes the context to a temporary file, one for each session."""

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """Write the file, and remove it at the end."""
        with tempfile.TemporaryDirectory(prefix="blobpipes-") as directory:
            injector = PipesFileContextInjector(Path(directory, _FILE_NAME))
            with injector.inject_context(context_data) as params:
                yield params

    def no_messages_debug_text(self) -> str:
        """What kind of file."""
        return "Attempted to inject context via a temporary file."


class PipesEnvContextInjector(PipesContextInjector):
    """Puts the context into the parameters themselves: no store needed, but one variable's size limits it."""

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """Nothing is stored, so nothing is removed."""
        yield {"data": context_data}

    def no_messages_debug_text(self) -> str:
        """In what."""
        return "Attempted to inject context directly, typically as an environment variable."


def begin_file(path: Path, data: bytes, what: str) -> None:
    """Write a file that one side of the pipe will look for.

    Raises:
        DagsterPipesError: it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise DagsterPipesError(
            f"cannot write the {what} file {path}: {error.strerror or error}",
            remedy="Create its directory, give another path, or leave the path to a temporary file.",
        ) from error


def _delete(store: Store) -> None:
    """The context is no secret of ours and its session has ended: what cannot be deleted now, `gc` deletes."""
    with suppress(StoreError):
        store.delete(CONTEXT_KEY)
