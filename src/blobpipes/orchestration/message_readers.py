"""How messages come back: what every message reader promises, and several readers as one.

A reader object holds settings only. What belongs to one session lives in objects that `read_messages`
makes, so one reader may serve several sessions, at once and one after another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.params import PipesParams

if TYPE_CHECKING:
    from blobpipes.orchestration.handler import PipesMessageHandler

COMPOSITE_WRITERS_KEY: Final = "dagster_pipes_composite_writers"  # the official name, in the messages params


class PipesMessageReader(ABC):
    """Takes the messages of an external process from where it writes them."""

    @abstractmethod
    def read_messages(self, handler: PipesMessageHandler) -> AbstractContextManager[PipesParams]:
        """A context manager: read until its block ends, then to the end of what was written.

        It gives the params by which the external process finds where to write. Write it as a generator
        with `@contextmanager`, and hand each message to `handler.handle_message`.
        """

    def on_opened(self, opened_payload: Mapping[str, Any]) -> None:  # noqa: B027 - may be left out
        """Hook: an external process has opened, and told this."""

    def on_launched(self, launched_payload: Mapping[str, Any]) -> None:  # noqa: B027 - may be left out
        """Hook: `session.report_launched(...)` was called with this."""

    @property
    def expected_writer_count(self) -> int:
        """How many external processes write, each to be closed by itself."""
        return 1

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """Where this reader looked, for the person who has to find out why nothing came."""


class PipesCompositeMessageReader(PipesMessageReader):
    """Several readers as one, for jobs of several processes that each write to a place of their own.

    The session's `get_per_writer_bootstrap_env_vars()` has one set of variables for each process.
    """

    def __init__(self, readers: Sequence[PipesMessageReader]) -> None:
        if not readers:
            raise DagsterPipesError("a composite reader needs at least one reader", remedy="Pass a list of readers.")
        for reader in readers:
            if reader.expected_writer_count != 1:
                raise DagsterPipesError(
                    f"a composite reader takes readers of one writer, but {type(reader).__name__} has several",
                    remedy="Pass its readers to one composite reader.",
                )
        self._readers = tuple(readers)

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Read from all. All are told of the end before any is waited for."""
        with ExitStack() as stack:
            params = [
                stack.enter_context(reader.read_messages(handler.child(reader, number)))
                for number, reader in enumerate(self._readers)
            ]
            try:
                yield {COMPOSITE_WRITERS_KEY: params}
            finally:
                handler.inbox.process_gone()

    def on_launched(self, launched_payload: Mapping[str, Any]) -> None:
        """Every reader is told; `opened` reaches only the reader whose process sent it."""
        for reader in self._readers:
            reader.on_launched(launched_payload)

    @property
    def expected_writer_count(self) -> int:
        """One for each reader."""
        return len(self._readers)

    def no_messages_debug_text(self) -> str:
        """Where each reader looked."""
        texts = [f"[writer {i}] {reader.no_messages_debug_text()}" for i, reader in enumerate(self._readers)]
        return "\n".join(texts)


def writer_params(params: PipesParams) -> Sequence[PipesParams]:
    """The messages params of each writer: one, unless a composite reader made them."""
    several: Sequence[PipesParams] | None = params.get(COMPOSITE_WRITERS_KEY)
    return several if several is not None else [params]
