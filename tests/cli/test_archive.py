"""`blobpipes archive` says what it saves, and what it leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blobpipes.chunklog.layout import ARCHIVE_KEY
from blobpipes.clock import SystemClock
from tests.cli.conftest import Cli
from tests.cli.sessions import complete, running


def test_people_are_told_what_it_saves(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "night")
    running(tmp_path, "now")
    ended = cli("archive", tmp_path)
    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert lines[0].split() == ["session", "was", "objects", "size", "now"]
    assert lines[1].split()[:3] == ["night", "complete", "4"]
    assert "3 objects" in lines[1]
    assert lines[2].startswith("1 session archived, 1 object fewer, ")
    assert lines[2].endswith("; 1 left as they are")
    assert (
        cli("archive", tmp_path).out == "0 sessions archived, 0 objects fewer; 1 archived before; 1 left as they are\n"
    )


@pytest.mark.parametrize("command", ["show", "tail"])
def test_what_was_archived_is_printed_as_before(cli: Cli, tmp_path: Path, command: str) -> None:
    complete(tmp_path, "night")
    before = cli(command, tmp_path, "--json").events
    cli("archive", tmp_path)
    after = cli(command, tmp_path, "--json").events
    assert len(before) == 11
    for events in (before, after):
        events[-1].pop("time")
        events[-1].pop("requests")  # an archive is fewer of them
    assert after == before


def test_ls_says_that_a_session_is_archived(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "night")
    cli("archive", tmp_path)
    assert "complete, archived" in cli("ls", tmp_path).out
    [event] = cli("ls", tmp_path, "--json").events
    assert event["archived"] is not None
    assert (event["messages"], event["chunks"], event["state"]) == (9, 3, "complete")


def test_a_running_session_that_is_named_is_refused(cli: Cli, tmp_path: Path) -> None:
    running(tmp_path, "now")
    ended = cli("archive", tmp_path, "now", "--older-than", "0h")
    assert (ended.code, ended.out) == (75, "")
    assert ended.err.startswith("error: now was left as it is (silent): No chunk for longer than five heartbeats")
    assert "remedy: Archive it once it has ended" in ended.err
    assert not (tmp_path / "now" / ARCHIVE_KEY).exists()


def test_a_young_session_that_is_named_is_refused_with_the_age_it_needs(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "night", created=SystemClock().wall())
    ended = cli("archive", tmp_path, "night")
    assert ended.code == 75
    assert "(complete): Its last chunk is younger than 86,400 s." in ended.err
    assert "--older-than" in ended.err
    assert cli("archive", tmp_path, "night", "--older-than", "0h").code == 0


def test_what_has_ended_and_cannot_be_folded_is_told_with_a_remedy(cli: Cli, tmp_path: Path) -> None:
    session = complete(tmp_path, "night")
    session.raw_chunk(b'{"blobpipes":{"v":1,"w":"a"}}\n{"half')
    ended = cli("archive", tmp_path)
    assert ended.code == 75
    assert "cannot be read" in " ".join(ended.out.split())
    assert "remedy:" in ended.out
    [event] = cli("archive", tmp_path, "--json").events
    assert (event["action"], event["objects_after"]) == ("left", None)
    assert event["remedy"]


def test_programs_get_a_line_for_each_session(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "night")
    [planned] = cli("archive", tmp_path, "--json", "--dry-run").events
    assert not (tmp_path / "night" / ARCHIVE_KEY).exists()
    [done] = cli("archive", tmp_path, "--json").events
    assert (planned["action"], planned["objects"], planned["objects_after"]) == ("archived", 4, 3)
    assert (done["action"], done["objects"], done["objects_after"]) == ("archived", 4, 3)
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert (planned["bytes_after"], done["bytes_after"]) == (None, on_disk)


@pytest.mark.parametrize("command", ["show", "tail"])
def test_a_truncated_archive_is_a_named_error(cli: Cli, tmp_path: Path, command: str) -> None:
    complete(tmp_path, "night")
    cli("archive", tmp_path)
    path = tmp_path / "night" / ARCHIVE_KEY
    os.truncate(path, path.stat().st_size // 2)
    ended = cli(command, tmp_path)
    assert ended.code == 65
    assert ended.err.startswith(f"error: the archive file://{tmp_path}/night/{ARCHIVE_KEY} is damaged: ")
    assert "backup" in ended.err


@pytest.mark.parametrize("arguments", [["--older-than", "7"], ["--older-than", "soon"], ["--older-than=-1h"]])
def test_a_wrong_age_is_refused(cli: Cli, tmp_path: Path, arguments: list[str]) -> None:
    ended = cli("archive", tmp_path, *arguments)
    assert (ended.code, "remedy:" in ended.err) == (64, True)


def test_a_session_that_is_not_there_is_said(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "night")
    assert cli("archive", tmp_path, "day").code == 66
