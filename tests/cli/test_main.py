"""The command itself: fast help, one-line errors, quiet endings, and no secret anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.cli.main import COMMANDS, main
from blobpipes.wire.messages import closed, log, opened
from tests.cli.conftest import Cli
from tests.cli.sessions import StoredSession, complete

CANARY = "geheim-4711"
ROOT = Path(__file__).parents[2]


def python(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "", **(env or {})}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


# --- help and version ---------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_without_a_command_all_of_them_are_shown(cli: Cli, argv: list[str]) -> None:
    ended = cli(*argv)
    assert (ended.code, ended.err) == (0, "")
    assert all(f"    {name} " in ended.out and summary in ended.out for name, summary in COMMANDS.items())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples_in_80_columns(cli: Cli, command: str) -> None:
    ended = cli(command, "--help")
    assert ended.code == 0
    assert f"  blobpipes {command}" in ended.out.partition("examples:")[2]
    assert max(map(len, ended.out.splitlines())) <= 80


LOADED = """
import contextlib, io, sys
from blobpipes.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(sys.argv[1:]) == 0
print(*sorted(name for name in sys.modules if name.startswith("blobpipes")))
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"blobpipes"}))
"""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_but_the_parser(command: str) -> None:
    """That is what makes it fast: a twentieth of a second beyond Python itself."""
    ours, others = python(
        "-IS",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n{LOADED}",
        *filter(None, [command, "--help"]),
    ).stdout.splitlines()
    expected = {"blobpipes", "blobpipes.cli", "blobpipes.cli.arguments", "blobpipes.cli.main", "blobpipes.cli.quiet"}
    own = {f"blobpipes.cli.{command}", "blobpipes.cli.workloads"}  # the latter: arguments that two commands share
    assert set(ours.split()) - own == expected
    assert set(others.split()) <= {"__main__", "_distutils_hack"}


def test_looking_loads_neither_the_jobs_side_nor_a_terminal_nor_a_file_system(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    ours, others = python("-c", LOADED, "show", str(tmp_path)).stdout.splitlines()
    assert not [name for name in ours.split() if name.startswith(("blobpipes.external", "blobpipes.clients"))]
    assert not {"rich", "fsspec"} & set(others.split())


def test_the_version_is_told(cli: Cli) -> None:
    ended = cli("--version")
    assert ended.code == 0
    assert ended.out.startswith("blobpipes ")


def test_the_module_is_the_command(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    done = python("-m", "blobpipes", "ls", str(tmp_path), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["state"] == "complete"


def test_a_terminal_that_knows_only_ascii_gets_the_rest_as_question_marks(tmp_path: Path) -> None:
    complete(tmp_path, "s")
    done = python("-m", "blobpipes", "show", str(tmp_path), env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "? complete  9 messages" in done.stdout


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "error", "remedy"),
    [
        (["dance"], 64, "argument COMMAND: invalid choice: 'dance'", "See `blobpipes --help`."),
        (["ls", "--jsn"], 64, "unrecognized arguments: --jsn", "See `blobpipes --help`."),
        (["ls", "--limit", "x", "u"], 64, "argument --limit: invalid int value: 'x'", "See `blobpipes ls --help`."),
        (["ls", "s4://bucket/p"], 64, "no file system serves s4:// URLs", "Did you mean s3:// or gs://?"),
        (["ls", "s3:///p"], 64, "the URL s3://... names no bucket", "Give a storage URL such as"),
        (["ls", "s3:/b"], 64, "'s3:/b' is neither a URL nor a plain path", "Write s3://... for a URL"),
        (["ls", "{}?intervall=2s"], 64, "unknown option 'intervall'; did you mean 'interval'?", "Known options:"),
        (["ls", "{}?interval=2kg"], 64, "option interval='2kg' is not a duration", "Write for instance 10s"),
        (["ls", "oci://bucket@space/p"], 78, "oci:// needs a package that is not installed", ""),
        (["show", "{}"], 66, "there is no session under file://", "Check the URL; `blobpipes ls URL` shows"),
        (["tail", "{}", "s"], 66, "there is no session under file://", ""),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy_and_a_code_of_its_own(
    cli: Cli, tmp_path: Path, argv: list[str], code: int, error: str, remedy: str
) -> None:
    ended = cli(*[each.replace("{}", str(tmp_path)) for each in argv])
    first, second, *more = ended.err.splitlines()
    assert (ended.code, ended.out, more) == (code, "", [])
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith(f"  remedy: {remedy}")


@pytest.mark.parametrize("how", ["-v", "BLOBPIPES_DEBUG"])
def test_where_an_error_came_from_is_shown_on_request(cli: Cli, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    options = ["-v"] if how == "-v" else []
    assert "Traceback" not in cli("ls", "s4://x").err
    monkeypatch.setenv("BLOBPIPES_DEBUG", "" if options else "1")
    assert cli("ls", "s4://x", *options).err.startswith("Traceback (most recent call last)")


def test_a_fault_of_our_own_is_no_traceback_either(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("blobpipes.orchestration.catalog.SessionCatalog.summaries", fail)
    ended = cli("ls", tmp_path)
    assert ended.code == 70
    assert ended.err == "error: unexpected ZeroDivisionError: oh\n  remedy: Please report this with what `-v` shows.\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["ls", f"s4://user:{CANARY}@host/p"],
        ["ls", f"memory://user:{CANARY}@place/p"],
        ["show", f"memory://user:{CANARY}@place/p"],
        ["tail", f"oci://user:{CANARY}@host/p"],
        ["ls", f"s3://key:{CANARY}@bucket/p"],
        ["run", "--url", f"memory://user:{CANARY}@place/p?interval=50ms", "--", sys.executable, "-c", "pass"],
        ["run", "--json", "--url", f"memory://user:{CANARY}@place/q?interval=50ms", "--", sys.executable, "-c", "pass"],
    ],
)
def test_a_password_in_the_url_is_printed_nowhere(cli: Cli, argv: list[str]) -> None:
    command, _, job = " ".join(argv).partition(" -- ")
    ended = cli(*command.split(), "-v", *(["--", *argv[argv.index("--") + 1 :]] if job else []))
    assert ended.out + ended.err != ""
    assert CANARY not in ended.out + ended.err


# --- endings ------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_whoever_stops_reading_is_left_in_peace(tmp_path: Path, options: list[str]) -> None:
    session = StoredSession(tmp_path, "s").describe()
    session.chunk(opened(), *[log("x" * 100, "INFO")] * 5000, closed(), marks=[Flag.END])
    command = [sys.executable, "-m", "blobpipes", "show", str(tmp_path), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_tail_with_a_word_and_no_traceback(tmp_path: Path) -> None:
    StoredSession(tmp_path, "s").describe().chunk(opened(), marks=[Flag.OPEN])
    command = [sys.executable, "-m", "blobpipes", "tail", f"{tmp_path}?interval=50ms", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "opened" not in process.stdout.readline():
            pass
        process.send_signal(2)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_was_closed_from_the_start_is_no_error(tmp_path: Path, closed: str) -> None:
    command = f"'{sys.executable}' -m blobpipes ls '{tmp_path}' {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_while_the_command_is_being_loaded_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blobpipes.cli.main.import_module", interrupted)
    assert main(["ls", "."]) == 130
    assert capsys.readouterr().err == ""
