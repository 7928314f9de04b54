"""Dagster keeps what a test's runs have recorded in a fresh instance."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Dagster's own session asks Dagster's own context for what that calls deprecated.
    config.addinivalue_line(
        "filterwarnings", r"ignore:AssetExecutionContext\.:DeprecationWarning:dagster\._core\.pipes"
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
