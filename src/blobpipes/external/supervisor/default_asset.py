"""Which asset is a report without a key for? The step's, if it has exactly one."""

from __future__ import annotations

from functools import cache

from blobpipes.errors import DagsterPipesError
from blobpipes.external.context_loaders import PipesDefaultContextLoader
from blobpipes.external.supervisor.lines import DefaultAsset
from blobpipes.wire.context import parse_context
from blobpipes.wire.params import PipesParams


def default_asset(context_params: PipesParams) -> DefaultAsset:
    """Tells the step's asset. The context is read when that is asked for the first time."""

    @cache
    def keys() -> list[str]:
        with PipesDefaultContextLoader().load_context(context_params) as data:
            return list(parse_context(data)["asset_keys"] or [])

    def only() -> str:
        found = keys()
        if len(found) != 1:
            raise DagsterPipesError(f"`asset_key` is missing, and the step has {len(found)} assets")
        return found[0]

    return only
