"""Makes the modules of examples/flights importable the way its job imports them: by their bare names."""

from __future__ import annotations

import csv
import sys
import zipfile
from pathlib import Path

import pytest

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"
sys.path.insert(0, str(FLIGHTS))

import source  # noqa: E402 - found through the path above


@pytest.fixture(scope="session")
def january_rows() -> list[dict[str, str]]:
    """January as the standard library reads it: what the figures of the data frames are checked against."""
    with zipfile.ZipFile(source.data_file("flights.csv.zip")) as archive:
        lines = archive.read("flights.csv").decode().splitlines()
    return list(csv.DictReader(lines[:1] + [line for line in lines if line.startswith("2013,1,")]))
