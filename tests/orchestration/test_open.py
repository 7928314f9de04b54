from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blobpipes.chunklog.compressing import codecs_here
from blobpipes.errors import (
    DagsterPipesError,
    IncompleteError,
    InvalidOptionError,
    InvalidUrlError,
    MissingBackendError,
    NeverOpenedError,
    SessionExistsError,
    StoreDeniedError,
    UnserializableError,
)
from blobpipes.orchestration.context_injectors import (
    PipesBlobStoreContextInjector,
    PipesEnvContextInjector,
    PipesFileContextInjector,
    PipesTempFileContextInjector,
)
from blobpipes.orchestration.file_readers import PipesFileMessageReader, PipesTempFileMessageReader
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.results import MaterializeResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.open import open_store
from blobpipes.wire.context import parse_context
from blobpipes.wire.params import decode_param
from tests.orchestration.jobs import (
    WAIT,
    HandFedReader,
    append,
    checked,
    closed,
    failed,
    in_thread,
    log,
    made,
    opened,
    put_chunks,
    recorded_run,
    whole_job,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/lake"


def by_file(**options: Any) -> Any:
    context, recorder = recorded_run(**options.pop("fields", {}))
    options.setdefault("context_injector", PipesEnvContextInjector())
    options.setdefault("message_reader", PipesTempFileMessageReader())
    return open_pipes_session(context, **options), recorder


# --- verdicts -------------------------------------------------------------------------------------------


def test_a_session_of_a_job_that_closed_is_complete() -> None:
    session_block, _ = by_file()
    with session_block as session:
        append(session.message_reader_params, *whole_job(made(), checked()))
    report = session.report
    assert (report.verdict, report.opened, report.closed, report.exception) == ("complete", True, True, None)
    assert report.counts == {"opened": 1, "report_asset_materialization": 1, "report_asset_check": 1, "closed": 1}
    assert report.summary().startswith("complete: 4 messages, 1 materialization, 1 check, ")
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "complete"
    assert "\n" not in report.summary()


def test_a_job_that_closed_with_an_exception_makes_the_session_failed_and_raises_nothing() -> None:
    session_block, _ = by_file()
    with session_block as session:
        append(session.message_reader_params, opened(), made(), failed("no rows"))
    assert session.report.verdict == "failed"
    assert session.report.exception["message"] == "ValueError: no rows\n"
    assert session.report.to_dict()["exception"]["name"] == "ValueError"
    assert len(session.get_results()) == 1


def test_a_process_that_ends_without_closing_is_incomplete_and_raises() -> None:
    session_block, _ = by_file()
    with (
        pytest.raises(IncompleteError, match="truncated. The process ended without closing") as caught,
        session_block as s,
    ):
        append(s.message_reader_params, opened(), made())
    assert type(caught.value) is IncompleteError
    assert caught.value.report is s.report
    assert len(s.get_results()) == 1


def test_a_process_of_which_nothing_comes_tells_where_each_side_wrote_and_looked(tmp_path: Path) -> None:
    injector = PipesFileContextInjector(tmp_path / "context")
    session_block, _ = by_file(context_injector=injector)
    with pytest.raises(NeverOpenedError) as caught, session_block:
        pass
    assert f"via file {tmp_path}/context" in caught.value.message
    assert "from a local temporary file" in caught.value.message
    assert "open_dagster_pipes()" in caught.value.remedy


def test_an_incomplete_session_may_warn_instead() -> None:
    session_block, recorder = by_file(on_incomplete="warn")
    with session_block as session:
        append(session.message_reader_params, opened())
    assert session.report.verdict == "truncated"
    assert "WARNING [pipes] the session is truncated" in recorder.text


def test_a_result_that_this_side_could_not_handle_makes_the_session_incomplete() -> None:
    def fail(event: PipesEvent) -> None:
        raise RuntimeError("database is down")

    session_block, _ = by_file(on_event=fail)
    with pytest.raises(IncompleteError, match="1 result came but could not be handled"), session_block as session:
        append(session.message_reader_params, *whole_job(made(), log("a")))
    assert session.report.verdict == "complete"
    assert session.report.problem_counts == {"handler": 4}


# --- a block that raises --------------------------------------------------------------------------------


class LaunchFailedError(Exception):
    pass


def test_the_blocks_own_exception_goes_on_after_everything_was_read() -> None:
    session_block, _ = by_file()
    with pytest.raises(LaunchFailedError) as caught, session_block as session:  # noqa: PT012 - the block is the subject
        append(session.message_reader_params, opened(), made())
        raise LaunchFailedError
    assert len(session.get_results()) == 1
    assert caught.value.report is session.report  # type: ignore[attr-defined]
    assert session.report.verdict == "truncated"
    assert any("truncated" in note for note in getattr(caught.value, "__notes__", ["truncated"]))


def test_an_exception_that_takes_no_attributes_goes_on_too() -> None:
    class Closed(BaseException):
        def __setattr__(self, name: str, value: object) -> None:
            if name in ("report", "__notes__"):
                raise AttributeError(name)
            super().__setattr__(name, value)

    session_block, _ = by_file()
    with pytest.raises(Closed), session_block:
        raise Closed


def test_a_failure_at_the_end_does_not_hide_the_blocks_own_exception() -> None:
    class FailsAtTheEnd(HandFedReader):
        @contextmanager
        def read_messages(self, handler: Any) -> Iterator[Any]:
            yield {}
            raise OSError("cannot clean up")

    session_block, recorder = by_file(message_reader=FailsAtTheEnd())
    with pytest.raises(LaunchFailedError), session_block:
        raise LaunchFailedError
    assert "cannot clean up" in recorder.text
    session_block, _ = by_file(message_reader=FailsAtTheEnd())
    with pytest.raises(OSError, match="cannot clean up"), session_block:
        pass


@pytest.mark.parametrize("error", [LaunchFailedError, KeyboardInterrupt, SystemExit])
def test_the_context_is_removed_also_when_the_block_raises(
    tmp_path: Path, url: str, error: type[BaseException]
) -> None:
    path = tmp_path / "context"
    for injector in (
        PipesFileContextInjector(path),
        PipesTempFileContextInjector(),
        PipesBlobStoreContextInjector(url),
    ):
        session_block, _ = by_file(context_injector=injector)
        with pytest.raises(error), session_block as session:  # noqa: PT012 - the block is the subject
            place = Path(session.context_injector_params["path"])
            assert parse_context(json.loads(place.read_bytes())) == session.context_data
            raise error
        assert not place.exists()


def test_a_reader_that_cannot_be_opened_leaves_no_context_behind(tmp_path: Path) -> None:
    class CannotOpen(HandFedReader):
        @contextmanager
        def read_messages(self, handler: Any) -> Iterator[Any]:
            raise StoreDeniedError("no")
            yield {}

    path = tmp_path / "context"
    session_block, _ = by_file(context_injector=PipesFileContextInjector(path), message_reader=CannotOpen())
    with pytest.raises(StoreDeniedError), session_block:
        pytest.fail("the block must not be entered")
    assert not path.exists()


# --- by URL ---------------------------------------------------------------------------------------------


def test_a_url_gives_both_halves_under_one_prefix(url: str) -> None:
    context, _ = recorded_run(run_id="r1", job_name="nightly", partition_key="p1")
    with open_pipes_session(context, url=url, session="nightly/1", extras={"a": 1}) as session:
        params = session.get_bootstrap_params()
        place = f"{url}/nightly/1"
        assert (session.name, session.url) == ("nightly/1", place)
        assert params["DAGSTER_PIPES_CONTEXT"] == {
            "path": f"{place[7:]}/_bp/context.json",
            "blobpipes": {"v": 1, "url": f"{place}/_bp/context.json"},
        }
        assert params["DAGSTER_PIPES_MESSAGES"] == {
            "path": place[7:],
            "include_stdio_in_messages": False,
            "blobpipes": {
                "v": 1, "url": place, "sid": "nightly/1", "create": True, "restarts": 0, "options": {},
                "z": list(codecs_here()),
            },
        }  # fmt: skip
        store = open_store(place)
        assert json.loads(store.get("_bp/context.json") or b"")["extras"] == {"a": 1}
        descriptor = json.loads(store.get("_bp/session.json") or b"")
        assert {k: descriptor[k] for k in ("name", "run_id", "job_name", "partition_key")} == {
            "name": "nightly/1", "run_id": "r1", "job_name": "nightly", "partition_key": "p1",
        }  # fmt: skip
        put_chunks(session.message_reader_params, made(rows=3))
    assert session.report.verdict == "complete"
    assert session.report.url == place
    assert session.get_results()[0].values == {"rows": 3}
    assert store.get("_bp/context.json") is None
    assert store.get("1.json") is not None


def test_options_in_the_url_reach_the_job_and_keywords_win(url: str) -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, url=f"{url}?interval=3s&heartbeat=30s", interval="500ms") as session:
        assert session.message_reader_params["blobpipes"]["options"] == {"interval": 0.5, "heartbeat": 30.0}
        put_chunks(session.message_reader_params)


def test_the_url_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBPIPES_URL", f"{url}?interval=2s")
    with open_pipes_session(recorded_run()[0]) as session:
        assert session.url == f"{url}/{session.name}"
        assert session.message_reader_params["blobpipes"]["options"] == {"interval": 2.0}
        put_chunks(session.message_reader_params)


def test_sessions_without_a_name_get_new_ones_that_sort_by_time(url: str) -> None:
    names = []
    for _ in range(3):
        with open_pipes_session(recorded_run()[0], url=url) as session:
            names.append(session.name)
            put_chunks(session.message_reader_params)
    assert names == sorted(set(names))


def test_a_name_that_is_taken_is_refused_before_anything_is_launched(url: str) -> None:
    context, _ = recorded_run()
    with open_pipes_session(context, url=url, session="one") as session:
        with pytest.raises(SessionExistsError), open_pipes_session(context, url=url, session="one"):
            pytest.fail("the block must not be entered")
        assert open_store(f"{url}/one").get("_bp/context.json") is not None  # of the session that is open
        put_chunks(session.message_reader_params)
    with pytest.raises(SessionExistsError, match="already exists"), open_pipes_session(context, url=url, session="one"):
        pytest.fail("the block must not be entered")
    assert open_store(f"{url}/one").get("_bp/context.json") is None


def test_only_one_half_may_come_from_the_url(url: str) -> None:
    with open_pipes_session(recorded_run()[0], PipesEnvContextInjector(), url=url) as session:
        assert "data" in session.context_injector_params
        put_chunks(session.message_reader_params)
    assert session.report.verdict == "complete"


def test_a_store_that_shows_what_reading_took(url: str) -> None:
    with open_pipes_session(recorded_run()[0], url=url) as session:
        put_chunks(session.message_reader_params, made())
        assert session.wait_for_close(WAIT)
    report = session.report
    assert report.chunks >= 1
    assert report.requests["put"] >= 1
    assert report.requests["get"] >= report.chunks
    assert report.bytes_down > report.bytes > 0
    [writer] = report.writers
    assert list(writer.last_sequence.values()) == [3]


# --- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, InvalidUrlError, "no storage URL"),
        ({"url": "s3:/bucket"}, InvalidUrlError, "neither a URL nor a plain path"),
        ({"url": "s3://"}, InvalidUrlError, "no bucket"),
        ({"url": "nowhere://a/b"}, InvalidUrlError, "nowhere"),
        ({"url": "file:///tmp/x?intervall=3s"}, InvalidOptionError, "did you mean 'interval'"),
        ({"url": "file:///tmp/x?interval=3parsec"}, InvalidOptionError, "not a duration"),
        ({"url": "file:///tmp/x", "intervall": 3}, InvalidOptionError, "did you mean 'interval'"),
        ({"url": "file:///tmp/x", "interval": -1}, InvalidOptionError, "out of range"),
        ({"url": "file:///tmp/x", "session": "a b"}, InvalidOptionError, "cannot name a session"),
        ({"url": "file:///tmp/x", "on_incomplete": "shrug"}, ValueError, "'raise' or 'warn'"),
        ({"url": "file:///tmp/x", "message_reader": HandFedReader(), "interval": 3}, InvalidOptionError, "no effect"),
    ],
)
def test_bad_input_is_an_error_of_one_line_before_anything_is_opened(
    options: dict[str, Any], error: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BLOBPIPES_URL", raising=False)
    with pytest.raises(error, match=said) as caught, open_pipes_session(RunContext(), **options):
        pytest.fail("the block must not be entered")
    assert "\n" not in str(getattr(caught.value, "message", caught.value))


def test_what_would_be_given_to_nobody_is_refused() -> None:
    both = {"context_injector": PipesEnvContextInjector(), "message_reader": HandFedReader()}
    for useless in (
        {"url": "file:///x"},
        {"session": "a"},
        {"storage_options": {}},
        {"include_stdio_in_messages": True},
    ):
        with pytest.raises(InvalidOptionError, match=f"{next(iter(useless))} has no effect"):
            open_pipes_session(RunContext(), **both, **useless).__enter__()  # type: ignore[arg-type]


def test_a_file_system_that_is_not_installed_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    if "fsspec.registry" in sys.modules:  # another test may have loaded it in this process
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(MissingBackendError, match="s3"), open_pipes_session(RunContext(), url="s3://bucket/prefix"):
        pytest.fail("the block must not be entered")


def test_an_extra_that_cannot_become_json_is_named_and_nothing_is_written(url: str, tmp_path: Path) -> None:
    extras = {"a": [1, {2, object}]}
    with (
        pytest.raises(UnserializableError, match=r"context\['extras'\]\['a'\]\[1\]"),
        open_pipes_session(RunContext(), url=url, extras=extras),
    ):
        pytest.fail("the block must not be entered")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreDeniedError), open_pipes_session(RunContext(), url=f"file://{tmp_path}/x"):
        pytest.fail("the block must not be entered")


def test_a_file_in_the_place_of_the_directory_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(Exception, match="file") as caught,
        open_pipes_session(RunContext(), url=f"file://{tmp_path}/file/x"),
    ):
        pytest.fail("the block must not be entered")
    assert type(caught.value).__module__ == "blobpipes.errors"


def test_a_file_that_cannot_be_written_is_named_before_the_block(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "file"
    for halves in (
        {"context_injector": PipesFileContextInjector(nowhere)},
        {"message_reader": PipesFileMessageReader(nowhere)},
    ):
        session_block, _ = by_file(**halves)
        with pytest.raises(DagsterPipesError, match=f"cannot write the .* file {nowhere}: No such file"), session_block:
            pytest.fail("the block must not be entered")


# --- the session object ---------------------------------------------------------------------------------


def test_the_bootstrap_values_come_in_all_three_forms() -> None:
    session_block, _ = by_file()
    with session_block as session:
        params = session.get_bootstrap_params()
        variables = session.get_bootstrap_env_vars()
        arguments = session.get_bootstrap_cli_arguments()
        assert {name: decode_param(value) for name, value in variables.items()} == params
        assert list(arguments) == ["--dagster-pipes-context", "--dagster-pipes-messages"]
        assert list(arguments.values()) == list(variables.values())
        assert session.get_per_writer_bootstrap_env_vars() == [variables]
        assert session.get_per_writer_bootstrap_cli_arguments() == [arguments]
        append(session.message_reader_params, *whole_job())


def test_assets_of_which_nothing_came_get_an_empty_result_after_a_complete_end_only() -> None:
    fields = {"asset_keys": ["orders", "other"]}
    session_block, _ = by_file(fields=fields)
    with session_block as session:
        append(session.message_reader_params, *whole_job(made()))
        assert session.wait_for_close(WAIT)
        assert len(session.get_results()) == 1
    assert [result.asset_key for result in session.get_results()] == ["orders", "other"]
    assert len(session.get_results(implicit_materializations=False)) == 1
    assert len(session.get_reported_results()) == 1
    session_block, _ = by_file(fields=fields)
    with session_block as session:
        append(session.message_reader_params, opened(), failed())
    assert session.get_results() == ()


def test_metadata_can_be_put_on_top_of_results() -> None:
    job: Any = {"job": {"type": "text", "raw_value": "j"}}
    session_block, _ = by_file(fields={"asset_keys": ["other"]})
    with session_block as session:
        append(session.message_reader_params, *whole_job(made(rows=1)))
    reported, implicit = session.get_results(metadata=job)
    assert reported.values == {"rows": 1, "job": "j"}
    assert implicit == MaterializeResult("other", job)


def test_the_report_is_there_after_the_end_only() -> None:
    session_block, _ = by_file()
    with session_block as session:
        assert not session.is_ended
        with pytest.raises(DagsterPipesError, match="still open"):
            _ = session.report
        append(session.message_reader_params, *whole_job())
    assert session.is_ended


def test_events_can_be_watched_from_now_on() -> None:
    session_block, _ = by_file()
    with session_block as session:
        events = session.iter_events()
        append(session.message_reader_params, *whole_job(log("a"), made()))
        seen = [type(event.payload).__name__ for event in events]
    assert seen == ["Opened", "Log", "AssetMaterialization", "Closed"]


def test_waiting_for_results_ends_when_the_process_dies_without_closing() -> None:
    alive = iter([True, True])
    session_block, _ = by_file(on_incomplete="warn")
    with session_block as session:
        append(session.message_reader_params, opened(), made())
        results = list(session.iter_results(while_running=lambda: next(alive, False)))
    assert len(results) == 1


def test_waiting_for_results_ends_when_somebody_says_that_the_process_is_gone() -> None:
    session_block, _ = by_file(on_incomplete="warn")
    with session_block as session:
        append(session.message_reader_params, opened(), made())
        results = session.iter_results()
        next(results)
        in_thread(session.process_gone)
        assert list(results) == []


def test_waiting_for_close_gives_up_after_its_time_and_sees_a_close() -> None:
    session_block, _ = by_file()
    with session_block as session:
        append(session.message_reader_params, opened())
        assert session.wait_for_close(0.0) is False
        assert session.wait_for_close(0.05, while_running=lambda: True) is False
        in_thread(lambda: append(session.message_reader_params, closed()))
        assert session.wait_for_close(WAIT) is True


def test_whoever_still_waits_when_the_session_ends_is_released() -> None:
    got: list[Any] = []
    session_block, _ = by_file(message_reader=HandFedReader(), on_incomplete="warn")
    with session_block as session:
        thread = in_thread(lambda: got.extend(session.iter_results()))
        session.message_handler.handle_message(made())
    thread.join(WAIT)
    assert not thread.is_alive()
    assert len(got) == 1


def test_what_the_launcher_tells_reaches_the_reader() -> None:
    told: list[Any] = []

    class Listens(HandFedReader):
        def on_launched(self, launched_payload: Any) -> None:
            told.append(launched_payload)

    session_block, _ = by_file(message_reader=Listens(), on_incomplete="warn")
    with session_block as session:
        session.report_launched({"extras": {"job_id": "j-1"}})
    assert told == [{"extras": {"job_id": "j-1"}}]
