"""Which sessions are there, and how do they stand? Asked from outside, of a store that real sessions lie in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.chunklog.layout import SESSION_KEY
from blobpipes.errors import InvalidOptionError, SessionNotFoundError
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.storage.metered import Meter
from blobpipes.testing import ManualClock
from blobpipes.wire.messages import closed, log, opened
from tests.cli.sessions import CREATED, StoredSession, complete, failed, killed, raised, running

SOON = CREATED + 30.0


def states(root: Path, now: float = SOON) -> dict[str, str]:
    catalog = SessionCatalog(str(root), clock=ManualClock(wall=now))
    return {each.name: each.standing.state for each in catalog.summaries()}


@pytest.mark.parametrize(
    ("write", "state"), [(complete, "complete"), (running, "running"), (raised, "failed"), (killed, "truncated")]
)
def test_a_session_stands_as_its_last_chunks_say(
    tmp_path: Path, write: Callable[[Path, str], StoredSession], state: str
) -> None:
    write(tmp_path, "s")
    assert states(tmp_path) == {"s": state}


def test_a_session_without_a_chunk_waits_for_its_first_message(tmp_path: Path) -> None:
    StoredSession(tmp_path, "s").describe()
    assert states(tmp_path) == {"s": "waiting"}


def test_a_job_that_never_came_is_truncated_once_its_reader_has_sealed_the_log(tmp_path: Path) -> None:
    StoredSession(tmp_path, "s").describe().seal_by_reader()
    assert states(tmp_path) == {"s": "truncated"}


def test_a_failure_counts_before_its_reader_has_sealed_the_log(tmp_path: Path) -> None:
    running(tmp_path, "s").chunk(failed(), marks=[Flag.FAIL])
    assert states(tmp_path) == {"s": "failed"}


def test_five_heartbeats_without_a_chunk_are_silence(tmp_path: Path) -> None:
    running(tmp_path, "s")
    assert states(tmp_path, CREATED + 10 + 5 * 60 - 1) == {"s": "running"}
    assert states(tmp_path, CREATED + 10 + 5 * 60 + 1) == {"s": "silent"}


def test_silence_is_measured_by_the_sessions_own_heartbeat(tmp_path: Path) -> None:
    running(tmp_path, "slow", options={"heartbeat": 600.0})
    assert states(tmp_path, CREATED + 2000) == {"slow": "running"}


def test_what_official_writers_wrote_is_judged_by_its_closing_message(tmp_path: Path) -> None:
    StoredSession(tmp_path, "open").official_chunk(opened())
    StoredSession(tmp_path, "clean").official_chunk(opened()).official_chunk(closed(), log("late output", "INFO"))
    StoredSession(tmp_path, "bad").official_chunk(opened(), failed())
    assert states(tmp_path) == {"open": "running", "clean": "complete", "bad": "failed"}


def test_a_missing_chunk_and_an_unreadable_one_are_damage(tmp_path: Path) -> None:
    complete(tmp_path, "hole")
    (tmp_path / "hole/2.json").unlink()
    running(tmp_path, "torn").raw_chunk(b'{"blobpipes":{"v":1,"w":"a"}}\n{"half')
    catalog = SessionCatalog(str(tmp_path), clock=ManualClock(wall=SOON))
    details = {each.name: each.standing.detail for each in catalog.summaries()}
    assert states(tmp_path) == {"hole": "damaged", "torn": "damaged"}
    assert details["hole"] == "1 chunk before the last one is missing."
    assert "the header is damaged" in details["torn"]


def test_a_cleaned_up_session_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    StoredSession(tmp_path, "s").describe().chunk(marks=[Flag.TOMB, Flag.END])
    assert states(tmp_path) == {"s": "cleaned"}


def test_counts_come_from_the_listing_and_the_last_header(tmp_path: Path) -> None:
    session = complete(tmp_path, "s")
    [found] = SessionCatalog(str(tmp_path), clock=ManualClock(wall=SOON)).summaries()
    size = sum(path.stat().st_size for path in session.folder.glob("*.json"))
    assert (found.chunks, found.messages, found.bytes) == (3, 9, size)
    assert (found.created, found.last_at) == (CREATED, CREATED + 30)
    assert found.url == f"file://{tmp_path}/s"


def test_the_newest_comes_first_and_only_as_many_as_asked_for_are_looked_into(tmp_path: Path) -> None:
    for number in range(5):
        complete(tmp_path, f"s{number}", created=CREATED + 100 * number)
    meter = Meter()
    names = [each.name for each in SessionCatalog(str(tmp_path), meter=meter).summaries(2)]
    assert names == ["s4", "s3"]
    assert meter.snapshot().requests == {"list": 1, "get": 2, "put": 0, "delete": 0}


def test_names_may_hold_slashes_and_other_objects_are_no_sessions(tmp_path: Path) -> None:
    complete(tmp_path, "run-1/2013-02")
    for other in ("results/2013/2013.json", "results/plot.png", "run-1/notes.json"):
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_bytes(b"{}")
    assert states(tmp_path) == {"run-1/2013-02": "complete"}


def test_chunks_of_lanes_belong_to_their_session(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    StoredSession(tmp_path, "s/lanes/7").chunk(opened())
    [found] = SessionCatalog(str(tmp_path)).summaries()
    assert (found.name, found.chunks) == ("s", 4)


def test_nothing_there_is_an_empty_list(tmp_path: Path) -> None:
    assert states(tmp_path / "absent") == {}


# --- finding one --------------------------------------------------------------------------------------


def test_a_session_is_found_by_its_name_and_brings_its_options(tmp_path: Path) -> None:
    running(tmp_path, "s", options={"interval": 2.0, "heartbeat": 30.0})
    found = SessionCatalog(str(tmp_path)).find("s")
    assert (found.name, found.url) == ("s", f"file://{tmp_path}/s")
    assert (found.options.interval, found.options.heartbeat) == (2.0, 30.0)


def test_options_of_the_url_win_over_the_sessions_own(tmp_path: Path) -> None:
    running(tmp_path, "s", options={"interval": 2.0, "heartbeat": 30.0})
    found = SessionCatalog(f"{tmp_path}?interval=500ms").find("s")
    assert (found.options.interval, found.options.heartbeat) == (0.5, 30.0)


def test_options_that_a_newer_version_wrote_are_left_out(tmp_path: Path) -> None:
    running(tmp_path, "s", options={"interval": 2.0, "warp": 9})
    assert SessionCatalog(str(tmp_path)).find("s").options.interval == 2.0


def test_a_wrong_option_in_the_url_is_said_before_the_store_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="did you mean 'interval'"):
        SessionCatalog(f"{tmp_path}?intervall=2s")


def test_without_a_name_the_newest_is_found(tmp_path: Path) -> None:
    complete(tmp_path, "b-old", created=CREATED)
    complete(tmp_path, "a-new", created=CREATED + 100)
    assert SessionCatalog(str(tmp_path)).find().name == "a-new"


@pytest.mark.parametrize("described", [True, False])
def test_the_url_may_be_the_sessions_own(tmp_path: Path, described: bool) -> None:
    session = complete(tmp_path, "s")
    if not described:
        (session.folder / SESSION_KEY).unlink()
    found = SessionCatalog(str(session.folder)).find()
    assert (found.name, found.url) == ("s", f"file://{tmp_path}/s")


@pytest.mark.parametrize("part", ["run-1/2013-02", "2013-02", "/run-1/2013-02/", "run-1"])
def test_a_unique_beginning_or_end_of_a_name_is_enough(tmp_path: Path, part: str) -> None:
    complete(tmp_path, "run-1/2013-02")
    complete(tmp_path, "run-2/2013-03")
    assert SessionCatalog(str(tmp_path)).find(part).name == "run-1/2013-02"


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("run", "2 sessions", "Give more of its name: run-b, run-a."),
        ("nope", "no session 'nope'", "The newest are: run-b, run-a."),
        ("../x", "no session '../x'", "The newest are: run-b, run-a."),
    ],
)
def test_what_cannot_be_found_says_what_there_is(tmp_path: Path, name: str, message: str, remedy: str) -> None:
    complete(tmp_path, "run-a", created=CREATED)
    complete(tmp_path, "run-b", created=CREATED + 100)
    with pytest.raises(SessionNotFoundError, match=message) as caught:
        SessionCatalog(str(tmp_path)).find(name)
    assert caught.value.remedy == remedy


def test_an_empty_place_has_no_newest_session(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="there is no session under"):
        SessionCatalog(str(tmp_path)).find()
