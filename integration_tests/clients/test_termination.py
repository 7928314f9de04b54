"""Interrupted runs, with real processes and real signals."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.subprocess import PipesSubprocessClient
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.messages import AssetMaterialization
from tests.clients.jobs import IGNORES_SIGNALS, WAITS_TO_BE_STOPPED, command, environment
from tests.orchestration.jobs import recorded_run

needs_signals = pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")


@pytest.fixture(params=["temporary files", "file URL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "temporary files" else f"file://{tmp_path}/lake?interval=200ms"


def for_orders() -> RunContext:
    return recorded_run(asset_keys=["orders"], partition_key="2024-01")[0]


def interrupting(error: type[BaseException]) -> Callable[[PipesEvent], None]:
    """An observer which interrupts the main thread, as Ctrl-C does, once the job has reported."""

    def observe(event: PipesEvent) -> None:
        if isinstance(event.payload, AssetMaterialization):
            os.kill(os.getpid(), signal.SIGUSR1 if error is SystemExit else signal.SIGINT)

    return observe


@pytest.fixture
def exit_on_sigusr1() -> Iterator[None]:
    def leave(number: int, frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGUSR1, leave)
    yield
    signal.signal(signal.SIGUSR1, before)


@needs_signals
@pytest.mark.usefixtures("exit_on_sigusr1")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("way", ["run", "stream"])
def test_an_interrupted_run_interrupts_the_job_which_closes(
    error: type[BaseException], way: str, place: str | None
) -> None:
    client = PipesSubprocessClient(env=environment(), url=place, on_event=interrupting(error), forward_stdio=False)
    work = client.run if way == "run" else lambda **job: list(client.stream(**job))
    with pytest.raises(error) as caught:
        work(context=for_orders(), command=command(WAITS_TO_BE_STOPPED))
    report: Any = caught.value.report  # type: ignore[attr-defined]
    assert report.verdict == "failed"
    assert report.exception["name"] == "KeyboardInterrupt"


@needs_signals
def test_a_job_that_ignores_every_signal_is_killed_in_the_end() -> None:
    client = PipesSubprocessClient(
        env=environment(), on_event=interrupting(KeyboardInterrupt), termination_timeout=0.4, forward_stdio=False
    )
    with pytest.raises(KeyboardInterrupt) as caught:
        client.run(context=for_orders(), command=command(IGNORES_SIGNALS))
    assert caught.value.report.verdict == "truncated"  # type: ignore[attr-defined]


@needs_signals
def test_a_shell_and_its_children_are_interrupted_together(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(WAITS_TO_BE_STOPPED)
    client = PipesSubprocessClient(env=environment(), on_event=interrupting(KeyboardInterrupt), forward_stdio=False)
    shell = ["sh", "-c", f"{sys.executable} {tmp_path}/job.py; exit 1"]
    with pytest.raises(KeyboardInterrupt) as caught:
        client.run(context=for_orders(), command=shell)
    assert caught.value.report.verdict == "failed"  # type: ignore[attr-defined]


@needs_signals
def test_closing_a_stream_early_interrupts_the_job() -> None:
    client = PipesSubprocessClient(env=environment(), forward_stdio=False)
    events: list[PipesEvent] = []
    client.session_options["on_event"] = events.append
    results = client.stream(context=for_orders(), command=command(WAITS_TO_BE_STOPPED))
    next(results)
    results.close()
    assert type(events[-1].payload).__name__ == "Closed"


@needs_signals
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_without_forwarding_the_job_is_left_alone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = WAITS_TO_BE_STOPPED.replace("with open", f"open({str(pid)!r}, 'w').write(str(os.getpid()))\nwith open")
    client = PipesSubprocessClient(
        env=environment(), on_event=interrupting(KeyboardInterrupt), forward_termination=False, forward_stdio=False
    )
    with pytest.raises(KeyboardInterrupt):
        client.run(context=for_orders(), command=command(program))
    gc.collect()
    os.kill(int(pid.read_text()), 0)  # it is still there
    os.kill(int(pid.read_text()), signal.SIGKILL)
    os.waitpid(int(pid.read_text()), 0)
