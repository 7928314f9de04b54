"""A made-up cloud: its loaders, injector, reader and writer carry a whole session, also where the cloud misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloud_orchestrator
import pytest
from cloud_job import CloudContextLoader, CloudParamsLoader
from cloud_orchestrator import orchestrate
from little_cloud import Cloud, Requests, running_cloud

from blobpipes import AssetCheckResult, MaterializeResult, NeverOpenedError


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


def test_a_session_is_carried_by_a_service_that_no_url_names(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    check, result = orchestrate(cloud, [1, 2, 3, 4])
    assert isinstance(check, AssetCheckResult)
    assert check.passed
    assert isinstance(result, MaterializeResult)
    assert result.values == {"sum": 10}
    assert capsys.readouterr().out == "{'mean': 2.5} complete\n"


def test_the_context_is_gone_afterwards_and_each_session_has_a_prefix_of_its_own(cloud: Cloud) -> None:
    for _ in range(2):
        list(orchestrate(cloud, [1]))
    assert cloud.keys("contexts/") == []
    first_chunks = [key for key in cloud.keys("messages/") if key.endswith("/1.json")]
    assert len(first_chunks) == 2
    (opened, *_) = map(json.loads, (cloud.get(first_chunks[0]) or "").split("\n"))
    assert "machine" in opened["params"]["extras"]


def test_a_cloud_that_refuses_each_chunk_once_loses_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: set[str] = set()
    create = Requests.do_POST

    def refuse_once(request: Any) -> None:
        if "/messages/" not in request.path or request.path in refused:
            create(request)
        else:
            refused.add(request.path)
            request._body()
            request._answer(503)

    monkeypatch.setattr(Requests, "do_POST", refuse_once)
    assert len(list(orchestrate(cloud, [1, 2]))) == 2
    assert refused
    assert capsys.readouterr().out.endswith("complete\n")


def test_a_chunk_whose_reply_was_lost_is_neither_lost_nor_repeated(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, lost = Requests._answer, list[str]()

    def lose_the_first(request: Any, status: int, text: str = "") -> None:
        is_lost = not lost and request.command == "POST" and "/messages/" in request.path
        if is_lost:
            lost.append(request.path)
        answer(request, 500 if is_lost else status, text)

    monkeypatch.setattr(Requests, "_answer", lose_the_first)
    assert len(list(orchestrate(cloud, [1, 2]))) == 2
    assert lost
    assert capsys.readouterr().out.endswith("complete\n")


def test_what_a_job_reported_before_it_failed_is_there(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    (check,) = orchestrate(cloud, [])
    assert isinstance(check, AssetCheckResult)
    assert not check.passed
    assert capsys.readouterr().out == "failed\n"


def test_a_job_that_never_opens_its_pipe_is_an_error_that_says_where_both_sides_looked(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("")
    monkeypatch.setattr(cloud_orchestrator, "JOB", str(silent))
    with pytest.raises(NeverOpenedError) as caught:
        list(orchestrate(cloud, [1]))
    assert f"inject context as a value of the cloud at {cloud.address}" in str(caught.value)
    assert "the job needs CloudMessageWriter" in str(caught.value)


def test_a_process_that_the_cloud_did_not_launch_has_no_note() -> None:
    assert not CloudParamsLoader(Cloud.of_this_job()).is_dagster_pipes_process()


def test_a_context_that_is_not_there_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(ValueError), CloudContextLoader(cloud).load_context({"key": "absent"}):
        pass


def test_the_cloud_itself_creates_only_what_is_not_there(cloud: Cloud) -> None:
    cloud.create("a/b c", "1")
    with pytest.raises(FileExistsError):
        cloud.create("a/b c", "2")
    assert cloud.get("a/b c") == "1"
    cloud.put("a/b c", "3")
    assert cloud.keys("a/") == ["a/b c"]
    cloud.delete("a/b c")
    assert cloud.get("a/b c") is None
