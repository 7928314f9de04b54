"""Why does nothing come? The one reason that tells most."""

from __future__ import annotations

from typing import Any

from blobpipes.cli.waiting import Reason, reason_to_wait
from blobpipes.orchestration.session_state import SessionStanding

RUNNING = SessionStanding("running", "It has not ended yet.", 3)


def reason(standing: SessionStanding = RUNNING, **known: Any) -> Reason:
    usual: dict[str, Any] = {"now": 1000.0, "opened_at": 900.0, "last_chunk_at": 995.0, "quiet": 5.0, "interval": 10.0}
    return reason_to_wait(standing, **{**usual, "trouble": None, **known})


def test_a_store_that_does_not_answer_comes_first() -> None:
    found = reason(SessionStanding("waiting", "", 0), trouble="cannot get 4.json: timeout")
    assert (found.kind, found.text) == ("store", "the store does not answer: cannot get 4.json: timeout")


def test_before_the_first_message_the_sessions_age_tells_how_long_the_job_takes_to_start() -> None:
    waiting = SessionStanding("waiting", "", 0)
    assert reason(waiting).text == "no message yet; the session was opened 1 min 40 s ago"
    assert reason(waiting, opened_at=None).text == "no message yet"


def test_a_silent_job_may_be_dead() -> None:
    found = reason(SessionStanding("silent", "", 3), last_chunk_at=600.0)
    assert found.is_news
    assert found.text.startswith("no chunk for 6 min 40 s, not even a heartbeat")


def test_heartbeats_without_messages_show_that_the_job_lives() -> None:
    found = reason(quiet=130.0, last_chunk_at=980.0)
    assert found.text == "no message for 2 min 10 s; the job is alive, its last heartbeat came 20 s ago"


def test_that_the_interval_is_not_over_is_no_news() -> None:
    found = reason()
    assert (found.kind, found.is_news, found.text) == ("interval", False, "the next chunk is due within 10 s")
