"""Where is the example that `demo` runs? Beside the source in a checkout, inside the package in a wheel."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import blobpipes
from blobpipes.cli import exit_codes

_MODULE: Final = "blobpipes_example_year"
_PACKAGE: Final = Path(blobpipes.__file__).parent

PLACES: Final = (_PACKAGE.parents[1] / "examples" / "flights", _PACKAGE / "examples" / "flights")


def load_year() -> Any:
    """The module `examples/flights/year.py`, with all that its job needs installed.

    Raises:
        CommandError: it is not here, or packages are missing; says what to do.
    """
    path = _find()
    year = _load(path)
    missing = missing_packages(year)
    if missing:
        raise exit_codes.CommandError(
            "the demo's job needs packages that are not installed here",
            exit_code=exit_codes.MISSING,
            remedy=" and ".join(f"`{sys.executable} -m pip install {each}`" for each in _grouped(missing)),
        )
    return year


def missing_packages(year: Any) -> list[str]:
    """What the job needs and this Python has not, as pip wants it said."""
    missing: list[str] = year.missing_packages()
    return missing


def _find() -> Path:
    for folder in PLACES:
        if (folder / "year.py").is_file():
            return folder / "year.py"
    raise exit_codes.CommandError(
        "the demo's job is not part of this installation",
        exit_code=exit_codes.MISSING,
        remedy="Run it from a checkout of the repository: `python3 dev.py demo`.",
    )


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def _grouped(missing: list[str]) -> list[str]:
    """One pip command for those without options, one for each other."""
    plain = [each for each in missing if not each.startswith("-")]
    return ([" ".join(plain)] if plain else []) + [each for each in missing if each.startswith("-")]
