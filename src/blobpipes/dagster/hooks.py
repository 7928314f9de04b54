"""A subclass written for Dagster's blob store reader, with hooks for a store that no URL names, on our engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from blobpipes.orchestration import blob_store_reader
from blobpipes.wire.params import PipesParams


class Hooks(Protocol):
    """What such a subclass writes."""

    def get_params(self) -> AbstractContextManager[PipesParams]:
        """The params by which the job finds where to write, new ones for each session."""

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """The text of chunk `index` (from 1), or None while it is not there."""


class HookedReader(blob_store_reader.PipesBlobStoreMessageReader):
    """Calls the hooks of another object."""

    def __init__(self, hooks: Hooks, **settings: Any) -> None:
        self._hooks = hooks
        super().__init__(**settings)

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        """From the hook."""
        with self._hooks.get_params() as params:
            yield params

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """From the hook."""
        return self._hooks.download_messages_chunk(index, params)


def has_hook(reader: object) -> bool:
    """Whether `reader` is such a subclass."""
    return hasattr(reader, "download_messages_chunk")
