"""What a job prints, as messages: in order, whole, and before `closed`."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, DagsterPipesWarning
from blobpipes.external.channels import PipesFileMessageWriterChannel, PipesMessageWriterChannel
from blobpipes.external.log_capture import PipesDefaultLogWriterChannel, PipesStdioFileLogWriter
from tests.external.launching import bootstrap, messages_in, messages_of, methods, negotiated, run_job, text_of

JOB = """
import os, subprocess, sys
from blobpipes.external.open import open_dagster_pipes

print("before the pipe")
with open_dagster_pipes() as context:
    print("from python")
    print("é and 😀", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import sys; print('child'); print('child err', file=sys.stderr)"])
    context.log.info("a message")
    os.write(1, b"without a newline")
print(" after the pipe")
"""


def run_captured(tmp_path: Path, flavour: str, job: str = JOB, **kwargs: Any) -> tuple[Any, list[dict[str, Any]]]:
    messages: dict[str, Any] = {"path": str(tmp_path / "messages")}
    if flavour == "chunks":
        messages = negotiated(tmp_path / "messages")
    run = run_job(job, bootstrap({**messages, "include_stdio_in_messages": True}), **kwargs)
    if flavour == "chunks":
        return run, messages_in(tmp_path / "messages")
    return run, messages_of((tmp_path / "messages").read_text().splitlines())


@pytest.mark.parametrize("flavour", ["file", "chunks"])
def test_python_and_its_children_are_captured_and_closed_is_last(tmp_path: Path, flavour: str) -> None:
    _, messages = run_captured(tmp_path, flavour)
    assert text_of(messages, "stdout") == "from python\nchild\nwithout a newline"
    assert text_of(messages, "stderr") == "é and 😀\nchild err\n"
    assert methods(messages)[0] == "opened"
    assert methods(messages)[-1] == "closed"
    assert methods(messages).count("closed") == 1


def test_the_original_streams_still_receive_everything(tmp_path: Path) -> None:
    run, _ = run_captured(tmp_path, "chunks")
    assert run.stdout == "before the pipe\nfrom python\nchild\nwithout a newline after the pipe\n"
    assert run.stderr == "é and 😀\nchild err\n"


def test_the_output_of_a_failing_job_is_sent_too(tmp_path: Path) -> None:
    job = """
    from blobpipes.external.open import open_dagster_pipes

    with open_dagster_pipes():
        print("last words", end="")
        raise ValueError("no rows")
    """
    _, messages = run_captured(tmp_path, "chunks", job, status=1)
    assert text_of(messages, "stdout") == "last words"
    assert messages[-1]["params"]["exception"]["name"] == "ValueError"


def test_a_child_that_outlives_the_job_does_not_delay_the_end(tmp_path: Path) -> None:
    job = """
    import subprocess, sys
    from blobpipes.external.open import open_dagster_pipes

    with open_dagster_pipes():
        print("job")
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.poll() is None
    child.communicate(b"go\\n")
    """
    _, messages = run_captured(tmp_path, "chunks", job)
    assert text_of(messages, "stdout") == "job\n"
    assert methods(messages)[-1] == "closed"


def test_a_child_that_never_stops_printing_does_not_delay_the_end(tmp_path: Path) -> None:
    job = """
    import subprocess, sys
    from blobpipes.external.open import open_dagster_pipes

    flood = "import sys\\nwhile True: sys.stdout.write('x' * 1000)"
    with open_dagster_pipes() as context:
        child = subprocess.Popen([sys.executable, "-c", flood])
        context.log.info("job")
    child.kill()
    child.wait()
    """
    _, messages = run_captured(tmp_path, "chunks", job)
    assert methods(messages)[-1] == "closed"


def test_the_engines_own_warnings_reach_the_original_stderr_and_are_not_captured(tmp_path: Path) -> None:
    job = """
    import sys
    from blobpipes.errors import StoreDeniedError, UndeliveredError
    from blobpipes.external.blob_store_channel import PipesBlobStoreMessageWriterChannel
    from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
    from blobpipes.external.open import open_dagster_pipes

    class Channel(PipesBlobStoreMessageWriterChannel):
        def upload_messages_chunk(self, payload, index):
            raise StoreDeniedError("no permission")

    class Writer(PipesBlobStoreMessageWriter):
        def make_channel(self, params):
            return Channel()

    try:
        with open_dagster_pipes(message_writer=Writer(close_timeout=1)):
            print("job")
    except UndeliveredError as error:
        print(error.count, file=sys.stderr)
    """
    run = run_job(job, bootstrap({"include_stdio_in_messages": True}))
    assert "messages wait" in run.stderr
    assert run.stderr.endswith("\n3\n")  # opened, the printed line, closed: the warning is none of them


def test_a_second_pipe_in_the_same_process_captures_anew(tmp_path: Path) -> None:
    job = """
    import sys
    from blobpipes.external.open import open_dagster_pipes
    from blobpipes.external.params_loaders import PipesMappingParamsLoader
    from tests.external.launching import bootstrap, negotiated

    for name in sys.argv[1:]:
        messages = {"path": name, "include_stdio_in_messages": True}
        with open_dagster_pipes(params_loader=PipesMappingParamsLoader(bootstrap(messages))):
            print(name)
    """
    paths = [str(tmp_path / name) for name in ("one", "two")]
    run = run_job(job, {"PYTHONPATH": os.pathsep.join([str(Path("src").absolute()), str(Path.cwd())])}, *paths)
    assert run.stdout == "".join(f"{path}\n" for path in paths)
    for path in paths:
        assert text_of(messages_of(Path(path).read_text().splitlines()), "stdout") == f"{path}\n"


def test_a_log_writers_params_are_passed_to_it_and_files_are_written(tmp_path: Path) -> None:
    job = """
    import os, sys
    from blobpipes.external.log_capture import PipesStdioFileLogWriter

    with PipesStdioFileLogWriter().open({"logs_dir": sys.argv[1]}):
        print("to a file")
        print("to another", file=sys.stderr)
    """
    run_job(job, None, str(tmp_path / "logs"))
    assert (tmp_path / "logs" / "stdout").read_text() == "to a file\n"
    assert (tmp_path / "logs" / "stderr").read_text() == "to another\n"
    with pytest.raises(DagsterPipesError, match="logs_dir"), PipesStdioFileLogWriter().open({}):
        pass


class Stuck(PipesMessageWriterChannel):
    """A channel that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def write_message(self, message: Any) -> None:
        self.release.wait(60.0)


def test_a_channel_that_takes_nothing_does_not_hold_the_end_up_for_ever(capfd: pytest.CaptureFixture[str]) -> None:
    channel = Stuck()
    capturing = PipesDefaultLogWriterChannel(channel, "stdout", "test", interval=0.0)
    capturing.drain_timeout = 0.05
    with capturing.capture():
        os.write(1, b"text")
    channel.release.set()
    captured = capfd.readouterr()
    assert captured.out == "text"
    assert "not delivered" in captured.err


def test_a_system_without_poll_is_told_that_nothing_is_captured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(select, "poll")
    channel = PipesFileMessageWriterChannel(str(tmp_path / "messages"))
    capturing = PipesDefaultLogWriterChannel(channel, "stdout", "test", interval=1.0)
    with pytest.warns(DagsterPipesWarning, match="stdout is not captured"), capturing.capture():
        pass


def test_there_are_only_two_streams(tmp_path: Path) -> None:
    channel = PipesFileMessageWriterChannel(str(tmp_path / "messages"))
    with pytest.raises(DagsterPipesError, match="'stdlog'"):
        PipesDefaultLogWriterChannel(channel, "stdlog", "test", interval=1.0)  # type: ignore[arg-type]
