"""Where the official packages are that tests run with: `python3 dev.py servers` puts them there, each in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from integration_tests.servers.clouds import ROOT, MissingServerError

FOLDER = Path(os.environ.get("BLOBPIPES_OFFICIAL") or ROOT / ".servers" / "official")
STORES = "dagster-stores"  # dagster-aws, dagster-gcp and dagster-azure, without what they depend on


def package_folder(name: str) -> str:
    """The folder that goes on PYTHONPATH to have this package before any other version."""
    folder = FOLDER / name
    if not folder.is_dir():
        raise MissingServerError(f"the official package {name} is not in {FOLDER}: run `python3 dev.py servers`")
    return str(folder)
