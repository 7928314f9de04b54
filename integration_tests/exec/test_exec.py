"""`blobpipes exec` with real programs: shells, Python with either library, killed ones, deaf ones, noisy ones."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from blobpipes.chunklog.header import reader_seal
from integration_tests.exec.supervised import PYTHON, Place, arguments, python, run, sh
from integration_tests.waiting import WAIT, wait_for
from tests.external.launching import chunks_in, methods, text_of

TELL = 'echo "{\\"method\\":\\"log\\",\\"params\\":{\\"message\\":\\"%s\\"}}" >> "$BLOBPIPES_MESSAGES_FILE"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Start(Protocol):
    def __call__(self, *command: str, **environment: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Starts a supervised program and waits until it has printed `ready`."""
    with ExitStack() as jobs:

        def start_one(*command: str, **environment: str) -> subprocess.Popen[str]:
            job = jobs.enter_context(
                subprocess.Popen(
                    arguments(*command),
                    env={**place.environment(), **environment},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            jobs.callback(job.kill)
            assert job.stdout is not None
            assert job.stdout.readline().strip() == "ready"
            return job

        yield start_one


# --- reporting ----------------------------------------------------------------------------------------


def test_a_shell_script_reports_a_materialization_with_two_lines(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        "#!/bin/sh\n"
        "rows=3\n"
        'echo \'{"method":"report_asset_materialization","params":{"metadata":{"rows":\'$rows\'}}}\' '
        '>> "$BLOBPIPES_MESSAGES_FILE"\n'
    )
    script.chmod(0o755)
    run(place, str(script))
    assert methods(place.messages) == ["opened", "report_asset_materialization", "closed"]
    assert place.messages[1]["params"]["asset_key"] == "orders"
    assert place.messages[1]["params"]["metadata"]["rows"]["raw_value"] == 3
    assert place.exception is None
    assert place.left == []


def test_a_bad_line_is_named_and_the_others_count(place: Place) -> None:
    run(place, *sh(TELL % "one" + 'echo "{oops" >> "$BLOBPIPES_MESSAGES_FILE"\n' + TELL % "two"))
    one, warning, two = place.texts
    assert (one, two) == ("one", "two")
    assert "it is not JSON" in warning
    assert "{oops" in warning
    assert [each["params"].get("level") for each in place.messages] == [None, "INFO", "WARNING", "INFO", None]


@pytest.mark.parametrize("library", ["blobpipes", "dagster_pipes"])
def test_a_library_in_the_program_works_unchanged_and_its_exception_is_kept(place: Place, library: str) -> None:
    pytest.importorskip(library)
    source = f"""
    from {library} import open_dagster_pipes
    with open_dagster_pipes() as pipes:
        pipes.log.info("from the library")
        pipes.report_asset_materialization(metadata={{"rows": 3}})
        raise ValueError("a bad row")
    """
    run(place, *python(source), status=1)
    assert methods(place.messages) == ["opened", "log", "report_asset_materialization", "closed"]
    assert place.messages[0]["params"]["extras"]["supervisor"]["program"] == Path(PYTHON).name
    assert place.exception["name"] == "ValueError"
    assert place.exception["stack"]


def test_several_processes_with_the_library_are_one_run(place: Place) -> None:
    job = python('import blobpipes\nwith blobpipes.open_dagster_pipes() as p: p.log.info("hello")')[2]
    run(place, *sh(f"'{PYTHON}' -c '{job}' & '{PYTHON}' -c '{job}'; wait"))
    assert methods(place.messages) == ["opened", "log", "log", "closed"]
    assert place.exception is None


def test_a_hundred_thousand_lines_in_a_moment_arrive_in_order(place: Place) -> None:
    source = """
    import json, os
    with open(os.environ["BLOBPIPES_MESSAGES_FILE"], "a") as file:
        for number in range(100_000):
            file.write(json.dumps({"method": "log", "params": {"message": str(number)}}) + "\\n")
    """
    run(place, *python(source))
    assert place.texts == [str(number) for number in range(100_000)]


def test_writers_that_append_at_once_lose_no_line(place: Place) -> None:
    source = """
    import json, os, sys
    for number in range(2000):
        line = json.dumps({"method": "report_custom_message", "params": {"payload": [sys.argv[1], number, "x" * 500]}})
        with open(os.environ["BLOBPIPES_MESSAGES_FILE"], "ab", buffering=0) as file:
            file.write(line.encode() + b"\\n")
    """
    Path(place.root / "writer.py").write_text(python(source)[2])
    one = f"'{PYTHON}' '{place.root}/writer.py'"
    run(place, *sh(f"{one} a & {one} b & {one} c & {one} d & wait"))
    payloads = [each["params"]["payload"] for each in place.messages if each["method"] == "report_custom_message"]
    assert sorted(payload[:2] for payload in payloads) == [[who, n] for who in "abcd" for n in range(2000)]
    assert [payload[1] for payload in payloads if payload[0] == "a"] == list(range(2000))


def test_a_message_of_many_megabytes_arrives(place: Place) -> None:
    source = """
    import json, os
    with open(os.environ["BLOBPIPES_MESSAGES_FILE"], "a") as file:
        file.write(json.dumps({"method": "report_custom_message", "params": {"payload": "x" * 20_000_000}}) + "\\n")
        file.write(json.dumps({"method": "report_custom_message", "params": {"payload": "x" * 40_000_000}}) + "\\n")
        file.write(json.dumps({"method": "log", "params": {"message": "after"}}))
    """
    run(place, *python(source))
    assert methods(place.messages) == ["opened", "report_custom_message", "log", "log", "closed"]
    assert len(place.messages[1]["params"]["payload"]) == 20_000_000
    assert "above the limit" in place.texts[0]
    assert place.texts[1] == "after"  # without a newline, as nobody will complete it


# --- output -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stdio", [True, False])
def test_output_is_passed_through_and_sent_if_asked_for(place: Place, stdio: bool) -> None:
    done = run(place, *sh("echo out; echo err >&2"), environment=place.environment(stdio=stdio))
    assert done.stdout == "out\n"
    assert done.stderr == "err\n"
    assert text_of(place.messages, "stdout") == ("out\n" if stdio else "")
    assert text_of(place.messages, "stderr") == ("err\n" if stdio else "")


def test_standard_input_is_the_programs(place: Place) -> None:
    done = subprocess.run(
        arguments("cat"),
        env=place.environment(),
        input="hello",
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=True,
    )
    assert done.stdout == "hello"


def test_a_grandchild_that_keeps_the_pipes_open_delays_nothing(place: Place) -> None:
    command = sh("sleep 600 & echo $!; exit 4")
    with subprocess.Popen(
        arguments(*command), env=place.environment(stdio=True), stdout=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        grandchild = int(job.stdout.readline())
        try:
            assert job.wait(WAIT) == 4
        finally:
            os.kill(grandchild, signal.SIGKILL)
    assert text_of(place.messages, "stdout") == f"{grandchild}\n"
    assert place.exception["message"] == "exited with code 4"


# --- how it ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 3, 255])
def test_the_exit_code_is_kept_and_reported(place: Place, code: int) -> None:
    run(place, *sh(f"exit {code}"), status=code)
    assert (place.exception["name"], place.exception["message"]) == ("ProcessFailed", f"exited with code {code}")
    assert place.left == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM"])
def test_a_program_that_a_signal_ends_is_reported_so(place: Place, name: str) -> None:
    run(place, *sh(TELL % "last words" + f"kill -{name.removeprefix('SIG')} $$"), status=128 + signal.Signals[name])
    assert (place.exception["name"], place.exception["message"]) == ("ProcessKilled", f"killed by {name}")
    assert place.texts == ["last words"]


def test_no_such_command_and_one_that_cannot_be_run(place: Place, tmp_path: Path) -> None:
    done = run(place, "no-such-program", status=127)
    assert "command not found: 'no-such-program'" in done.stderr
    assert place.exception["message"] == "command not found: 'no-such-program'"
    second = Place(tmp_path / "second")
    second.root.mkdir()
    (tmp_path / "data").write_text("")
    run(second, str(tmp_path / "data"), status=126)
    assert "is not executable" in second.exception["message"]


def test_what_a_killed_program_has_written_arrives_however_suddenly_it_ends(place: Place, start: Start) -> None:
    source = """
    import json, os
    print("ready", flush=True)
    said = open("%s/said", "wb", buffering=0)
    with open(os.environ["BLOBPIPES_MESSAGES_FILE"], "ab", buffering=0) as file:
        number = 0
        while True:
            file.write(json.dumps({"method": "log", "params": {"message": str(number)}}).encode() + b"\\n")
            said.write(b"x")
            number += 1
    """
    chance = random.Random(7)
    for round_number in range(5):
        here = Place(place.root / str(round_number))
        here.root.mkdir()
        job = start(*python(source % here.root), **here.environment())
        threading.Event().wait(chance.uniform(0, 0.5))
        here.kill_program()
        assert job.wait(WAIT) == 128 + signal.SIGKILL
        said = (here.root / "said").stat().st_size
        numbers = [text for text in here.texts if not text.startswith("blobpipes exec")]
        assert numbers == [str(number) for number in range(len(numbers))]
        assert said <= len(numbers) <= said + 1
        assert here.exception["message"] == "killed by SIGKILL"


def test_sigterm_reaches_the_program_and_its_children_and_what_was_said_is_sent(place: Place, start: Start) -> None:
    job = start(*sh("trap 'kill %1; exit 9' TERM; " + TELL % "one" + "sleep 600 & echo ready; wait"))
    job.terminate()
    assert job.wait(WAIT) == 9
    assert place.texts == ["one"]
    assert place.exception["message"] == "exited with code 9"


def test_a_program_that_ignores_sigterm_is_killed_within_the_grace(place: Place, start: Start) -> None:
    script = "trap '' TERM; " + TELL % "one" + "echo ready; while :; do sleep 0.2; done"
    job = start(*sh(script), BLOBPIPES_TERM_GRACE="8")
    job.terminate()
    assert job.wait(WAIT) == 128 + signal.SIGKILL
    assert place.texts == ["one"]
    (chunk,) = [chunk for chunk in chunks_in(place.log) if '"one"' in chunk]
    assert "closed" not in chunk  # it was sent at once, not after the program's end
    assert place.exception["message"] == "killed by SIGKILL, because SIGTERM did not end it within 6 s"
    assert place.left == []


@pytest.mark.parametrize("name", ["INT", "HUP", "QUIT", "USR1", "USR2"])
def test_other_signals_are_the_programs_affair(place: Place, start: Start, name: str) -> None:
    job = start(*python(
        f"import signal, sys, threading\n"
        f"signal.signal(signal.SIG{name}, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\nthreading.Event().wait(600)"
    ))  # fmt: skip
    job.send_signal(signal.Signals[f"SIG{name}"])
    assert job.wait(WAIT) == 5
    assert place.exception["message"] == "exited with code 5"


def test_a_signal_that_we_were_started_to_ignore_stays_ignored(place: Place) -> None:
    script = 'trap "" HUP; "$0" -m blobpipes exec -- sh -c "kill -HUP \\$PPID; kill -HUP \\$\\$; exit 6"'
    done = subprocess.run(["sh", "-c", script, PYTHON], env=place.environment(), timeout=WAIT, check=False)
    assert done.returncode == 6


def test_a_program_whose_session_has_ended_is_told_to_end_and_the_code_says_so(place: Place) -> None:
    place.log.mkdir()
    (place.log / "1.json").write_bytes(reader_seal(1, "reader", {}, 1))
    done = run(place, *sh("trap 'exit 0' TERM; while :; do " + TELL % "tick" + "sleep 0.2; done"), status=75)
    assert done.stderr.count("the program is told to end") == 1
    assert "had already ended" in done.stderr


@pytest.mark.parametrize("joint", [" ", "="])
def test_params_among_the_arguments_are_led_to_the_supervisor_too(place: Place, joint: str) -> None:
    names = {"DAGSTER_PIPES_CONTEXT": "--dagster-pipes-context", "DAGSTER_PIPES_MESSAGES": "--dagster-pipes-messages"}
    environment = place.environment()
    params = [f"{option}{joint}{environment.pop(name)}" for name, option in names.items()]
    source = """
    from blobpipes import PipesCliArgsParamsLoader, open_dagster_pipes
    with open_dagster_pipes(params_loader=PipesCliArgsParamsLoader()) as pipes:
        pipes.log.info("hello")
    """
    run(place, *python(source), *" ".join(params).split(" "), environment=environment)
    assert methods(place.messages) == ["opened", "log", "closed"]
    assert "supervisor" in place.messages[0]["params"]["extras"]


# --- without an orchestrator, and without a store -----------------------------------------------------


def test_not_launched_the_program_is_run_all_the_same_and_its_messages_are_shown(place: Place) -> None:
    done = run(place, *sh(TELL % "one" + "echo out; exit 3"), environment=place.environment(launched=False), status=3)
    assert done.stdout == "out\n"
    assert done.stderr.count("not launched by an orchestration process") == 1
    assert "INFO one" in done.stderr
    assert place.left == []


def test_damaged_params_are_told_and_nothing_is_run(place: Place) -> None:
    environment = {**place.environment(), "DAGSTER_PIPES_MESSAGES": "damaged"}
    done = run(place, *sh("echo ran"), environment=environment, status=64)
    assert done.stdout == ""
    assert "DAGSTER_PIPES_MESSAGES" in done.stderr


def unreachable(place: Place) -> dict[str, str]:
    """The log's folder cannot be made, because a file stands where its parent would be."""
    place.log.write_text("in the way")
    return place.environment(close_timeout=1)


def resend(place: Place, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-m", "blobpipes", "resend", *arguments]
    done = subprocess.run(
        command, env=place.environment(launched=False), capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done


def test_what_could_not_be_sent_is_kept_told_and_resent_with_its_end(place: Place) -> None:
    done = run(place, *sh(TELL % "one"), environment=unreachable(place), status=75)
    (folder,) = place.left
    assert f"blobpipes resend {folder}" in done.stderr
    assert str(folder) in resend(place, "--list").stdout
    assert resend(place, "--timeout", "1s", status=75).stderr.count("remedy") == 1
    place.log.unlink()
    (event,) = map(json.loads, resend(place, str(folder), "--json").stdout.splitlines())
    assert (event["event"], event["state"], event["messages"]) == ("leftover", "delivered", 3)
    assert methods(place.messages) == ["opened", "log", "closed"]
    assert place.left == []
    assert "nothing is left" in resend(place).stdout


def test_whoever_does_not_want_to_wait_for_the_store_leaves_with_all_on_disk(place: Place, start: Start) -> None:
    place.log.write_text("in the way")
    job = start(*sh(TELL % "one" + "echo ready"))
    wait_for(lambda: b"closed" in b"".join(path.read_bytes() for path in place.spool.glob("*/*.seg")))
    job.send_signal(signal.SIGINT)
    assert job.wait(WAIT) == 130
    assert job.stderr is not None
    assert "interrupted before all was sent" in job.stderr.read()
    place.log.unlink()
    resend(place)
    assert methods(place.messages) == ["opened", "log", "closed"]
    assert place.left == []


def test_a_place_that_cannot_be_understood_leaves_nothing_behind(place: Place) -> None:
    environment = {**place.environment(), "BLOBPIPES_URL": "file:///x?intervall=2s"}
    done = run(place, *sh("echo ran"), environment=environment, status=64)
    assert "did you mean 'interval'" in done.stderr
    assert done.stdout == ""
    assert place.left == []


def test_the_programs_own_failure_counts_more_than_ours(place: Place) -> None:
    done = run(place, *sh("exit 3"), environment=unreachable(place), status=3)
    assert "were not delivered" in done.stderr


def test_after_sigkill_of_the_supervisor_resend_delivers_everything_once(place: Place, start: Start) -> None:
    """Also what the program went on to say, and lines half taken."""
    source = """
    import json, os, sys
    with open(os.environ["BLOBPIPES_MESSAGES_FILE"], "ab", buffering=0) as file:
        print("ready", flush=True)
        for number in range(20_000):
            file.write(json.dumps({"method": "log", "params": {"message": str(number)}}).encode() + b"\\n")
    open("%s/done", "w").close()
    """
    chance = random.Random(3)
    for round_number in range(3):  # tests/external/test_resending.py has every point of death
        here = Place(place.root / str(round_number))
        here.root.mkdir()
        job = start(*python(source % here.root), **here.environment(stdio=round_number % 2 == 1))
        threading.Event().wait(chance.uniform(0, 0.4))
        job.kill()
        job.wait(WAIT)
        wait_for((here.root / "done").exists)
        wait_for(lambda here=here: "alive" not in resend(here, "--list").stdout)  # type: ignore[misc]
        resend(here)
        assert here.texts == [str(number) for number in range(20_000)]
        assert methods(here.messages)[0] == "opened"
        assert methods(here.messages).count("opened") == 1
        assert "closed" not in methods(here.messages)  # nobody has seen how it ended
        assert here.left == []


def test_resend_leaves_alone_what_a_running_process_keeps(place: Place, start: Start) -> None:
    job = start(*sh(TELL % "one" + "echo ready; sleep 600"))
    assert "alive" in resend(place, "--list").stdout
    resend(place)
    folder = next(path for path in place.left if not path.name.startswith("exec-"))
    resend(place, str(folder), status=75)
    assert "left alone" in resend(place).stdout
    job.terminate()
    assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert place.texts == ["one"]


def test_resend_says_when_the_log_has_ended_meanwhile(place: Place, start: Start) -> None:
    job = start(*sh(TELL % "one" + "echo ready; sleep 600"))
    wait_for(lambda: b"one" in b"".join(path.read_bytes() for path in place.spool.glob("*/*.seg")))
    wait_for((place.log / "1.json").exists)
    job.kill()
    job.wait(WAIT)
    place.kill_program()
    (place.log / "2.json").write_bytes(reader_seal(2, "reader", {}, 1))
    assert "the log has ended" in resend(place, status=65).stderr
