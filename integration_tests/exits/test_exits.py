"""Leaving in every way: whatever ends the process, what was accepted before it is in the store.

The interval is ten minutes everywhere, so nothing arrives by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration_tests.waiting import WAIT, wait_for
from tests.external.launching import SOURCE, bootstrap, messages_in, methods, negotiated, run_job

OPTIONS = {"interval": 600, "heartbeat": 0}
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    params = negotiated(tmp_path / "log", options=OPTIONS)
    return {**bootstrap(params), "BLOBPIPES_SPOOL_DIR": str(tmp_path / "spool"), "BLOBPIPES_TERM_GRACE": f"{WAIT:g}"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def last_exception(log: Path) -> str:
    closed = messages_in(log)[-1]
    assert closed["method"] == "closed"
    return str(closed["params"]["exception"]["message"])


OPEN = "import blobpipes.external.open as o; p = o.open_dagster_pipes(); p.log.info('one'); p.log.info('two')\n"
WITH = (
    "import os, sys, signal, time\nimport blobpipes.external.open as o\n"
    "with o.open_dagster_pipes() as p:\n    p.log.info('one')\n    "
)


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a job and waits until it has printed `ready`."""
    with ExitStack() as jobs:

        def start_one(source: str) -> subprocess.Popen[str]:
            job = jobs.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", source],
                    env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **environment},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
            jobs.callback(job.kill)
            assert job.stdout is not None
            assert job.stdout.readline().strip() == "ready"
            return job

        yield start_one


def test_sigterm_closes_with_what_was_said_before(start: Start, log: Path) -> None:
    job = start(WITH + "print('ready'); time.sleep(600)")
    job.terminate()
    assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert methods(messages_in(log)) == ["opened", "log", "closed"]
    assert last_exception(log) == "SystemExit: 143\n"


def test_sigterm_without_a_with_block_flushes(start: Start, log: Path) -> None:
    job = start(OPEN + "print('ready'); import time; time.sleep(600)")
    job.terminate()
    assert job.wait(WAIT) == 143
    assert methods(messages_in(log)) == ["opened", "log", "log"]


IN_C_CODE = "import ctypes; ctypes.{library}(None).system(b'echo ready; read line')"  # until standard input ends


def test_sigterm_puts_everything_while_the_main_thread_is_in_c_code(start: Start, log: Path) -> None:
    job = start(WITH + IN_C_CODE.format(library="CDLL"))
    job.terminate()
    wait_for(lambda: log.exists() and "log" in methods(messages_in(log)))
    assert job.poll() is None  # still in there
    assert job.stdin is not None
    job.stdin.close()
    assert job.wait(WAIT) == 128 + signal.SIGTERM


def test_sigterm_while_c_code_holds_pythons_lock_is_heard_when_it_lets_go(start: Start, log: Path) -> None:
    job = start(WITH + IN_C_CODE.format(library="PyDLL"))
    job.terminate()
    before = methods(messages_in(log)) if log.exists() else []
    assert "log" not in before  # nobody in that process can run Python; whoever kills it now loses the message
    assert job.poll() is None
    assert job.stdin is not None
    job.stdin.close()
    assert job.wait(WAIT) == 128 + signal.SIGTERM
    assert methods(messages_in(log)) == ["opened", "log", "closed"]


def test_a_handler_of_the_program_runs_too(start: Start, log: Path) -> None:
    source = (
        "import signal\nsignal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))\n"
        + WITH
        + "print('ready'); time.sleep(600)"
    )
    job = start("import sys\n" + source)
    job.terminate()
    assert job.wait(WAIT) == 7
    assert last_exception(log) == "SystemExit: 7\n"


def test_a_program_that_ignores_sigterm_goes_on(start: Start, log: Path) -> None:
    ignoring = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    job = start(ignoring + WITH + "print('ready'); sys.stdin.readline()")
    job.terminate()
    assert job.stdin is not None
    job.stdin.close()
    assert job.wait(WAIT) == 0
    assert messages_in(log)[-1]["params"] == {}


def test_ctrl_c_is_reported(start: Start, log: Path) -> None:
    job = start(WITH + "print('ready'); time.sleep(600)")
    job.send_signal(signal.SIGINT)
    assert job.wait(WAIT) == -signal.SIGINT
    assert last_exception(log) == "KeyboardInterrupt\n"


def test_handlers_are_put_back_after_the_close(environment: dict[str, str]) -> None:
    source = """
    import signal
    import blobpipes.external.open as o
    before = signal.getsignal(signal.SIGTERM)
    with o.open_dagster_pipes():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.set_wakeup_fd(-1) == -1
    """
    run_job(source, environment)


def test_sigterm_for_a_forked_child_is_not_the_parents(environment: dict[str, str], log: Path) -> None:
    source = WITH + (
        "child = os.fork()\n"
        "    if child == 0:\n        time.sleep(600)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM\n"
        "    p.log.info('two')"
    )
    run_job(source, environment)
    assert messages_in(log)[-1]["params"] == {}


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_with_a_wal_not_even_a_killed_process_loses_a_message(tmp_path: Path, log: Path, end: str) -> None:
    params = negotiated(log, options={**OPTIONS, "spool": "wal"})
    environment = {**bootstrap(params), "BLOBPIPES_SPOOL_DIR": str(tmp_path / "spool")}
    status = 1 if "_exit" in end else -signal.SIGKILL
    run_job(WITH + f"[p.log.info(str(n)) for n in range(100)]; {end}", environment, status=status)
    assert len(messages_in(log)) < 102 if log.exists() else True
    run_job(WITH + "pass", environment)
    said = [message["params"].get("message") for message in messages_in(log)]
    assert said == [None, "one", *map(str, range(100)), None, "one", None]
    assert list((tmp_path / "spool").iterdir()) == []
