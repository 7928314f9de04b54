"""What an orchestrator knows of a run, and the context data that the job gets of it.

For use without Dagster: a cron script, a notebook or another orchestrator fills in what it knows and
leaves out the rest. Asset keys are text as on the wire (`sales/orders`) or sequences of parts, which are
escaped (`("sales", "a/b")`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from blobpipes.orchestration.ids import new_id
from blobpipes.wire.asset_keys import escape_asset_key
from blobpipes.wire.context import PipesContextData, PipesDataProvenance, PipesPartitionKeyRange, PipesTimeWindow

AssetKeyLike: TypeAlias = str | Sequence[str]
Logger: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"

DEFAULT_LOGGER = "blobpipes.run"


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """One run of one job. Everything is optional; a bare `RunContext()` is a run with a new id."""

    run_id: str = field(default_factory=new_id)
    job_name: str | None = None
    retry_number: int = 0  # 0 on the first try
    asset_keys: Sequence[AssetKeyLike] | None = None  # None: the run is not about assets
    partition_key: str | None = None
    partition_key_range: tuple[str, str] | None = None  # first and last key; by default both are partition_key
    partition_time_window: tuple[datetime | str, datetime | str] | None = None  # start, and end (exclusive)
    code_version_by_asset_key: Mapping[str, str | None] | None = None
    provenance_by_asset_key: Mapping[str, PipesDataProvenance | None] | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)  # the user's own, anything that can become JSON
    log: Logger = field(default_factory=lambda: logging.getLogger(DEFAULT_LOGGER), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.run_id or not isinstance(self.run_id, str):
            raise ValueError("run_id must be text and not empty; leave it out to get a new one")
        if self.retry_number < 0:
            raise ValueError(f"retry_number counts from 0, not {self.retry_number}")
        if isinstance(self.asset_keys, str):
            raise TypeError(f"asset_keys is a list of keys; write [{self.asset_keys!r}]")
        self.data_with(None)  # whatever is wrong with the rest is said here, before anything is launched

    @classmethod
    def for_asset(cls, asset_key: AssetKeyLike, **fields: Any) -> RunContext:
        """The simple case: a run that makes one asset. The other fields as keywords."""
        return cls(asset_keys=[asset_key], **fields)

    def data_with(self, extras: Mapping[str, Any] | None) -> PipesContextData:
        """What the job gets, with more extras on top of the run's own."""
        keys = None if self.asset_keys is None else sorted(_as_text(key) for key in self.asset_keys)
        return PipesContextData(
            asset_keys=keys,
            code_version_by_asset_key=_for_each(keys, self.code_version_by_asset_key),
            provenance_by_asset_key=_for_each(keys, self.provenance_by_asset_key),
            partition_key=self.partition_key,
            partition_key_range=self._key_range(),
            partition_time_window=self._time_window(),
            run_id=self.run_id,
            job_name=self.job_name,
            retry_number=self.retry_number,
            extras={**self.extras, **(extras or {})},
        )

    @property
    def data(self) -> PipesContextData:
        """What the job gets."""
        return self.data_with(None)

    def _key_range(self) -> PipesPartitionKeyRange | None:
        if self.partition_key_range is not None:
            start, end = self.partition_key_range
            return PipesPartitionKeyRange(start=start, end=end)
        if self.partition_key is not None:
            return PipesPartitionKeyRange(start=self.partition_key, end=self.partition_key)
        return None

    def _time_window(self) -> PipesTimeWindow | None:
        if self.partition_time_window is None:
            return None
        start, end = self.partition_time_window
        return PipesTimeWindow(start=_iso(start), end=_iso(end))


def _as_text(key: AssetKeyLike) -> str:
    return key if isinstance(key, str) else escape_asset_key(list(key))


def _for_each(keys: list[str] | None, known: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An entry for each selected asset, as Dagster sends it; None outside of assets."""
    unknown = sorted(set(known or {}) - set(keys or ()))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of the asset_keys {keys}")
    return None if keys is None else {key: (known or {}).get(key) for key in keys}


def _iso(moment: datetime | str) -> str:
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"partition_time_window needs a time zone: {moment.isoformat()} has none")
    return moment.isoformat()
