"""Whole sessions through `faulty::`, on disk and on the three clouds' stores: complete, or named.

The job is a process of its own that knows nothing but its parameters: the faults come with the URL.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blobpipes.errors import IncompleteError, StoreDeniedError
from blobpipes.orchestration.session import PipesSession
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.testing import StoreContract
from blobpipes.wire.params import MESSAGES_ENV_VAR, encode_param
from integration_tests.servers.clouds import Cloud
from integration_tests.sessions.jobs import Start, let_run, pace, session_at


@pytest.mark.parametrize("cloud_server", ["gcs"], indirect=True)  # sessions below try them all
class TestWithoutFaults(StoreContract):
    """What is not spoiled is what it was."""

    @pytest.fixture
    def store(self, cloud: Cloud) -> Store:
        return open_store(f"faulty::{cloud.url}")

    @pytest.fixture
    def other(self, cloud: Cloud, store: Store) -> Store:
        return open_store(cloud.url)


def faulty(url: str, log: Path, faults: str) -> str:
    return f"faulty://{faults},log={str(log).replace('/', '%2F')}::{url}"


def of_the_job_alone(session: PipesSession, log: Path, faults: str) -> dict[str, str]:
    """What leads the job's messages, and nothing else, through the faults."""
    params = session.message_reader_params
    entry = {**params["blobpipes"], "url": faulty(params["blobpipes"]["url"], log, faults)}
    return {MESSAGES_ENV_VAR: encode_param({**params, "blobpipes": entry})}


def test_whatever_passes_by_itself_the_session_is_complete(place: Cloud, start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with session_at(place, faulty(place.url, log, "seed=1,any=0.3,delay=0.2")) as session:
        assert pace(start(session, 100, dict(place.env))) == 0
    assert session.get_custom_messages() == tuple(range(100))
    assert session.report.verdict == "complete"
    assert len(log.read_text().splitlines()) >= 3  # or the test has tested nothing


def test_lies_about_existence_and_halves_of_objects_change_nothing(place: Cloud, start: Start, tmp_path: Path) -> None:
    lies = "seed=194,false-exists=0.3,false-absent=0.3,torn=0.1,duplicated=0.3"
    with session_at(place) as session:
        assert pace(start(session, 100, of_the_job_alone(session, tmp_path / "log", lies))) == 0
    assert session.get_custom_messages() == tuple(range(100))
    assert session.report.verdict == "complete"
    assert "1.json: false exists" in (tmp_path / "log").read_text()


def test_an_outage_in_the_middle_delays_and_loses_nothing(place: Cloud, start: Start, tmp_path: Path) -> None:
    with session_at(place) as session:
        assert pace(start(session, 100, of_the_job_alone(session, tmp_path / "log", "outage=2-5"))) == 0
    assert session.get_custom_messages() == tuple(range(100))
    assert session.report.verdict == "complete"
    assert (tmp_path / "log").read_text().count("request lost") == 4


def test_a_job_that_is_refused_for_good_fails_and_the_verdict_says_that_nothing_came(
    place: Cloud, start: Start, tmp_path: Path
) -> None:
    with pytest.raises(IncompleteError) as caught:
        run_refused(place, start, tmp_path / "log")
    assert caught.value.report.verdict == "truncated"  # type: ignore[attr-defined]


def run_refused(place: Cloud, start: Start, log: Path) -> None:
    with session_at(place, close_timeout="1s") as session:
        assert let_run(start(session, 20, of_the_job_alone(session, log, "denied=1"))) != 0


def test_an_orchestration_process_that_is_refused_is_told_before_anything_starts(place: Cloud, tmp_path: Path) -> None:
    with pytest.raises(StoreDeniedError), session_at(place, faulty(place.url, tmp_path / "log", "denied=1")):
        raise AssertionError("the session was opened")
