"""Following a file that grows in pieces: every line once, in order, whatever the pieces are."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.external.supervisor import message_file
from blobpipes.external.supervisor.message_file import MessageFile


class Following:
    """A followed file and what came of it."""

    def __init__(self, path: Path, start: int = 0) -> None:
        path.touch()
        self.path = path
        self.lines: list[bytes] = []
        self.places: list[tuple[int, int]] = []
        self.complaints: list[str] = []
        self.woken: list[bytes] = []
        self.came = threading.Condition()
        self.file = MessageFile(
            path, take=self._take, complain=self.complaints.append, woken=self._on_wake, start=start
        )  # fmt: skip

    def _take(self, line: bytes, start: int, end: int) -> None:
        with self.came:
            self.lines.append(line)
            self.places.append((start, end))
            self.came.notify_all()

    def _on_wake(self, given: bytes) -> None:
        with self.came:
            self.woken.append(given)
            self.came.notify_all()

    def wait(self, count: int) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.lines) >= count, 60)

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)


@pytest.fixture
def following(tmp_path: Path) -> Following:
    return Following(tmp_path / "messages")


def test_lines_come_while_the_file_grows_and_a_part_of_one_waits(following: Following) -> None:
    following.file.start()
    following.append(b"one\ntw")
    assert following.wait(1)
    following.append(b"o\n\n  \nthree")
    assert following.wait(2)
    assert following.lines == [b"one", b"two"]
    assert following.file.finish(20)
    assert following.lines == [b"one", b"two", b"three"]


def test_whoever_wakes_it_is_told_after_the_file_was_read(following: Following) -> None:
    following.append(b"one\n")
    following.file.start()
    os.write(following.file.wake, b"\x0f")
    with following.came:
        assert following.came.wait_for(lambda: following.woken, 60)
        assert following.lines == [b"one"]
    assert following.file.finish(20)


def test_a_file_that_became_shorter_is_read_anew_and_that_is_told(following: Following) -> None:
    following.file.start()
    following.append(b"one and more\n")
    assert following.wait(1)
    following.path.write_bytes(b"two\n")
    assert following.wait(2)
    assert following.file.finish(20)
    assert following.lines == [b"one and more", b"two"]
    assert "append to it by >>" in following.complaints[0]


def test_a_taker_that_fails_is_raised_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "messages").write_bytes(b"one\n")

    def fail(*_: object) -> None:
        raise RuntimeError("full")

    file = MessageFile(tmp_path / "messages", take=fail, complain=lambda text: None)
    file.start()
    with pytest.raises(RuntimeError, match="full"):
        file.finish(20)


def test_a_taker_that_never_returns_does_not_hold_the_end_up(tmp_path: Path) -> None:
    (tmp_path / "messages").write_bytes(b"one\n")
    released = threading.Event()
    file = MessageFile(tmp_path / "messages", take=lambda *_: released.wait(60) and None, complain=lambda text: None)
    file.start()
    assert not file.finish(0.05)
    released.set()
    assert file.finish(20)


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=30), st.integers(1, 20))
def test_the_pieces_and_the_place_of_every_line_fit(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int
) -> None:
    data = b"\n".join(lines)
    path = tmp_path_factory.mktemp("file") / "messages"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_file, "_BLOCK", size)
        following = Following(path)
        following.file.read_all()
    assert following.lines == [line for line in lines if line.strip()]
    assert [data[start:end].rstrip(b"\n") for start, end in following.places] == following.lines
    for (start, _), at in zip(following.places, range(len(following.lines)), strict=True):
        again = Following(path, start=start)
        again.file.read_all()
        assert again.lines == following.lines[at:]


def test_a_line_that_no_message_can_be_is_dropped_and_its_length_told(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_file, "LONGEST", 100)
    monkeypatch.setattr(message_file, "_BLOCK", 7)
    following.append(b"one\n" + b"x" * 500 + b"\ntwo\n")
    following.file.read_all()
    assert following.lines == [b"one", b"two"]
    assert following.places[1] == (505, 509)
    assert following.complaints == ["a line of 500 bytes was skipped: no message is that long"]
