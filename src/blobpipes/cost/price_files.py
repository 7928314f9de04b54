"""Finds the files of prices: the package's, and the user's own on top of it."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from blobpipes.cost.prices import PriceFileError, PriceTable, parse_prices

PRICES_ENV_VAR: Final = "BLOBPIPES_PRICES"


def load_prices(path: str | os.PathLike[str] | None = None) -> PriceTable:
    """The package's prices, with those of the file at `path` on top, or of the one that BLOBPIPES_PRICES names.

    Raises:
        PriceFileError: the file cannot be read or understood.
    """
    chosen = os.fspath(path) if path is not None else os.environ.get(PRICES_ENV_VAR)
    if not chosen:
        return _packaged()
    try:
        text = Path(chosen).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PriceFileError(
            f"the file of prices {chosen} cannot be read: {reason}", remedy=f"Correct --prices or {PRICES_ENV_VAR}."
        ) from error
    return parse_prices(text, where=chosen, base=_packaged())


@cache
def _packaged() -> PriceTable:
    text = files("blobpipes.cost").joinpath("prices.toml").read_text(encoding="utf-8")
    return parse_prices(text, where="prices.toml")
