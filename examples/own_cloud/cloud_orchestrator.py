"""The orchestration process: an injector and a reader for the made-up cloud, and a session that launches its job.

python cloud_orchestrator.py
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from little_cloud import Cloud, running_cloud

from blobpipes import (
    AssetCheckResult,
    MaterializeResult,
    PipesBlobStoreMessageReader,
    PipesContextData,
    PipesContextInjector,
    PipesParams,
    RunContext,
    open_pipes_session,
)

JOB = str(Path(__file__).with_name("cloud_job.py"))


class CloudContextInjector(PipesContextInjector):
    """Puts the context into the cloud's store, under a new key for each session."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        key = f"contexts/{secrets.token_hex(8)}.json"
        self._cloud.put(key, json.dumps(context_data))
        try:
            yield {"key": key}
        finally:
            self._cloud.delete(key)

    def no_messages_debug_text(self) -> str:
        """Read by somebody who has to find out why nothing came back."""
        return f"Attempted to inject context as a value of the cloud at {self._cloud.address}."


class CloudMessageReader(PipesBlobStoreMessageReader):
    """Reads numbered chunks from the cloud's store, under a new prefix for each session."""

    def __init__(self, cloud: Cloud, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._cloud = cloud

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        yield {"key_prefix": f"messages/{secrets.token_hex(8)}"}

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """None while the chunk is not there. Every other trouble is raised, and the chunk asked for again."""
        return self._cloud.get(f"{params['key_prefix']}/{index}.json")

    def no_messages_debug_text(self) -> str:
        return f"Attempted to read messages from the cloud at {self._cloud.address}: the job needs CloudMessageWriter."


def orchestrate(cloud: Cloud, numbers: Sequence[float]) -> Iterator[MaterializeResult | AssetCheckResult]:
    """Each result as it comes, while the job runs. At the end it is proved that nothing is missing, or this raises."""
    with open_pipes_session(
        RunContext.for_asset("sums"),
        CloudContextInjector(cloud),
        CloudMessageReader(cloud, interval=0.2),
        extras={"numbers": list(numbers)},
    ) as session:
        job = cloud.launch([JOB], note=session.get_bootstrap_params())
        yield from session.iter_results(while_running=lambda: cloud.is_running(job))
    print(*session.get_custom_messages(), session.report.verdict)


if __name__ == "__main__":
    with running_cloud() as cloud:
        for result in orchestrate(cloud, [1, 2, 3, 4]):
            print(result)
