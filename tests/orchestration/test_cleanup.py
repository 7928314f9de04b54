"""What stays in the store after a session, who may remove it, and how a later process takes a session over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag, NegotiatedChunk, parse_chunk
from blobpipes.clock import SystemClock
from blobpipes.errors import (
    FencedError,
    IncompleteError,
    InvalidOptionError,
    LogSealedError,
    SessionExistsError,
)
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.orchestration.cleanup import DEFAULT_AGE, bury, collect
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.storage.open import open_store
from blobpipes.wire.messages import closed, custom, encode_message, opened
from tests.orchestration.jobs import WAIT, chunk_writer, put_chunks


class Later(SystemClock):
    """Tells a time in the future."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wall(self) -> float:
        return super().wall() + self._seconds


def at(tmp_path: Path) -> str:
    return f"file://{tmp_path}?interval=100ms"


def keys(tmp_path: Path, session: str = "night") -> list[str]:
    return sorted(str(path.relative_to(tmp_path / session)) for path in (tmp_path / session).rglob("*.json"))


def run(tmp_path: Path, name: str = "night", **options: object) -> PipesSession:
    with open_pipes_session(RunContext(), url=at(tmp_path), session=name, **options) as session:  # type: ignore[arg-type]
        put_chunks(session.message_reader_params, *map(custom, range(20)), max_messages=3)
    return session


def test_by_default_everything_is_kept_but_the_context(tmp_path: Path) -> None:
    run(tmp_path)
    assert len(keys(tmp_path)) > 5
    assert "_bp/context.json" not in keys(tmp_path)


def test_after_success_only_a_tombstone_and_the_descriptor_stay(tmp_path: Path) -> None:
    session = run(tmp_path, cleanup="delete")
    assert session.get_custom_messages() == tuple(range(20))
    assert keys(tmp_path) == ["1.json", "_bp/session.json"]
    tomb = parse_chunk((tmp_path / "night" / "1.json").read_bytes())
    assert isinstance(tomb, NegotiatedChunk)
    assert tomb.header.has(Flag.TOMB)
    assert list(tomb.header.high_water.values()) == [22]
    assert SessionCatalog(f"file://{tmp_path}").summaries()[0].standing.state == "cleaned"


def test_a_cleaned_log_refuses_a_late_start(tmp_path: Path) -> None:
    session = run(tmp_path, cleanup="delete")
    late = chunk_writer(session.message_reader_params)
    late.open(encode_message(opened()))
    with pytest.raises(LogSealedError):
        late.close(encode_message(closed()))


def test_a_process_that_is_cleaned_up_under_its_feet_is_told(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night", on_incomplete="warn") as session:
        writer = chunk_writer(session.message_reader_params)
        writer.open(encode_message(opened()))
        assert writer.flush(WAIT)
    bury(open_store(f"file://{tmp_path}/night"))
    with pytest.raises(FencedError, match="cleaned up"):
        writer.close(encode_message(closed()))


def fails_in_its_body(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night", cleanup="delete") as session:
        put_chunks(session.message_reader_params, custom(1))
        raise ZeroDivisionError


def is_cut_off(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night", cleanup="delete") as session:
        put_chunks(session.message_reader_params, custom(1), close=False)


@pytest.mark.parametrize(("session", "error"), [(fails_in_its_body, ZeroDivisionError), (is_cut_off, IncompleteError)])
def test_a_failure_keeps_everything(tmp_path: Path, session: Callable[[Path], None], error: type[Exception]) -> None:
    with pytest.raises(error):
        session(tmp_path)
    assert "1.json" in keys(tmp_path)
    assert not _is_tomb(tmp_path / "night")


def _is_tomb(session: Path) -> bool:
    chunk = parse_chunk((session / "1.json").read_bytes())
    return isinstance(chunk, NegotiatedChunk) and chunk.header.has(Flag.TOMB)


def test_lanes_are_cleaned_too(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night", cleanup="delete", lanes=2) as session:
        params = session.message_reader_params
        put_chunks(params, custom(0))
        lane = {**params, "blobpipes": {**params["blobpipes"], "url": params["blobpipes"]["url"] + "/lanes/1"}}
        put_chunks({**lane, "path": params["path"] + "/lanes/1"}, custom(1))
    assert sorted(session.get_custom_messages()) == [0, 1]
    assert keys(tmp_path) == ["1.json", "_bp/session.json", "lanes/1/1.json"]


def test_only_the_newest_owner_cleans_up(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night", cleanup="delete") as first:
        writer = chunk_writer(first.message_reader_params)
        writer.open(encode_message(opened()))
        assert writer.flush(WAIT)
        with open_pipes_session(RunContext(), url=at(tmp_path), session="night", attach=True) as second:
            writer.write(encode_message(custom("seen by both")))
            writer.close(encode_message(closed()))
            assert second.wait_for_close(WAIT)
        assert first.wait_for_close(WAIT)
    assert first.get_custom_messages() == second.get_custom_messages() == ("seen by both",)
    assert not _is_tomb(tmp_path / "night")


def test_a_new_orchestration_process_gets_everything_again_from_the_first_message(tmp_path: Path) -> None:
    with open_pipes_session(RunContext(), url=at(tmp_path), session="night") as first:
        writer = chunk_writer(first.message_reader_params)
        writer.open(encode_message(opened()))
        writer.write(encode_message(custom(1)))
        assert writer.flush(WAIT)
        with open_pipes_session(RunContext(), url=at(tmp_path), session="night", attach=True) as again:
            writer.close(encode_message(closed()))
            assert again.wait_for_close(WAIT)
    assert again.get_custom_messages() == (1,)
    assert again.report is not None
    assert again.report.verdict == "complete"


def test_a_taken_name_is_refused_unless_the_session_is_to_be_attached(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(SessionExistsError):
        run(tmp_path)
    with (
        pytest.raises(InvalidOptionError, match="name"),
        open_pipes_session(RunContext(), url=at(tmp_path), attach=True, session=None),
    ):
        pass


def test_old_sessions_are_emptied_and_then_removed(tmp_path: Path) -> None:
    run(tmp_path)
    url = f"file://{tmp_path}"
    assert list(collect(url)) == []
    later = Later(DEFAULT_AGE + 60)
    planned = list(collect(url, clock=later, dry_run=True))
    before = keys(tmp_path)
    assert [(each.name, each.state, each.action) for each in planned] == [("night", "complete", "emptied")]
    done = list(collect(url, clock=later))
    assert [(each.action, each.bytes) for each in done] == [("emptied", planned[0].bytes)]
    assert done[0].objects == planned[0].objects == len(before) - 2
    assert keys(tmp_path) == ["1.json", "_bp/session.json"]
    assert [each.action for each in collect(url, clock=Later(2 * DEFAULT_AGE + 120))] == ["removed"]
    assert keys(tmp_path) == []
    assert list(collect(url, clock=later)) == []


def test_a_session_whose_job_never_came_is_collected_and_its_job_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(IncompleteError),
        open_pipes_session(RunContext(), url=at(tmp_path), session="night"),
    ):
        pass
    (tmp_path / "night" / "1.json").unlink()  # as if the orchestration process had died before sealing
    assert [each.action for each in collect(f"file://{tmp_path}", clock=Later(DEFAULT_AGE + 60))] == ["emptied"]
    assert _is_tomb(tmp_path / "night")


def test_running_sessions_are_never_collected(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="younger"):
        list(collect(f"file://{tmp_path}", older_than=60))
