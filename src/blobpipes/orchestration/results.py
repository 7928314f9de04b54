"""What a job reports, as frozen values: materializations and check results.

Asset keys stay as they are on the wire (parts joined by `/`, escaped), because an external process
treats them as opaque; `asset_key_parts` takes one apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.asset_keys import parse_asset_key
from blobpipes.wire.metadata import PipesMetadataValue

Metadata: TypeAlias = Mapping[str, PipesMetadataValue]


@dataclass(frozen=True, slots=True)
class AssetCheckResult:
    """The outcome of one check of one asset."""

    asset_key: str
    check_name: str
    passed: bool
    severity: Literal["WARN", "ERROR"] = "ERROR"
    metadata: Metadata = field(default_factory=dict)

    @property
    def asset_key_parts(self) -> list[str]:
        """The asset key taken apart and unescaped."""
        return parse_asset_key(self.asset_key)

    @property
    def values(self) -> dict[str, Any]:
        """The metadata without its types: label to raw value."""
        return _values(self.metadata)


@dataclass(frozen=True, slots=True)
class MaterializeResult:
    """An asset that the job says it has made."""

    asset_key: str
    metadata: Metadata = field(default_factory=dict)
    data_version: str | None = None
    check_results: tuple[AssetCheckResult, ...] = ()  # filled only by `get_materialize_result`

    @property
    def asset_key_parts(self) -> list[str]:
        """The asset key taken apart and unescaped."""
        return parse_asset_key(self.asset_key)

    @property
    def values(self) -> dict[str, Any]:
        """The metadata without its types: label to raw value."""
        return _values(self.metadata)


PipesExecutionResult: TypeAlias = MaterializeResult | AssetCheckResult


def with_metadata(results: Iterable[PipesExecutionResult], metadata: Metadata) -> tuple[PipesExecutionResult, ...]:
    """The results, each with `metadata` on top of its own."""
    if not metadata:
        return tuple(results)
    return tuple(replace(result, metadata={**result.metadata, **metadata}) for result in results)


def implicit_materializations(
    results: Iterable[PipesExecutionResult], asset_keys: Sequence[str] | None
) -> tuple[MaterializeResult, ...]:
    """One empty result for each selected asset of which nothing was reported."""
    reported = {result.asset_key for result in results if isinstance(result, MaterializeResult)}
    return tuple(MaterializeResult(key) for key in asset_keys or () if key not in reported)


def single_materialize_result(results: Sequence[PipesExecutionResult]) -> MaterializeResult:
    """The only materialization, with the check results of the same asset folded into it.

    Raises:
        DagsterPipesError: none, or several, or a check of another asset.
    """
    materialized = [result for result in results if isinstance(result, MaterializeResult)]
    checks = tuple(result for result in results if isinstance(result, AssetCheckResult))
    if len(materialized) != 1:
        keys = ", ".join(sorted(result.asset_key for result in materialized)) or "nothing"
        raise DagsterPipesError(
            f"one materialization was asked for, but the job reported {keys}",
            remedy="Use get_results(), which gives all of them.",
        )
    foreign = sorted({result.asset_key for result in checks} - {materialized[0].asset_key})
    if foreign:
        raise DagsterPipesError(
            f"the job reported checks of another asset than {materialized[0].asset_key}: {', '.join(foreign)}",
            remedy="Use get_results(), which gives all of them.",
        )
    return replace(materialized[0], check_results=(*materialized[0].check_results, *checks))


def single_check_result(results: Sequence[PipesExecutionResult]) -> AssetCheckResult:
    """The only result, which is of a check.

    Raises:
        DagsterPipesError: it is not alone, or there is none.
    """
    if len(results) == 1 and isinstance(results[0], AssetCheckResult):
        return results[0]
    materialized = sum(isinstance(result, MaterializeResult) for result in results)
    raise DagsterPipesError(
        f"one check result was asked for, but the job reported {materialized} materializations "
        f"and {len(results) - materialized} check results",
        remedy="Use get_results(), which gives all of them.",
    )


def _values(metadata: Metadata) -> dict[str, Any]:
    return {label: value["raw_value"] for label, value in metadata.items()}
