from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from blobpipes.orchestration.poller import Poller
from blobpipes.testing import ManualClock


class Sleepy:
    """A task that wants to be stepped again in a hundred seconds, always."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.steps = 0

    def step(self) -> float | None:
        self.steps += 1
        return self._clock.monotonic() + 100


def test_however_often_a_task_was_woken_it_is_stepped_once_when_its_time_comes() -> None:
    clock = ManualClock()
    poller, task, other = Poller(clock=clock), Sleepy(clock), Sleepy(clock)
    poller._thread = threading.current_thread()  # the test keeps the time, so nothing runs by itself
    for _ in range(50):
        poller.wake(task)
        poller._step(poller._next_task())
        clock.advance(1)
    clock.advance(200)
    poller._step(poller._next_task())
    poller.wake(other)
    assert poller._next_task() is other
    assert task.steps == 51


PROGRAM = """
import sys, threading
from blobpipes import PipesSubprocessClient, RunContext

def session():
    threading.main_thread().join()  # from here on no executor takes new work
    job = "from blobpipes import open_dagster_pipes\\nwith open_dagster_pipes() as p: p.log.info('hello')"
    invocation = PipesSubprocessClient(url=sys.argv[1]).run(context=RunContext(), command=[sys.executable, "-c", job])
    print(invocation.report.verdict)

threading.Thread(target=session).start()
"""


def test_sessions_of_other_threads_go_on_after_the_main_thread_has_ended(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", PROGRAM, f"{tmp_path.as_uri()}?interval=100ms"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["complete"]


NEVER_LEFT = """
import sys
from blobpipes import PipesTempFileContextInjector, PipesTempFileMessageReader, RunContext, open_pipes_session

by_files = (PipesTempFileContextInjector(), PipesTempFileMessageReader())
left_open = [open_pipes_session(RunContext(), url=sys.argv[1]), open_pipes_session(RunContext(), *by_files)]
for session in left_open:
    session.__enter__()
"""


def test_sessions_that_are_never_left_do_not_keep_a_program_from_ending(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", NEVER_LEFT, f"{tmp_path.as_uri()}?interval=100ms"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
