"""However a process ends, what it accepted before is in the store: on disk, S3, Google Cloud Storage and Azure.

The interval is ten minutes, so nothing arrives by itself. The jobs of one place run two at a time and before the tests
that look at them, because a job on a cloud is mostly the start of its libraries.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import pytest

from blobpipes.storage.open import open_store
from integration_tests.exits.ways import WAYS, WAYS_ON_AZURE, Way
from integration_tests.servers.clouds import Cloud
from integration_tests.waiting import WAIT
from tests.external.launching import MAY_FORK, SOURCE, bootstrap, messages_of, methods


@dataclass(frozen=True)
class Ended:
    """What is left of a way's processes."""

    way: Way
    statuses: Sequence[int]
    output: str
    messages: Sequence[dict[str, Any]]
    spool: Sequence[str]  # what they left on disk


Look = Callable[[str], Ended]


@pytest.fixture(scope="module", params=["file", "s3", "gcs", "azure"])
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """What a way that was chosen has led to, in one place."""
    root = tmp_path_factory.mktemp(request.param)
    server = None if request.param == "file" else request.getfixturevalue(request.param)
    chosen = {str(item.callspec.params.get("way")) for item in request.session.items if hasattr(item, "callspec")}

    def run(number: int, name: str) -> Ended:
        folder = root / str(number)
        folder.mkdir()
        place = server.fresh() if server else Cloud("file", f"file://{folder}/log", {}, None)
        return end((WAYS_ON_AZURE if place.scheme == "az" else WAYS).get(name, WAYS[name]), place, folder)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        for variable, value in (server.fresh().env if server else {}).items():
            patch.setenv(variable, value)
        runs = {name: pool.submit(run, number, name) for number, name in enumerate(WAYS) if name in chosen}
        yield lambda name: runs[name].result()


def end(way: Way, place: Cloud, folder: Path) -> Ended:
    options = {"interval": 600, "heartbeat": 0, **way.options}
    params = {"path": place.url, "blobpipes": {"v": 1, "url": place.url, "options": options, "restarts": way.runs - 1}}
    ours = {"PYTHONPATH": str(SOURCE), "BLOBPIPES_SPOOL_DIR": str(folder / "spool"), "BLOBPIPES_TERM_GRACE": str(WAIT)}
    environment = {**os.environ, **place.env, **MAY_FORK, **ours, **bootstrap(params)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", way.source], env=environment, cwd=folder, capture_output=True, text=True,
            timeout=2 * WAIT, check=False,
        )
        for _ in range(way.runs)
    ]  # fmt: skip
    store = open_store(place.url)
    chunks = takewhile(lambda data: data is not None, (store.get(f"{number}.json") for number in count(1)))
    lines = "\n".join(data.decode() for data in chunks if data is not None).split("\n")
    spool = folder / "spool"
    left = [path.name for path in spool.iterdir()] if spool.exists() else []
    return Ended(
        way, [run.returncode for run in runs], "".join(r.stdout + r.stderr for r in runs), messages_of(lines), left
    )


@pytest.mark.parametrize("way", WAYS)
def test_what_was_accepted_is_stored_by(ended: Look, way: str) -> None:
    found = ended(way)
    expected = found.way
    assert methods(found.messages) == list(expected.methods), found.output
    assert found.statuses[-1] == expected.status, found.output
    assert expected.says in found.output
    closed = [message["params"].get("exception") for message in found.messages if message["method"] == "closed"]
    names = [exception["name"] for exception in closed if exception is not None]
    assert names == ([expected.exception] if expected.exception else [])
    assert bool(found.spool) == expected.leaves_spool
