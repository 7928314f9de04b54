"""How file systems are called: within a deadline, also where a loop is stuck or belongs to another process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from fsspec.asyn import AsyncFileSystem

from blobpipes.storage.driver import Driver
from blobpipes.storage.failures import classify


class SlowFileSystem(AsyncFileSystem):
    """A file system whose server does not answer, on a loop of its own."""

    cachable = False

    async def _cat_file(self, path: str, **kwargs: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def _info(self, path: str, **kwargs: object) -> dict[str, object]:
        return {"name": path}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_call_ends_at_the_deadline(loop: asyncio.AbstractEventLoop) -> None:
    driver = Driver(SlowFileSystem(loop=loop), timeout=0.05, lock=threading.RLock())
    with pytest.raises(Exception) as caught:
        driver.call("cat_file", "x")
    assert classify(caught.value).reason == "timeout"
    patient = Driver(driver.fs, timeout=60, lock=threading.RLock())
    assert patient.call("info", "x") == {"name": "x"}


def test_a_loop_that_is_stuck_does_not_hold_its_callers(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobpipes.storage.driver._GRACE", 0.05)
    freed = threading.Event()
    loop.call_soon_threadsafe(freed.wait)
    driver = Driver(SlowFileSystem(loop=loop), timeout=0.05, lock=threading.RLock())
    try:
        with pytest.raises(Exception) as caught:
            driver.call("info", "x")
        assert classify(caught.value).reason == "timeout"
    finally:
        freed.set()
    patient = Driver(driver.fs, timeout=60, lock=threading.RLock())
    assert patient.call("info", "x") == {"name": "x"}  # what was given up is over, and left nothing open


def test_in_a_forked_child_the_future_says_that_the_loop_is_not_there() -> None:
    program = """
import os
from blobpipes.storage.driver import Driver
from fsspec.implementations.http import HTTPFileSystem
import threading
driver = Driver(HTTPFileSystem(skip_instance_cache=True), timeout=60, lock=threading.RLock())
async def work():
    return 1
assert driver.wait(driver.submit(work())) == 1
child = os.fork()
if child == 0:
    error = driver.submit(work()).exception(timeout=60)
    os._exit(0 if isinstance(error, RuntimeError) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_system_that_is_not_asynchronous_is_called_under_the_lock() -> None:
    lock = threading.Lock()

    class Plain:
        async_impl = False

        def cat_file(self, path: str) -> bool:
            return lock.locked()

    assert Driver(Plain(), timeout=1, lock=lock).call("cat_file", "x") is True
    assert not lock.locked()
