"""A storage URL and its settings as configuration: shown in Dagster's web interface, changed in its launchpad."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from dagster import ConfigurableResource
from pydantic import Field

from blobpipes.clients.place import Place
from blobpipes.dagster.clients import PipesPlaceClient, PipesSubprocessClient
from blobpipes.dagster.context_injectors import PipesBlobStoreContextInjector
from blobpipes.dagster.message_readers import PipesBlobStoreMessageReader
from blobpipes.dagster.official import Context, PipesSession
from blobpipes.dagster.sessions import open_pipes_session

Handle = TypeVar("Handle")


class PipesBlobStoreResource(ConfigurableResource):  # type: ignore[type-arg]  # generic only in newer versions
    """Where sessions live and how they are read. Makes whatever needs to know it."""

    url: str = Field(description="Storage URL under which sessions live, such as s3://bucket/prefix?interval=5s")
    include_stdio_in_messages: bool = Field(
        default=False, description="Ask jobs to send what they print; it appears among the compute logs."
    )
    on_incomplete: str = Field(
        default="raise",
        description="'raise' fails the step unless it is proved that every message came; 'warn' only says so.",
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict, description="For the file system (endpoint, credentials); never passed on to jobs."
    )
    pass_storage_options: dict[str, str] = Field(
        default_factory=dict, description="What of that jobs shall have too (endpoint, region); no credentials."
    )

    def context_injector(self) -> PipesBlobStoreContextInjector:
        """For whatever takes one of Dagster's context injectors."""
        return PipesBlobStoreContextInjector(self.url, **self._access())

    def message_reader(self, **reading: Any) -> PipesBlobStoreMessageReader:
        """For whatever takes one of Dagster's message readers. `reading`: lanes, restarts, log_readers, ..."""
        return PipesBlobStoreMessageReader(self.url, **self._access(), **self._reading(), **reading)

    def open_session(
        self, context: Context, extras: Mapping[str, Any] | None = None, **reading: Any
    ) -> AbstractContextManager[PipesSession]:
        """A session around a job that you launch yourself."""
        settings = {**self._access(), **self._reading(), **reading}
        return open_pipes_session(context, extras=extras, url=self.url, **settings)

    def subprocess_client(self, **settings: Any) -> PipesSubprocessClient:
        """Runs jobs where the step runs."""
        return PipesSubprocessClient(url=self.url, **self._access(), **self._reading(), **settings)

    def client(self, place: Place[Handle], **settings: Any) -> PipesPlaceClient[Handle]:
        """Runs jobs in a place."""
        return PipesPlaceClient(place, url=self.url, **self._access(), **self._reading(), **settings)

    def _access(self) -> dict[str, Any]:
        return {
            "storage_options": self.storage_options or None,
            "pass_storage_options": self.pass_storage_options or None,
        }

    def _reading(self) -> dict[str, Any]:
        return {
            "include_stdio_in_messages": self.include_stdio_in_messages,
            "on_incomplete": self.on_incomplete,
        }
