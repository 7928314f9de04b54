"""What every client is, and what a finished run gives.

A client runs a job in one kind of place: it opens a session, launches the job with the session's
variables, waits for it, and ends the session with a verdict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from blobpipes.orchestration.report import PipesSessionReport
from blobpipes.orchestration.results import (
    AssetCheckResult,
    MaterializeResult,
    Metadata,
    PipesExecutionResult,
    single_check_result,
    single_materialize_result,
)
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.wire.metadata import normalize_metadata


class PipesClient(ABC):
    """Runs jobs in one kind of place."""

    @abstractmethod
    def run(
        self, *, context: RunContext, extras: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> PipesClientCompletedInvocation:
        """Run a job to its end.

        Raises:
            JobFailedError: it ended with a failure; everything that it wrote was read before.
            IncompleteError: it is not proved that everything came.
        """


class PipesClientCompletedInvocation:
    """What a finished run has given.

    Args:
        session: the run's session.
        metadata: what the place knows of the run (a job id, a console's URL); put on top of each result's own.
    """

    def __init__(self, session: PipesSession, metadata: Mapping[str, Any] | None = None) -> None:
        self._session = session
        self._metadata: Metadata = normalize_metadata(metadata, method="metadata of the run") or {}

    @property
    def session(self) -> PipesSession:
        """The run's session, which has ended."""
        return self._session

    @property
    def metadata(self) -> Metadata:
        """What the place knows of the run."""
        return self._metadata

    @property
    def report(self) -> PipesSessionReport:
        """What became of the session."""
        return self._session.report

    def get_results(self, *, implicit_materializations: bool = True) -> Sequence[PipesExecutionResult]:
        """What the job reported, in order of arrival.

        Args:
            implicit_materializations: add an empty result for each of the run's assets of which it reported nothing.
        """
        return self._session.get_results(implicit_materializations=implicit_materializations, metadata=self._metadata)

    def get_materialize_result(self, *, implicit_materialization: bool = True) -> MaterializeResult:
        """The one materialization, with the check results of its asset in it.

        Raises:
            DagsterPipesError: there are several, or none.
        """
        return single_materialize_result(self.get_results(implicit_materializations=implicit_materialization))

    def get_asset_check_result(self) -> AssetCheckResult:
        """The one result, of a check.

        Raises:
            DagsterPipesError: it is not alone, or there is none.
        """
        return single_check_result(self.get_results(implicit_materializations=False))

    def get_custom_messages(self) -> Sequence[Any]:
        """The payloads of the custom messages, in order of arrival."""
        return self._session.get_custom_messages()
