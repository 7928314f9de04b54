"""`blobpipes run`, with real jobs: what it shows, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.cli.sessions import complete

OPEN = "import os, sys\nfrom blobpipes import open_dagster_pipes\n"

Run = Callable[..., Outcome]


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Run:
    """Run a job given as source, under a session called `s`."""

    def go(source: str, *options: str) -> Outcome:
        fast = ["--url", str(tmp_path / "store"), "--session", "s", "--interval", "50ms"]
        return cli("run", *fast, *options, "--", sys.executable, "-c", OPEN + source)

    return go


def last(outcome: Outcome) -> dict[str, Any]:
    assert outcome.events[-1]["event"] == "end"
    return outcome.events[-1]


def printed(outcome: Outcome, stream: str = "stdout") -> str:
    """What the job has printed, which comes in pieces of any size."""
    pieces = [event for event in outcome.events if event["event"] == "output"]
    return "".join(piece["text"] for piece in pieces if piece["stream"] == stream)


GOOD = """
print("out before")
with open_dagster_pipes() as pipes:
    print("err within", file=sys.stderr)
    pipes.log.info("working on %s of %s", pipes.partition_key, pipes.asset_key)
    pipes.report_asset_check("limit", pipes.extras["limit"] == 10, metadata={"name": pipes.extras["name"]})
    pipes.report_asset_materialization({"rows": 3})
"""


def test_everything_that_a_job_says_is_an_event(run: Run, tmp_path: Path) -> None:
    ended = run(GOOD, "--asset", "orders", "--partition", "p-1", "--extra", "limit=10", "--extra", "name=x=y", "--json")
    messages = [event for event in ended.events if event["event"] != "output"]
    assert (ended.code, ended.err) == (0, "")
    assert [event["event"] for event in messages] == [
        *("session", "opened", "log", "check", "materialization", "closed", "end")
    ]
    assert (printed(ended, "stdout"), printed(ended, "stderr")) == ("out before\n", "err within\n")
    assert messages[0]["url"] == f"file://{tmp_path}/store/s"
    assert messages[2]["message"] == "working on p-1 of orders"
    assert (messages[3]["passed"], messages[3]["metadata"]["name"]["raw_value"]) == (True, "x=y")
    end = last(ended)
    assert (end["state"], end["exit_code"], end["messages"], end["problems"]) == ("complete", 0, 5, 0)


def test_people_read_the_same_and_a_verdict(run: Run, tmp_path: Path) -> None:
    ended = run(GOOD, "--asset", "orders", "--partition", "p-1", "--extra", "limit=9", "--extra", "name=n")
    assert ended.out.startswith(f"session file://{tmp_path}/store/s\n        partition p-1, run ")
    for text in (
        "stdout    out before\n",
        "stderr    err within\n",
        "INFO      working on p-1 of orders\n",
        "check     limit failed  name n\n",
        "result    orders materialized, 1 value\n",
        "Materialized\nasset   metadata  value\norders  rows      3\n",
        "Checks\ncheck  outcome  evidence\nlimit  failed   name n\n",
        "✔ complete  5 messages, 1 materialization, 1 check (1 failed), ",
    ):
        assert text in ended.out


def test_the_jobs_exit_code_is_passed_on(run: Run) -> None:
    ended = run("with open_dagster_pipes(): pass\nsys.exit(7)", "--json")
    assert (ended.code, last(ended)["state"], last(ended)["exit_code"]) == (7, "complete", 7)
    assert last(ended)["process"].endswith("exited with code 7")


def test_a_signal_that_ended_the_job_is_told_as_a_shell_does(run: Run) -> None:
    ended = run("with open_dagster_pipes(): os.kill(os.getpid(), 9)", "--json")
    assert (ended.code, last(ended)["state"], last(ended)["exit_code"]) == (137, "truncated", 137)
    assert "killed by SIGKILL" in last(ended)["process"]


def test_an_exception_is_shown_once_and_fails_the_run(run: Run) -> None:
    ended = run("with open_dagster_pipes(): raise ValueError('no rows')")
    assert ended.code == 1
    assert ended.out.count("Traceback (most recent call last)") == 1
    assert "closed    with ValueError: no rows\n" in ended.out
    assert "✘ failed  2 messages" in ended.out


def test_an_exception_fails_the_run_though_the_job_exits_with_0(run: Run) -> None:
    ended = run("try:\n    with open_dagster_pipes(): raise ValueError('no rows')\nexcept ValueError: pass")
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.out  # nobody else has printed it
    assert "ValueError: no rows" in ended.out


def test_a_job_that_exits_with_0_without_closing_is_incomplete(run: Run) -> None:
    ended = run("pipes = open_dagster_pipes().__enter__()\nos._exit(0)", "--json")
    assert (ended.code, last(ended)["state"], last(ended)["exit_code"]) == (65, "truncated", 0)


def test_a_job_that_never_opened_its_session_is_told_what_to_check(run: Run) -> None:
    ended = run("print('hello')")
    assert ended.code == 65
    assert "✘ truncated  0 messages" in ended.out
    assert "not one message of it came." in ended.out
    assert "Check that the program calls open_dagster_pipes()" in ended.out


def test_nothing_that_a_talkative_job_prints_is_lost(run: Run) -> None:
    ended = run("with open_dagster_pipes():\n    for i in range(20_000): print(i, 'ä')", "--json")
    assert printed(ended) == "".join(f"{i} ä\n" for i in range(20_000))


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_child_that_keeps_the_output_open_is_not_waited_for(cli: Cli, tmp_path: Path) -> None:
    # it ends by itself when nobody reads any more: its number may by then be another process'
    monologue = "echo hello; (while [ $SECONDS -lt 90 ] && echo again; do read -t 0.01 x < /dev/zero; done) &"
    begun = time.monotonic()
    ended = cli("run", "--url", tmp_path, "--json", "--", "bash", "-c", monologue)
    assert printed(ended).startswith("hello\n")
    assert time.monotonic() - begun < 60


def test_captured_output_is_shown_once_here_and_stands_in_the_session(run: Run, cli: Cli, tmp_path: Path) -> None:
    job = "with open_dagster_pipes() as pipes:\n    print('hello')\n    pipes.log.info('x')"
    ended = run(job, "--capture", "--json")
    assert (printed(ended), printed(cli("show", tmp_path / "store", "--json"))) == ("hello\n", "hello\n")


FOREIGN = """
import base64, json, pathlib, zlib
params = json.loads(zlib.decompress(base64.b64decode(os.environ["DAGSTER_PIPES_MESSAGES"])))
message = '{"__dagster_pipes_version": "0.1", "method": "%s", "params": {}}'
folder = pathlib.Path(params["path"])
folder.mkdir(exist_ok=True)
(folder / "1.json").write_text("\\n".join([message % "opened", "noise", message % "dance", message % "closed"]))
"""


def test_faults_of_a_foreign_writer_are_named_as_they_come(run: Run) -> None:
    ended = run(FOREIGN, "--json")
    assert ended.kinds() == ["session", "opened", "problem", "problem", "closed", "end"]
    texts = [(event["kind"], event["text"], event["chunk"]) for event in ended.events[2:4]]
    assert texts == [("malformed", "not a message: 'noise'", 1), ("malformed", "unknown method 'dance'", 1)]
    assert (ended.code, last(ended)["state"], last(ended)["problems"]) == (0, "complete", 2)


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_job_is_run_to_its_end_though_nobody_reads_its_output_any_more(
    cli: Cli, tmp_path: Path, options: list[str]
) -> None:
    talk = "for i in range(50_000): print(i)\n"
    job = f"{talk}with open_dagster_pipes() as pipes: pipes.log.info('done')\nsys.exit(3)"
    command = [sys.executable, "-m", "blobpipes", "run", "--url", f"{tmp_path}?interval=50ms", *options]
    with subprocess.Popen(
        [*command, "--", sys.executable, "-c", OPEN + job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 3
    assert [event["message"] for event in cli("show", tmp_path, "--json").events if event["event"] == "log"] == ["done"]


# --- what cannot be run -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--url", "{}", "--", "no-such-program"], 127, "command not found: 'no-such-program'"),
        (["--url", "{}", "--", "{}/script.py"], 126, "script.py' is not executable"),
        (["--url", "{}", "--"], 64, "no command was given"),
        (["--url", "{}"], 64, "no command was given"),
        (["--", "true"], 64, "no storage URL was given"),
        (["--url", "{}", "--extra", "limit", "--", "true"], 64, "'limit' is not NAME=VALUE"),
        (["--url", "{}", "--interval", "2 weeks", "--", "true"], 64, "option interval='2 weeks' is not a duration"),
        (["--url", "{}", "--session", "a b", "--", "true"], 64, "'a b' cannot name a session"),
        (["--url", "{}", "--session", "taken", "--", "true"], 73, "already exists"),
        (["--url", "{}/script.py", "--", "true"], 77, "(Not a directory)"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line_with_a_remedy(
    cli: Cli, tmp_path: Path, argv: list[str], code: int, message: str
) -> None:
    (tmp_path / "script.py").write_text("")
    complete(tmp_path, "taken")
    ended = cli("run", *[each.replace("{}", str(tmp_path)) for each in argv])
    assert ended.code == code
    first, second, *more = ended.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("  remedy: ")
    assert more == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "taken"]  # nothing was opened


# --- being stopped ------------------------------------------------------------------------------------

PATIENT = """
import time
with open_dagster_pipes() as pipes:
    pipes.log.info("waiting")
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_stops_its_job_and_still_ends_with_a_verdict(
    cli: Cli, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-m", "blobpipes", "run", "--url", f"{tmp_path}?interval=50ms", "--json", "--"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", OPEN + PATIENT], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        before = [json.loads(next(lines))["event"] for _ in range(3)]
        process.send_signal(number)
        after = [json.loads(line) for line in lines]
    assert before == ["session", "opened", "log"]
    closed, end = [event for event in after if event["event"] != "output"]
    assert closed["exception"]["name"] == "KeyboardInterrupt"
    assert (end["event"], end["state"], end["problems"]) == ("end", "failed", 0)
    assert process.returncode == code
