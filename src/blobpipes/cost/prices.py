"""What does a store charge? A table of prices, from the file that comes with the package and one of the user's own.

Pure: text in, values out. `price_files.py` finds and reads the files.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Final

from blobpipes.errors import InvalidOptionError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

UNKNOWN: Final = "unknown"
GB: Final = 1_000_000_000

_FIGURES: Final = ("put", "get", "list", "delete", "egress", "upload", "download")
_DEAREST: Final = 1_000_000.0  # USD; above it, somebody has mistaken the unit


class PriceFileError(InvalidOptionError):
    """A file of prices cannot be understood. Nothing of it is used."""

    remedy = "Compare it with src/blobpipes/cost/prices.toml, or run without it."


@dataclass(frozen=True, slots=True)
class StorePrices:
    """What one store charges, in US dollars."""

    key: str  # in the table: s3, gcs, ...
    name: str = ""  # for people
    region: str = ""  # for which these hold
    put: float = 0.0  # per million requests
    get: float = 0.0  # per million; a HEAD costs as much
    list: float = 0.0  # per million
    delete: float = 0.0  # per million
    egress: float = 0.0  # per GB that is read from outside the region
    upload: float = 0.0  # per GB that is written, from wherever
    download: float = 0.0  # per GB that is read, from wherever
    recalled: tuple[str, ...] = ()  # figures not read on the provider's page when the table was made
    note: str = ""
    source: str = ""  # the provider's page

    @property
    def is_known(self) -> bool:
        """False for a store that no table names: it costs 0 here, and something elsewhere."""
        return self.key != UNKNOWN


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of several stores, and when they were collected."""

    collected: date
    stores: Mapping[str, StorePrices]

    def of(self, key: str) -> StorePrices:
        """The store's prices; those of an unknown store are 0 and say so."""
        return self.stores.get(key) or StorePrices(UNKNOWN, name=f"unknown store ({key})" if key != UNKNOWN else key)

    def require(self, key: str) -> StorePrices:
        """The store's prices.

        Raises:
            InvalidOptionError: the table has no such store.
        """
        if key not in self.stores:
            close = difflib.get_close_matches(key, self.stores, n=1, cutoff=0.4)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            known = ", ".join(self.stores)
            raise InvalidOptionError(
                f"no prices are known of the store {key!r}{hint}",
                remedy=f"One of {known}; or add it to a file of your own (--prices).",
            )
        return self.stores[key]


def parse_prices(text: str, *, where: str, base: PriceTable | None = None) -> PriceTable:
    """A table from TOML, on top of `base`: what it does not mention stays as it is there.

    Raises:
        PriceFileError: not TOML, an unknown key, or a price that is none. Names `where` and the place in it.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PriceFileError(f"{where} is not TOML: {error}") from error
    _require_known(raw, ("collected", "stores"), where)
    collected = raw.get("collected", base.collected if base else None)
    if not isinstance(collected, date):
        raise PriceFileError(f"{where}: collected is {collected!r} and no date", remedy="Write collected = 2026-11-22.")
    given = raw.get("stores", {})
    if not isinstance(given, dict):
        raise PriceFileError(f"{where}: stores is no table", remedy="Write [stores.s3], and prices under it.")
    stores = dict(base.stores if base else {})
    for key, values in given.items():
        stores[key] = _store(key, values, stores.get(key) or StorePrices(key, name=key), where)
    return PriceTable(collected, stores)


def _store(key: str, values: Any, base: StorePrices, where: str) -> StorePrices:
    place = f"{where}, [stores.{key}]"
    if not isinstance(values, dict):
        raise PriceFileError(f"{place} is no table", remedy=f"Write [stores.{key}], and prices under it.")
    _require_known(values, tuple(each.name for each in fields(StorePrices) if each.name != "key"), place)
    changes = {name: _checked(name, value, place) for name, value in values.items()}
    still_recalled = tuple(name for name in base.recalled if name not in values)
    return replace(base, **{"recalled": still_recalled, **changes})


def _checked(name: str, value: Any, place: str) -> Any:
    if name in _FIGURES:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not 0 <= value <= _DEAREST:
            raise PriceFileError(
                f"{place}: {name} = {value!r} is no price", remedy="Write US dollars per million requests, or per GB."
            )
        return float(value)
    if name == "recalled":
        if not isinstance(value, list) or any(each not in _FIGURES for each in value):
            raise PriceFileError(f"{place}: recalled = {value!r}", remedy=f"A list of some of {', '.join(_FIGURES)}.")
        return tuple(value)
    if not isinstance(value, str):
        raise PriceFileError(f"{place}: {name} = {value!r} is no text", remedy=f'Write {name} = "...".')
    return value


def _require_known(values: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise PriceFileError(f"{place}: unknown key {name!r}{hint}", remedy=f"Known are: {', '.join(known)}.")
