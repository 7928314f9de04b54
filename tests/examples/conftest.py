"""Makes the modules of the examples importable the way their programs import them: by their bare names."""

from __future__ import annotations

import csv
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "examples" / "flights"), str(ROOT / "examples" / "own_cloud")]

import polars as pl  # noqa: E402
import source  # noqa: E402 - found through the path above


@pytest.fixture(scope="session", autouse=True)
def _jobs_find_this_checkout() -> Iterator[None]:
    """Also where blobpipes is not installed, but only on pytest's path; and no URL but the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
        patch.delenv("BLOBPIPES_URL", raising=False)
        yield


@pytest.fixture(scope="session")
def flights() -> pl.DataFrame:
    """The whole year."""
    return source.read_flights()


@pytest.fixture(scope="session")
def january(flights: pl.DataFrame) -> pl.DataFrame:
    return flights.filter(pl.col("month") == 1)


@pytest.fixture(scope="session")
def january_rows() -> list[dict[str, str]]:
    """January as the standard library reads it: what the figures of the data frames are checked against."""
    with zipfile.ZipFile(source.data_file("flights.csv.zip")) as archive:
        lines = archive.read("flights.csv").decode().splitlines()
    return list(csv.DictReader(lines[:1] + [line for line in lines if line.startswith("2013,1,")]))
