"""What is special about disks: hidden names, processes that race or die, disks without hard links."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blobpipes.errors import StoreDeniedError, StoreUnavailableError
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.open import open_store


def run_python(program: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=environment, stdout=-1, stdin=-1, text=True
    )


def test_the_directory_is_made_by_the_first_put_and_not_before(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "a" / "b"))
    assert store.get("1.json") is None
    assert list(store.list()) == []
    store.delete("1.json")
    assert not (tmp_path / "a").exists()
    store.put("x/1.json", b"1")
    assert (tmp_path / "a" / "b" / "x" / "1.json").read_bytes() == b"1"


def test_nothing_but_the_objects_is_left_in_the_directory(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("1.json", b"1")
    store.put_if_absent("2.json", b"2")
    store.put_if_absent("2.json", b"3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.json", "2.json"]


def test_what_a_killed_writer_left_half_done_is_not_listed(tmp_path: Path) -> None:
    program = """
import os, sys
from blobpipes.storage.local_store import LocalStore
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
LocalStore(sys.argv[1]).put_if_absent("1.json", b"half")
"""
    with run_python(program, str(tmp_path)) as process:
        assert process.wait(timeout=60) == -9
    store = LocalStore(tmp_path)
    assert [path.name.startswith(".1.json.") for path in tmp_path.iterdir()] == [True]
    assert list(store.list()) == []
    assert store.get("1.json") is None
    assert store.put_if_absent("1.json", b"whole") is True


def test_of_several_processes_exactly_one_wins_each_key(tmp_path: Path) -> None:
    program = """
import sys
from blobpipes.storage.local_store import LocalStore
store = LocalStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*(n for n in range(100) if store.put_if_absent(f"{n}.json", sys.argv[2].encode())))
"""
    racers = [run_python(program, str(tmp_path), name) for name in "abc"]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    outputs = [racer.communicate("go\n", timeout=60)[0] for racer in racers]
    wins = {name: {int(number) for number in output.split()} for name, output in zip("abc", outputs, strict=True)}
    assert sorted(number for won in wins.values() for number in won) == list(range(100))
    store = LocalStore(tmp_path)
    for name, won in wins.items():
        assert all(store.get(f"{number}.json") == name.encode() for number in won)


def test_a_lost_reply_of_the_link_is_found_out_by_the_link_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS: the server made the link, its answer got lost, the repeated request says it is there already."""
    real_link = os.link

    def link_and_lose(source: Path, target: Path) -> None:
        real_link(source, target)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.link", link_and_lose)
    store = LocalStore(tmp_path)
    assert store.put_if_absent("1.json", b"mine") is True
    assert store.get("1.json") == b"mine"


def test_a_link_that_really_fails_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.link", fail)
    with pytest.raises(StoreUnavailableError, match="EIO"):
        LocalStore(tmp_path).put_if_absent("1.json", b"mine")
    assert list(tmp_path.iterdir()) == []


def test_without_links_and_exclusive_renames_the_store_says_that_it_is_weak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr("blobpipes.storage.local_store._rename_exclusively", refuse)
    store = LocalStore(tmp_path)
    assert store.put_if_absent("1.json", b"mine") is True
    assert store.put_if_absent("1.json", b"theirs") is False
    assert store.get("1.json") == b"mine"
    assert store.atomic_create is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_the_exclusive_rename_keeps_the_promise_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    store = LocalStore(tmp_path)
    assert store.put_if_absent("1.json", b"mine") is True
    assert store.put_if_absent("1.json", b"theirs") is False
    assert store.atomic_create is True


def test_a_file_in_the_place_of_a_directory_is_no_object_and_refuses_puts(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    store = LocalStore(tmp_path / "file")
    assert store.get("1.json") is None
    assert list(store.list()) == []
    for put in (store.put, store.put_if_absent):
        with pytest.raises(StoreDeniedError, match="ENOTDIR|EEXIST") as caught:
            put("deep/1.json", b"x")
        assert "in the way" in caught.value.remedy


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")
def test_a_directory_that_may_not_be_written_is_a_refusal(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreDeniedError, match="EACCES"):
            LocalStore(tmp_path).put("1.json", b"x")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_may_be_emptied_and_leaves_no_half_object(tmp_path: Path) -> None:
    """The limit on file sizes stands for the full disk: both end a write half-way."""
    program = """
import resource, signal, sys
from blobpipes.errors import StoreUnavailableError
from blobpipes.storage.local_store import LocalStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    LocalStore(sys.argv[1]).put("1.json", b"x" * 5000)
except StoreUnavailableError as error:
    print(error.reason)
"""
    with run_python(program, str(tmp_path)) as process:
        assert process.communicate(timeout=60)[0] == "EFBIG\n"
    assert list(tmp_path.iterdir()) == []


def test_objects_get_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        LocalStore(tmp_path).put_if_absent("1.json", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "1.json").stat().st_mode & 0o777 == 0o644


def test_a_question_mark_in_the_directory_is_written_percent_3f(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/what%3F?interval=1s")
    store.put("1.json", b"x")
    assert (tmp_path / "what?" / "1.json").exists()
    assert store.url == f"file://{tmp_path}/what%3F"
    assert open_store(store.url).get("1.json") == b"x"
