"""A capture of a file descriptor: what it hears, what still reaches the original, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobpipes.external.stream_tee import StreamTee
from blobpipes.external.text_buffer import TextBuffer
from tests.external.launching import MAY_FORK, run_job


class Pipe:
    """A descriptor to capture, and the other end of what it was before."""

    def __init__(self) -> None:
        self.original, self.fd = os.pipe()
        self.heard: list[str] = []
        self.tee = StreamTee(self.fd, self.heard.append, interval=1000.0)

    def read_original(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self.original, count - len(data))
        return data

    def close(self) -> None:
        self.tee.stop(60.0)
        os.close(self.fd)
        os.close(self.original)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_what_is_written_is_heard_and_still_reaches_the_original(pipe: Pipe) -> None:
    pipe.tee.start()
    os.write(pipe.fd, b"hello ")
    os.write(pipe.fd, b"world\n")
    pipe.tee.stop(60.0)
    assert "".join(pipe.heard) == "hello world\n"
    assert pipe.read_original(12) == b"hello world\n"


def test_after_the_stop_the_descriptor_is_the_original_again(pipe: Pipe) -> None:
    pipe.tee.start()
    pipe.tee.stop(60.0)
    os.write(pipe.fd, b"later")
    assert pipe.read_original(5) == b"later"
    assert pipe.heard == []


def test_a_second_stop_does_nothing(pipe: Pipe) -> None:
    pipe.tee.start()
    pipe.tee.stop(60.0)
    pipe.tee.stop(60.0)


def test_a_closed_descriptor_is_not_captured() -> None:
    reader, fd = os.pipe()
    os.close(fd)
    os.close(reader)
    tee = StreamTee(fd, lambda text: None)
    assert tee.start() is False
    tee.stop(60.0)


def test_more_than_a_pipe_holds_arrives_whole_and_in_order(tmp_path: Path) -> None:
    heard: list[str] = []
    with (tmp_path / "original").open("wb") as target:
        tee = StreamTee(target.fileno(), heard.append, interval=1000.0)
        tee.start()
        text = "".join(f"line {n}\n" for n in range(100_000))
        target.write(text.encode())
        target.flush()
        tee.stop(30.0)
    assert "".join(heard) == text
    assert len(heard) > 1
    assert (tmp_path / "original").read_text() == text


def test_a_child_that_goes_on_holding_the_descriptor_does_not_delay_the_stop(pipe: Pipe) -> None:
    pipe.tee.start()
    script = "import sys; print('before', flush=True); sys.stdin.read(); print('after', flush=True)"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=pipe.fd) as child:
        assert pipe.read_original(7) == b"before\n"
        pipe.tee.stop(60.0)
        assert child.poll() is None
        assert "".join(pipe.heard) == "before\n"
        assert child.stdin is not None
        child.stdin.close()
        assert pipe.read_original(6) == b"after\n"  # not heard, but not lost, and no broken pipe for the child
        assert child.wait() == 0
    assert "".join(pipe.heard) == "before\n"


def test_a_consumer_that_fails_costs_the_original_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    original, fd = os.pipe()

    def refuse(text: str) -> None:
        raise ValueError("no room")

    tee = StreamTee(fd, refuse, interval=0.0)
    tee.start()
    for piece in (b"one", b"two"):
        os.write(fd, piece)
        assert os.read(original, 100) == piece
    tee.stop(60.0)
    os.close(fd)
    os.close(original)
    assert capsys.readouterr().err.count("no room") == 1


def test_a_consumer_that_hangs_delays_the_stop_by_the_timeout_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    original, fd = os.pipe()
    release = threading.Event()
    tee = StreamTee(fd, lambda text: release.wait(60.0) and None, interval=0.0)
    tee.start()
    os.write(fd, b"text")
    assert os.read(original, 100) == b"text"
    tee.stop(0.05)
    assert "not delivered" in capsys.readouterr().err
    release.set()
    os.close(fd)
    os.close(original)


def test_a_descriptor_that_the_program_redirected_meanwhile_is_left_alone(pipe: Pipe, tmp_path: Path) -> None:
    pipe.tee.start()
    os.write(pipe.fd, b"to the pipe")
    target = os.open(tmp_path / "own.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(target, pipe.fd)
    os.close(target)
    pipe.tee.stop(60.0)
    os.write(pipe.fd, b"to my log")
    assert (tmp_path / "own.log").read_bytes() == b"to my log"
    assert pipe.heard == ["to the pipe"]


def test_no_descriptor_is_left_open_afterwards() -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    run_job(
        """
        import os
        from blobpipes.external.stream_tee import StreamTee

        before = os.listdir("/proc/self/fd")
        tee = StreamTee(1, lambda text: None)
        tee.start()
        print("text")
        tee.stop(60.0)
        tee._thread.join(60.0)
        assert os.listdir("/proc/self/fd") == before
        """
    )


def test_prints_c_output_and_children_are_heard_in_order_and_seen_by_the_caller() -> None:
    run = run_job(
        """
        import ctypes, os, subprocess, sys
        from blobpipes.external.stream_tee import StreamTee

        heard = []
        print("before")
        tee = StreamTee(1, heard.append, interval=1000.0)
        tee.start()
        print("python")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        sys.stdout.write("no newline, then ")
        sys.stdout.flush()
        ctypes.CDLL(None).puts(b"C")
        tee.stop(60.0)
        print("after")
        print(repr("".join(heard)), file=sys.stderr)
        """
    )
    assert run.stdout == "before\npython\nchild\nno newline, then C\nafter\n"
    assert run.stderr == repr("python\nchild\nno newline, then C\n") + "\n"


def test_lines_are_heard_while_the_program_runs_though_its_output_is_no_terminal() -> None:
    run = run_job(
        """
        import sys, threading
        from blobpipes.external.stream_tee import StreamTee

        heard = threading.Event()
        tee = StreamTee(1, lambda text: heard.set(), interval=0.0)
        tee.start()
        print("no flush")
        assert heard.wait(60), "the line stayed in Python's buffer"
        tee.stop(60.0)
        assert not sys.stdout.line_buffering
        """
    )
    assert run.stdout == "no flush\n"


def test_a_program_that_never_stops_the_capture_loses_no_output() -> None:
    run = run_job(
        """
        from blobpipes.external.stream_tee import StreamTee

        StreamTee(1, lambda text: None, interval=1000.0).start()
        print("last words", end="")
        """
    )
    assert run.stdout == "last words"


def test_a_forked_child_can_stop_without_disturbing_its_parent() -> None:
    run = run_job(
        """
        import os, sys
        from blobpipes.external.stream_tee import StreamTee

        heard = []
        tee = StreamTee(1, heard.append, interval=1000.0)
        tee.start()
        child = os.fork()
        if child == 0:
            print("child")
            tee.stop(60.0)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent")
        tee.stop(60.0)
        print(repr("".join(heard)), file=sys.stderr)
        """,
        MAY_FORK,
    )
    assert run.stdout == "child\nparent\n"
    assert run.stderr == repr("child\nparent\n") + "\n"


def test_a_character_cut_in_two_is_held_back_until_it_is_whole() -> None:
    buffer = TextBuffer(interval=1.0)
    euro = "€".encode()
    buffer.add(b"5 " + euro[:1], now=0.0)
    assert buffer.take() == "5 "
    buffer.add(euro[1:], now=1.0)
    assert buffer.take() == "€"


def test_bytes_that_are_no_text_are_replaced_and_cost_nothing_else() -> None:
    buffer = TextBuffer(interval=1.0)
    buffer.add(b"a\xffb\xe2", now=0.0)
    assert buffer.take() == "a�b"
    assert buffer.take(final=True) == "�"


def test_text_is_due_when_it_is_old_or_big() -> None:
    buffer = TextBuffer(interval=1.0, max_bytes=4)
    assert buffer.due_in(0.0) is None
    buffer.add(b"ab", now=10.0)
    assert buffer.due_in(10.25) == 0.75
    assert buffer.due_in(12.0) == 0.0
    buffer.add(b"cd", now=10.3)
    assert buffer.due_in(10.3) == 0.0
    assert buffer.take() == "abcd"
    assert buffer.due_in(10.3) is None
