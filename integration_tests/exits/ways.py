"""The ways in which a process ends, each as a job of its own, and what must be in the store afterwards."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPENING = "import os, signal, sys, threading, time\nfrom blobpipes import open_dagster_pipes\n"
OPEN = OPENING + "p = open_dagster_pipes()\np.log.info('one')\n"
WITH = OPENING + "with open_dagster_pipes() as p:\n    p.log.info('one')\n    "

CLOSED = ("opened", "log", "closed")
FLUSHED = ("opened", "log")


@dataclass(frozen=True)
class Way:
    """A job, and its end."""

    source: str
    methods: tuple[str, ...] = CLOSED  # of all messages in the store
    status: int = 0
    exception: str | None = None  # the name of what the session is closed with
    says: str = ""  # on its standard output or error
    options: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 1  # one after the other, with the same parameters and the same disk
    leaves_spool: bool = False


FORK = """child = os.fork()
    if child == 0:
        try:
            p.report_custom_message('from the child')
        except Exception as error:
            print(type(error).__name__, flush=True)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
"""

MULTIPROCESSING = """import multiprocessing
    work = multiprocessing.get_context('fork').Process(target=p.report_custom_message, args=(1,))
    work.start(); work.join()
    assert work.exitcode == 1
"""

OUT_OF_MEMORY = """import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
    table = bytearray(8 << 30)
"""

FULL_DISK = (
    OPENING
    + """import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
with open_dagster_pipes() as p:
    for number in range(20):
        p.report_custom_message('x' * 20_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # for a store on disk
"""
)

LATE_THREAD = """
def late():
    threading.main_thread().join()
    p.log.info('late')
threading.Thread(target=late).start()
"""

WAYS: Mapping[str, Way] = {
    "the end of the with block": Way(WITH),
    "close": Way(OPEN + "p.close()"),
    "sys.exit(0)": Way(WITH + "sys.exit(0)"),
    "sys.exit(3)": Way(WITH + "sys.exit(3)", status=3, exception="SystemExit"),
    "an exception in the with block": Way(WITH + "1 / 0", status=1, exception="ZeroDivisionError"),
    "an exception without a with block": Way(OPEN + "1 / 0", FLUSHED, status=1),
    "an exception in a thread": Way(
        OPEN + "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", FLUSHED, says="ZeroDivisionError"
    ),
    "the end of the interpreter": Way(OPEN, FLUSHED),
    "a thread that outlives the main thread": Way(OPEN + LATE_THREAD, (*FLUSHED, "log")),
    "SIGTERM": Way(WITH + "os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)", status=143, exception="SystemExit"),
    "SIGTERM without a with block": Way(
        OPEN + "os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)", FLUSHED, status=143
    ),
    "SIGINT": Way(
        WITH + "os.kill(os.getpid(), signal.SIGINT); time.sleep(600)",
        status=-signal.SIGINT,
        exception="KeyboardInterrupt",
    ),
    "a forked child that reports": Way(WITH + FORK, says="ForkedError"),
    "a multiprocessing child that reports": Way(WITH + MULTIPROCESSING, says="ForkedError"),
    "no more memory": Way(WITH + OUT_OF_MEMORY, status=1, exception="MemoryError"),
    "a full disk": Way(
        FULL_DISK,
        ("opened", *["report_custom_message"] * 20, "closed"),
        options={"spool": "wal"},
        says="spool",
    ),
    "SIGKILL, and a successor": Way(
        WITH + "if p.run_id: open('done', 'a').write('x')\n    "
        "if os.path.getsize('done') == 1: os.kill(os.getpid(), signal.SIGKILL)",
        ("opened", "log", "opened", "log", "closed"),
        options={"spool": "wal"},
        runs=2,
    ),
    "os._exit, and a successor": Way(
        WITH + "if p.run_id: open('done', 'a').write('x')\n    if os.path.getsize('done') == 1: os._exit(9)",
        ("opened", "log", "opened", "log", "closed"),
        options={"spool": "wal"},
        runs=2,
    ),
}

# aiohttp asks the executor of the loop for each request of the Azure library, and Python ends that with the main thread
WAYS_ON_AZURE: Mapping[str, Way] = {
    "a thread that outlives the main thread": Way(
        OPEN + LATE_THREAD, FLUSHED, says="UndeliveredError", options={"close_timeout": 2}, leaves_spool=True
    ),
}
