"""`import blobpipes`: every public name, none of its weight."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import blobpipes
from blobpipes import errors

SOURCE = Path(blobpipes.__file__)
ERRORS = "blobpipes.errors"
CALLERS_SIDE = ("blobpipes.orchestration", "blobpipes.clients", "blobpipes.cli", "blobpipes.testing")


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level names of what `statement` loads in a fresh interpreter, beyond what its start-up loads."""
    program = f"import sys; before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def third_party(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] not in {*sys.stdlib_module_names, "blobpipes"}}


def names_for_type_checkers() -> dict[str, str]:
    """Name -> module, as the `if TYPE_CHECKING:` block of the front door says."""
    block = next(
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or "": node.module or "" for node in imports for alias in node.names}


def test_importing_blobpipes_loads_no_third_party_module() -> None:
    loaded = modules_loaded_by("import blobpipes")
    assert "blobpipes" in loaded
    assert third_party(loaded) == set()


def test_the_test_above_would_notice_a_third_party_module() -> None:
    assert "tenacity" in third_party(modules_loaded_by("import blobpipes, tenacity"))


def test_importing_blobpipes_loads_none_of_its_rooms() -> None:
    assert {name for name in modules_loaded_by("import blobpipes") if name.startswith("blobpipes.")} == set()


def test_type_checkers_and_programs_see_the_same_names() -> None:
    assert names_for_type_checkers() == blobpipes._HOMES


@pytest.mark.parametrize("name", blobpipes.__all__)
def test_every_public_name_exists(name: str) -> None:
    value = getattr(blobpipes, name)
    assert value is not None
    assert name in dir(blobpipes)
    if name in blobpipes._HOMES:
        assert value is getattr(import_module(blobpipes._HOMES[name]), name)


def test_every_error_is_public() -> None:
    assert {name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == ERRORS} == {
        name for name, home in blobpipes._HOMES.items() if home == ERRORS
    }


def test_no_name_of_the_jobs_side_loads_the_callers_side() -> None:
    names = [name for name, home in blobpipes._HOMES.items() if home.startswith("blobpipes.external.")]
    loaded = modules_loaded_by(f"from blobpipes import {', '.join(names)}")
    assert "blobpipes.external.open" in loaded
    assert {module for module in loaded if module.startswith(CALLERS_SIDE)} == set()


def test_a_job_without_a_store_loads_no_third_party_module() -> None:
    names = "open_dagster_pipes, PipesS3MessageWriter, PipesGCSMessageWriter, PipesAzureBlobStorageMessageWriter"
    loaded = modules_loaded_by(f"from blobpipes import {names}\nopen_dagster_pipes().log.info('alone')")
    assert "blobpipes.external.local" in loaded
    assert third_party(loaded) == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'blobpipes' has no attribute 'open_dagster_pipe'"):
        _ = blobpipes.open_dagster_pipe


def test_a_room_can_be_imported_through_the_front_door() -> None:
    from blobpipes import clock

    assert clock is sys.modules["blobpipes.clock"]
