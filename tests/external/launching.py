"""What tests of the external side share: being launched, and reading what was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from blobpipes.external.params_loaders import PipesMappingParamsLoader
from blobpipes.wire.params import CONTEXT_ENV_VAR, MESSAGES_ENV_VAR, encode_param

MAY_FORK = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # 3.12 and later warn of a fork beside threads

SOURCE = Path(__file__).parents[2] / "src"


def bootstrap(messages: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The two values that an orchestration process hands over; the context inline."""
    data = {"run_id": "run-1", **(context or {})}
    return {CONTEXT_ENV_VAR: encode_param({"data": data}), MESSAGES_ENV_VAR: encode_param(messages)}


def loader(messages: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> PipesMappingParamsLoader:
    return PipesMappingParamsLoader(bootstrap(messages, context))


def negotiated(directory: Path, **entry: Any) -> dict[str, Any]:
    """Messages params as our own orchestration side writes them for a directory."""
    return {"path": str(directory), "blobpipes": {"v": 1, "url": f"file://{directory}", **entry}}


def chunks_in(directory: Path) -> list[str]:
    """The chunks' text, in order."""
    paths = sorted(directory.glob("*.json"), key=lambda path: int(path.stem))
    return [path.read_text() for path in paths]


def messages_in(directory: Path) -> list[dict[str, Any]]:
    """All messages of a chunk directory."""
    return messages_of("\n".join(chunks_in(directory)).split("\n"))


def messages_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Those of the lines that are messages."""
    decoded = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in decoded if "__dagster_pipes_version" in each]


def methods(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    return [message["method"] for message in messages]


def text_of(messages: Iterable[Mapping[str, Any]], stream: str) -> str:
    """What was captured of one stream."""
    captured = [each["params"] for each in messages if each["method"] == "log_external_stream"]
    return "".join(each["text"] for each in captured if each["stream"] == stream)


def run_job(
    source: str, environment: Mapping[str, str] | None = None, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a job in a fresh interpreter, which must end with `status`."""
    ours = ("DAGSTER_", "BLOBPIPES_URL", "PYTHON")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        env={**clean, "PYTHONPATH": str(SOURCE), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == status, run.stderr
    return run
