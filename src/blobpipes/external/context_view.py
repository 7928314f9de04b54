"""What the orchestration process told this one about its work, as properties.

Asking for what the step does not have is an error that says so, because a made-up asset or partition
would do harm. In a process that no orchestrator launched the same questions are answered by None, or by
an empty list or mapping: see `local.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.context import PipesContextData, PipesDataProvenance, PipesPartitionKeyRange, PipesTimeWindow

_T = TypeVar("_T")

_NO_ASSET = "the step does not target an asset"
_NO_PARTITION = "the step does not target any partition"


class ContextView:
    """Read-only access to the context. Asset keys are escaped strings: echo them back as they are."""

    _data: PipesContextData
    _is_launched: bool

    @property
    def is_asset_step(self) -> bool:
        """Whether the step targets assets."""
        return self._data["asset_keys"] is not None

    @property
    def asset_keys(self) -> Sequence[str]:
        """The keys of the step's assets; empty in a step that only runs checks."""
        return self._required(self._data["asset_keys"], "asset_keys", _NO_ASSET, [])

    @property
    def asset_key(self) -> str:
        """The key of the step's asset, if it is exactly one."""
        return self._single(self._data["asset_keys"], "asset_key")

    @property
    def provenance_by_asset_key(self) -> Mapping[str, PipesDataProvenance | None]:
        """For each of the step's assets what its last materialization was made from; None where unknown."""
        return self._required(self._data["provenance_by_asset_key"], "provenance_by_asset_key", _NO_ASSET, {})

    @property
    def provenance(self) -> PipesDataProvenance | None:
        """The same for the step's asset, if it is exactly one."""
        return self._of_single_asset(self._data["provenance_by_asset_key"], "provenance")

    @property
    def code_version_by_asset_key(self) -> Mapping[str, str | None]:
        """For each of the step's assets the version of the code that makes it; None where there is none."""
        return self._required(self._data["code_version_by_asset_key"], "code_version_by_asset_key", _NO_ASSET, {})

    @property
    def code_version(self) -> str | None:
        """The same for the step's asset, if it is exactly one."""
        return self._of_single_asset(self._data["code_version_by_asset_key"], "code_version")

    @property
    def is_partition_step(self) -> bool:
        """Whether the step targets partitions."""
        return self._data["partition_key_range"] is not None

    @property
    def partition_key(self) -> str:
        """The step's partition, if it is exactly one. Keys of several dimensions are joined by `|`."""
        key, keys = self._data["partition_key"], self._data["partition_key_range"]
        if key is None and keys is not None:
            if keys["start"] != keys["end"]:
                raise _undefined("partition_key", f"the step targets the partitions {keys['start']} to {keys['end']}")
            return keys["start"]
        return self._required(key, "partition_key", _NO_PARTITION, None)

    @property
    def partition_key_range(self) -> PipesPartitionKeyRange:
        """The first and the last of the step's partitions; equal if it is one."""
        return self._required(self._data["partition_key_range"], "partition_key_range", _NO_PARTITION, None)

    @property
    def partition_time_window(self) -> PipesTimeWindow | None:
        """The time that the step's partitions cover, ISO 8601, the end not included; None if they are not of time."""
        self._required(self._data["partition_key_range"], "partition_time_window", _NO_PARTITION, None)
        return self._data["partition_time_window"]

    @property
    def run_id(self) -> str:
        """The id of the run; `local` in a process that no orchestrator launched."""
        return self._data["run_id"]

    @property
    def job_name(self) -> str | None:
        """The job that runs; None where the run is not a job's."""
        return self._data["job_name"]

    @property
    def retry_number(self) -> int:
        """How many times the run was tried before; 0 on the first try."""
        return self._data["retry_number"]

    @property
    def extras(self) -> Mapping[str, Any]:
        """What the caller passed along for this job."""
        return self._data["extras"]

    def get_extra(self, key: str) -> Any:
        """One of the extras.

        Raises:
            DagsterPipesError: there is none of that name, launched or not.
        """
        if key not in self._data["extras"]:
            raise DagsterPipesError(
                f"there is no extra {key!r}",
                remedy=f"Pass extras={{{key!r}: ...}} where the job is launched, or use .extras.get({key!r}, default).",
            )
        return self._data["extras"][key]

    def _required(self, value: _T | None, name: str, reason: str, when_local: Any) -> _T:
        if value is not None:
            return value
        if self._is_launched:
            raise _undefined(name, reason)
        return cast(_T, when_local)

    def _single(self, values: Sequence[_T] | None, name: str) -> _T:
        known = self._required(values, name, _NO_ASSET, [None])
        if len(known) != 1:
            raise _undefined(name, f"the step targets {len(known)} assets")
        return known[0]

    def _of_single_asset(self, by_asset: Mapping[str, _T | None] | None, name: str) -> _T | None:
        known = self._required(by_asset, name, _NO_ASSET, {})
        key = self._single(self._data["asset_keys"], name)
        return known.get(key)


def _undefined(name: str, reason: str) -> DagsterPipesError:
    return DagsterPipesError(
        f"`{name}` is undefined: {reason}",
        remedy="Ask is_asset_step or is_partition_step first, or use the property that fits the step.",
    )
