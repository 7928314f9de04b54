"""Terraform tests need the program and a provider; without them they are skipped, and say what is missing."""

from __future__ import annotations

import pytest

from integration_tests.terraform.program import find_terraform


@pytest.fixture(scope="session", autouse=True)
def terraform_program() -> None:
    if find_terraform() is None:
        pytest.skip("terraform is not installed")
