"""A store whose answers lag behind what it holds: whoever reads sees objects late, and loses none."""

from __future__ import annotations

import random
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import IncompleteError, StoreUnavailableError
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.testing import Faults
from blobpipes.wire.messages import custom
from tests.orchestration.jobs import WAIT, put_chunks

SAID = range(20)


@pytest.fixture(params=[True, False], ids=["fenced", "single writer"])
def is_atomic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the store's create-only write counts; eventually consistent stores have none that does."""
    if not request.param:
        monkeypatch.setattr("blobpipes.storage.capabilities.promises_atomic_create", lambda store: False)
    return bool(request.param)


def stale_session(directory: Path, lag: Faults) -> Any:
    options = {"faulty": {"faults": lag}}
    return open_pipes_session(
        RunContext(), url=f"faulty::file://{directory}", storage_options=options, interval="50ms", heartbeat=0
    )


def job(session: Any, directory: Path, *, close: bool = True) -> None:
    """A job near the store: what it asks is answered by what is there."""
    params = session.message_reader_params
    entry = params["blobpipes"]
    direct = {**entry, "url": entry["url"].replace("faulty::", "")}
    put_chunks({**params, "blobpipes": direct}, *map(custom, SAID), close=close, max_messages=3, interval=0.05)


def lagging(is_on: threading.Event) -> Faults:
    """From then on more than every second look finds nothing where something is."""
    chance = random.Random(2)
    return Faults(gets=("false absent" if is_on.is_set() and chance.random() < 0.6 else None for _ in count()))


def test_a_store_that_does_not_show_what_was_just_put_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="is not there") as caught:
        stale_session(tmp_path, Faults(gets=["false absent"] * 20)).__enter__()
    assert "consistent store" in caught.value.remedy


@pytest.mark.usefixtures("is_atomic")
def test_what_is_shown_late_arrives_once_and_in_order(tmp_path: Path) -> None:
    is_on = threading.Event()
    lag = lagging(is_on)
    with stale_session(tmp_path, lag) as session:
        is_on.set()
        job(session, tmp_path)
        assert session.wait_for_close(WAIT)
    assert session.get_custom_messages() == tuple(SAID)
    assert session.report.verdict == "complete"
    assert lag.struck["get: false absent"] >= 3


def test_the_last_chunk_of_a_dead_process_is_found_though_it_is_shown_late(tmp_path: Path) -> None:
    """The reader cannot write the end where a chunk is, and so it looks again."""
    is_on = threading.Event()
    session = stale_session(tmp_path, lagging(is_on))
    opened = session.__enter__()
    is_on.set()
    job(opened, tmp_path, close=False)
    with pytest.raises(IncompleteError) as caught:
        session.__exit__(None, None, None)
    report: Any = caught.value.report  # type: ignore[attr-defined]
    assert report.verdict == "truncated"
    stored = sum(path.read_text().count('"report_custom_message"') for path in tmp_path.glob("*/[0-9]*.json"))
    assert report.counts.get("report_custom_message", 0) == stored
