"""The external process: a job of the made-up cloud, and the three parts by which it finds its orchestrator.

Of the four, only the params loader and the two that follow know the cloud; `main` is a job like any other. The import
may as well say `dagster_pipes`: the official package takes the same parts.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

from little_cloud import Cloud

from blobpipes import (
    PipesBlobStoreMessageWriter,
    PipesBlobStoreMessageWriterChannel,
    PipesContextData,
    PipesContextLoader,
    PipesExtras,
    PipesParams,
    PipesParamsLoader,
    open_dagster_pipes,
)


class CloudParamsLoader(PipesParamsLoader):
    """Where is the context, and where do messages go? Here the note says it that the job was launched with."""

    def __init__(self, cloud: Cloud) -> None:
        self._note = cloud.note()

    def is_dagster_pipes_process(self) -> bool:
        return "DAGSTER_PIPES_CONTEXT" in self._note

    def load_context_params(self) -> PipesParams:
        params: PipesParams = self._note["DAGSTER_PIPES_CONTEXT"]
        return params

    def load_messages_params(self) -> PipesParams:
        params: PipesParams = self._note["DAGSTER_PIPES_MESSAGES"]
        return params


class CloudContextLoader(PipesContextLoader):
    """The context from the value that the params name."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @contextmanager
    def load_context(self, params: PipesParams) -> Iterator[PipesContextData]:
        context: PipesContextData = json.loads(self._cloud.get(params["key"]) or "")
        yield context


class CloudChannel(PipesBlobStoreMessageWriterChannel):
    """Chunks as values whose keys are numbered."""

    def __init__(self, cloud: Cloud, key_prefix: str, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._cloud = cloud
        self._key_prefix = key_prefix

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        """Called again with the same chunk if it raises. FileExistsError means that the number is taken."""
        self._cloud.create(f"{self._key_prefix}/{index}.json", payload.read())


class CloudMessageWriter(PipesBlobStoreMessageWriter[CloudChannel]):
    """Messages under the key prefix that the params name."""

    def __init__(self, cloud: Cloud, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._cloud = cloud

    def make_channel(self, params: PipesParams) -> CloudChannel:
        return CloudChannel(self._cloud, params["key_prefix"], interval=self.interval)

    def get_opened_extras(self) -> PipesExtras:
        """What the orchestrator learns with the first message."""
        return {"machine": platform.node()}


def main() -> None:
    cloud = Cloud.of_this_job()
    with open_dagster_pipes(
        params_loader=CloudParamsLoader(cloud),
        context_loader=CloudContextLoader(cloud),
        message_writer=CloudMessageWriter(cloud, interval=0.2),
    ) as pipes:
        numbers = pipes.get_extra("numbers")
        pipes.log.info("summing %d numbers", len(numbers))
        pipes.report_asset_check("has_numbers", passed=bool(numbers), asset_key="sums")
        pipes.report_custom_message({"mean": sum(numbers) / len(numbers)})
        pipes.report_asset_materialization(metadata={"sum": sum(numbers)}, asset_key="sums")


if __name__ == "__main__":
    main()
