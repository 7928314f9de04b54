"""`ls`, `show` and `tail`, as people and programs read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.cli.main import main
from blobpipes.wire.messages import closed, log, opened
from tests.cli.conftest import Cli
from tests.cli.sessions import CREATED, StoredSession, complete, killed, raised, running


def test_ls_shows_the_newest_session_first(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "older", created=CREATED)
    raised(tmp_path, "newer", created=CREATED + 1000)
    ended = cli("ls", tmp_path)
    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert lines[0].split() == ["session", "state", "age", "messages", "chunks", "size"]
    assert lines[1].split()[:2] == ["newer", "failed"]
    assert lines[2].split()[:2] == ["older", "complete"]


def test_ls_says_when_it_leaves_sessions_out(cli: Cli, tmp_path: Path) -> None:
    for number in range(3):
        complete(tmp_path, f"s{number}")
    ended = cli("ls", tmp_path, "--limit", "2")
    assert ended.out.splitlines()[3:] == ["and older ones; --limit 4 shows 4 sessions"]
    assert len(cli("ls", tmp_path, "--limit", "0").out.splitlines()) == 4


def test_ls_of_an_empty_place_says_so(cli: Cli, tmp_path: Path) -> None:
    assert cli("ls", tmp_path).out == f"no sessions under file://{tmp_path}\n"


def test_ls_gives_programs_one_object_for_each_session(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    [event] = cli("ls", tmp_path, "--json").events
    assert event == {
        "event": "session",
        "time": "2023-11-14T22:13:20.000Z",
        "session": "s",
        "url": f"file://{tmp_path}/s",
        "state": "complete",
        "detail": "The job closed normally.",
        "created": "2023-11-14T22:13:20.000Z",
        "last_chunk": "2023-11-14T22:13:50.000Z",
        "messages": 9,
        "chunks": 3,
        "bytes": event["bytes"],
        "archived": None,
    }


def test_the_url_may_come_from_the_environment(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete(tmp_path, "s")
    ended = cli("ls")
    assert (ended.code, ended.err) == (
        64,
        "error: no storage URL was given\n  remedy: Give one, or set BLOBPIPES_URL.\n",
    )
    monkeypatch.setenv("BLOBPIPES_URL", str(tmp_path))
    assert "s        complete" in cli("ls").out


@pytest.mark.parametrize("command", ["show", "tail"])
def test_an_ended_session_is_printed_with_its_results_and_verdict(cli: Cli, tmp_path: Path, command: str) -> None:
    complete(tmp_path, "s")
    ended = cli(command, tmp_path)
    lines = [line[10:] for line in ended.out.splitlines() if line[2:3] == ":"]  # those with a time of day
    assert ended.code == 0
    assert lines == [
        "opened    the job has opened its messages",
        "INFO      reading",
        "stdout    half a line",
        "stdout    another",
        "check     row_count passed  rows 24,951",
        "check     few_cancellations failed (warning)  percent 5.05",
        "result    flights materialized, 2 values",
        'custom    {"answer": [42]}',
        "closed    the job has closed its messages",
    ]
    for text in ("partition 2013-02, run run-1", "Materialized", "data version  v1", "share         nan", "Checks"):
        assert text in ended.out
    assert "✔ complete  9 messages, 1 materialization, 2 checks (1 failed), 3 chunks, " in ended.out
    assert ended.out.endswith(f"  session file://{tmp_path}/s\n")


def test_show_gives_programs_every_message_and_the_end(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    ended = cli("show", tmp_path, "s", "--json")
    assert ended.kinds() == [
        *("session", "opened", "log", "output", "output", "check", "check", "materialization", "custom", "closed"),
        "end",
    ]
    by_kind = {event["event"]: event for event in ended.events}
    assert by_kind["materialization"]["metadata"]["share"]["raw_value"] == "NaN"  # which JSON does not have
    assert {event["session"] for event in ended.events} == {"s"}
    end = by_kind["end"]
    assert (end["state"], end["messages"], end["checks"], end["failed_checks"], end["chunks"]) == (
        "complete",
        9,
        2,
        1,
        3,
    )
    assert end["requests"]["put"] == 0


@pytest.mark.parametrize(
    ("write", "state", "code"), [(complete, "complete", 0), (raised, "failed", 1), (killed, "truncated", 65)]
)
@pytest.mark.parametrize("command", ["show", "tail"])
def test_the_exit_code_says_how_the_session_ended(
    cli: Cli, tmp_path: Path, command: str, write: object, state: str, code: int
) -> None:
    assert callable(write)
    write(tmp_path, "s")
    ended = cli(command, tmp_path, "--json")
    assert (ended.code, ended.events[-1]["state"]) == (code, state)


def test_show_of_a_session_that_has_not_ended_says_how_it_stands(cli: Cli, tmp_path: Path) -> None:
    running(tmp_path, "s")
    ended = cli("show", tmp_path)
    assert ended.code == 0
    assert "✔" not in ended.out
    assert "silent  2 messages, 1 chunk" in ended.out
    assert "No chunk for longer than five heartbeats; the process may be dead. The last chunk came " in ended.out


def test_an_exception_is_shown_as_python_prints_it(cli: Cli, tmp_path: Path) -> None:
    raised(tmp_path, "s")
    ended = cli("show", tmp_path)
    assert "closed    with ValueError: no rows\n  ValueError: no rows\n" in ended.out
    assert "✘ failed  2 messages" in ended.out
    assert "The job ended with an exception; every message arrived." in ended.out


def test_a_damaged_session_names_its_problems(cli: Cli, tmp_path: Path) -> None:
    session = complete(tmp_path, "s")
    (session.folder / "2.json").write_bytes(b"")
    ended = cli("show", tmp_path)
    assert ended.code == 65
    assert "problem   corrupt (chunk 2): chunk 2 is damaged: the object is empty" in ended.out
    assert "✘ truncated  " in ended.out


class Waiting(io.StringIO):
    """Does something once as soon as the command says why it waits."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self._then: Callable[[], object] | None = then

    def write(self, text: str) -> int:
        if "waiting" in text and self._then is not None:
            then, self._then = self._then, None
            then()
        return super().write(text)


def test_tail_waits_for_more_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = StoredSession(tmp_path, "s").describe()
    out = Waiting(lambda: session.chunk(opened(), log("late", "INFO"), closed(), marks=[Flag.END]))
    monkeypatch.setattr("blobpipes.cli.following.TICK", 0.01)
    monkeypatch.setattr("sys.stdout", out)
    assert main(["tail", f"{tmp_path}?interval=50ms", "--json"]) == 0
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["session", "waiting", "opened", "log", "closed", "end"]
    assert events[1]["reason"] == "first"
    assert events[1]["text"].startswith("no message yet; the session was opened ")


def test_what_a_job_prints_cannot_move_the_cursor_or_forge_lines(cli: Cli, tmp_path: Path) -> None:
    session = StoredSession(tmp_path, "s").describe()
    session.chunk(opened(), log("\x1b[2Jgone\x07 \u202eevil \x1b]0;title\x07end", "INFO"), closed(), marks=[Flag.END])
    ended = cli("show", tmp_path)
    assert "gone\ufffd \ufffdevil end" in ended.out
    assert "\x1b" not in ended.out
    assert "\\u001b[2J" in cli("show", tmp_path, "--json").out  # programs get it whole


def test_lines_of_a_log_message_stay_in_their_column(cli: Cli, tmp_path: Path) -> None:
    session = StoredSession(tmp_path, "s").describe()
    session.chunk(opened(), log("first\nsecond", "WARNING"), closed(), marks=[Flag.END])
    assert "WARNING   first\n                    second\n" in cli("show", tmp_path).out
