"""Runs one program under the official package and under ours, by changing its import and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blobpipes.wire.params import CONTEXT_CLI_OPTION, CONTEXT_ENV_VAR, MESSAGES_CLI_OPTION, MESSAGES_ENV_VAR
from tests.external.launching import SOURCE

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
RUNTIME = HERE / "databricks_runtime"
IMPORTS: Final = {"official": "import dagster_pipes", "ours": "import blobpipes as dagster_pipes"}

_CHUNK: Final = re.compile(r"(?:(?P<folder>.*)/)?(?P<number>[0-9]+)\.json")


@dataclass(frozen=True)
class Launch:
    """How one program is started."""

    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()


def run(program: str, package: str, launch: Launch, place: Path) -> str:
    """Run the program under one of the two packages; what it printed. It must succeed."""
    text = (PROGRAMS / program).read_text(encoding="utf-8")
    assert text.count(f"\n{IMPORTS['official']}\n") == 1
    script = place / program  # the same path for both: it is part of tracebacks
    script.write_text(text.replace(f"\n{IMPORTS['official']}\n", f"\n{IMPORTS[package]}\n"), encoding="utf-8")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "BLOBPIPES_", "PYTHON"))
    }
    environment = {
        **kept,
        "PYTHONPATH": os.pathsep.join([*launch.environment.get("PYTHONPATH", "").split(os.pathsep), str(SOURCE)]),
        "BLOBPIPES_SPOOL_DIR": str(place / "spool"),
    }
    done = subprocess.run(
        [sys.executable, str(script), *launch.arguments],
        env={**launch.environment, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    expected = 1 if "raise ValueError" in text else 0
    assert done.returncode == expected, done.stderr
    return done.stdout


def files_below(folder: Path) -> dict[str, bytes]:
    """What a program left in its folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def in_order(files: Mapping[str, bytes]) -> dict[str, str]:
    """The files, with the chunks of a folder as one text: where one chunk ends is for each writer to choose.

    Chunks are numbered from 1 without a gap, or this fails.
    """
    result: dict[str, str] = {}
    numbers: dict[str, list[int]] = {}
    for name in sorted(files, key=_by_number):
        match = _CHUNK.fullmatch(name)
        text = files[name].decode("utf-8")
        if match is None:
            result[name] = text
            continue
        folder = match["folder"] or ""
        numbers.setdefault(folder, []).append(int(match["number"]))
        key = f"{folder}/*.json"
        result[key] = f"{result[key]}\n{text}" if key in result else text
    for folder, found in numbers.items():
        assert found == [*range(1, len(found) + 1)], folder
    return result


def without_marks(files: Mapping[str, str]) -> dict[str, str]:
    """The same, without the two keys that blobpipes adds for itself where an official reader reads."""
    return {name: "\n".join(_unmarked(text.split("\n"))) for name, text in files.items()}


def _unmarked(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if not line.startswith("{"):
            yield line
            continue
        message: dict[str, Any] = json.loads(line)
        message.pop("__blobpipes", None)
        if message.get("method") == "opened":
            message["params"]["extras"].pop("blobpipes", None)
        yield json.dumps(message)


def _by_number(name: str) -> tuple[str, int]:
    match = _CHUNK.fullmatch(name)
    return (match["folder"] or "", int(match["number"])) if match else (name, 0)


def as_variables(context: str, messages: str) -> Launch:
    return Launch({CONTEXT_ENV_VAR: context, MESSAGES_ENV_VAR: messages})


def as_arguments(context: str, messages: str) -> Launch:
    return Launch(arguments=[CONTEXT_CLI_OPTION, context, MESSAGES_CLI_OPTION, messages, "--limit", "3"])


def as_event(context: str, messages: str) -> Launch:
    return Launch({"EVENT": json.dumps({CONTEXT_ENV_VAR: context, MESSAGES_ENV_VAR: messages})})
