"""Terraform as a test needs it: found, initialised offline where a provider mirror exists, asked and told.

Providers come from the folder in TF_PLUGIN_DIR (a mirror, as `terraform providers mirror` makes it), else from a
mirror somewhere below the usual places for installed software, else from the registry.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULES = Path(__file__).resolve().parents[2] / "terraform"
USUAL_PLACES = ("/opt", "/usr/share", "/usr/local/share", "/srv", str(Path.home()))
HOST = "registry.terraform.io"
TIMEOUT = 300.0  # seconds for one command


def find_terraform() -> str | None:
    return shutil.which("terraform")


@functools.cache
def provider_mirror(provider: str) -> Path | None:
    """The mirror that holds `provider`, such as hashicorp/aws."""
    named = os.environ.get("TF_PLUGIN_DIR")
    if named:
        return Path(named)
    return next((top for top in _mirrors() if (top / HOST / provider).is_dir()), None)


def _mirrors() -> Iterator[Path]:
    for place in map(Path, USUAL_PLACES):
        for pattern in (HOST, f"*/{HOST}", f"*/*/{HOST}"):
            yield from (found.parent for found in place.glob(pattern))


@dataclass(frozen=True)
class Terraform:
    """One folder of configuration with a state of its own."""

    folder: Path
    env: Mapping[str, str]

    def init(self, provider: str) -> None:
        mirror = provider_mirror(provider)
        self.run("init", "-backend=false", "-input=false", *([f"-plugin-dir={mirror}"] if mirror else []))

    def apply(self) -> None:
        self.run("apply", "-auto-approve", "-input=false")

    def destroy(self) -> str:
        return self.run("destroy", "-auto-approve", "-input=false")

    def changes(self) -> str:
        """What another `apply` would change; empty if nothing."""
        done = self._call("plan", "-detailed-exitcode", "-input=false")
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def run(self, *arguments: str) -> str:
        done = self._call(*arguments)
        assert done.returncode == 0, f"terraform {arguments[0]}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = ["terraform", f"-chdir={self.folder}", arguments[0], "-no-color", *arguments[1:]]
        if arguments[0] == "output":
            command = ["terraform", f"-chdir={self.folder}", *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Without the configuration of whoever runs the tests."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    return {**mine, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **more}
