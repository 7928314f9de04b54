"""Every module's own tests, with simulated providers.

They need the providers' schemas: from a mirror, or from the program that BLOBPIPES_TFCHECK names, which is called as
`PROGRAM FOLDER COMMAND` and runs that terraform command with schemas that it serves itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integration_tests.terraform.program import MODULES, Terraform, environment, provider_mirror

pytestmark = pytest.mark.timeout(900)  # seconds; a first call may install what serves the schemas
PROVIDERS = {"aws": "hashicorp/aws", "gcp": "hashicorp/google", "azure": "hashicorp/azurerm"}


@pytest.mark.parametrize("module", PROVIDERS)
def test_a_modules_own_tests_pass_and_its_example_is_valid(module: str, tmp_path: Path) -> None:
    copy = tmp_path / module
    shutil.copytree(MODULES / module, copy, ignore=shutil.ignore_patterns(".terraform*"))
    run = runner(PROVIDERS[module])
    said = run(copy, "test")
    assert " 0 failed" in said
    assert "Success! 0 passed" not in said
    assert "The configuration is valid" in run(copy / "examples" / "first-job", "validate")


def runner(provider: str) -> Callable[[Path, str], str]:
    """How to run a terraform command in a folder here."""
    served = os.environ.get("BLOBPIPES_TFCHECK")
    if provider_mirror(provider) is not None:

        def with_mirror(folder: Path, command: str) -> str:
            terraform = Terraform(folder, environment({}))
            terraform.init(provider)
            return terraform.run(command)

        return with_mirror
    if served:

        def with_schemas(folder: Path, command: str) -> str:
            done = subprocess.run([served, str(folder), command], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        return with_schemas
    pytest.skip(
        f"no mirror holds the provider {provider}; name one in TF_PLUGIN_DIR, or a program in BLOBPIPES_TFCHECK"
    )
