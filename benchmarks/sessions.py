"""What whole sessions cost: `python -m benchmarks.sessions`. Real processes; S3 is a moto server on this machine.

Times depend on the machine and on what else it does; processor time and requests hardly do. Handling on the official
side leaves out Dagster's own run log, unless `--run-log` is given.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.ours import in_memory
from benchmarks.pair import MissingPackagesError, child_environment, require_official, run
from benchmarks.plan import SIDES, Outcome, Plan, Side
from benchmarks.tables import median, table
from integration_tests.servers.clouds import CloudServer, s3_server


@dataclass(frozen=True)
class Session:
    """What one session cost."""

    what: str
    side: Side
    sent: int
    arrived: int
    wall: float  # seconds, from opening to the end
    drain: float  # seconds of it after the job's process had ended
    caller_cpu: float
    job_cpu: float
    caller_memory: int  # bytes at the peak
    job_memory: int
    requests: Mapping[str, int]  # that the server saw, by method


# --- an empty session ----------------------------------------------------------------------------------

EMPTY = "from blobpipes import open_dagster_pipes\nwith open_dagster_pipes(): pass"


def empty_sessions(repeat: int) -> tuple[float, float]:
    """Seconds of an empty session over file://, and of starting Python alone: medians, taken in turns."""
    from blobpipes import PipesSubprocessClient, RunContext

    env = child_environment()
    with tempfile.TemporaryDirectory() as scratch:
        client = PipesSubprocessClient(url=f"file://{scratch}", env=env)

        def session() -> None:
            client.run(context=RunContext.for_asset("a"), command=[sys.executable, "-c", EMPTY])

        def python() -> None:
            subprocess.run([sys.executable, "-c", "pass"], env=env, check=True)

        session()  # compiles what is not compiled yet
        times = [(timed(session), timed(python)) for _ in range(repeat)]
    return median([pair[0] for pair in times]), median([pair[1] for pair in times])


def timed(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


# --- many messages -------------------------------------------------------------------------------------


def s3_sessions(what: str, server: CloudServer, **plan: Any) -> list[Session]:
    sessions = []
    for side in SIDES:
        cloud = server.fresh()
        seen = len(server.process.log(sys.maxsize).splitlines())
        outcome = run(Plan(side, cloud.url, noted=False, **plan), cloud.env)
        lines = server.process.log(sys.maxsize).splitlines()[seen:]
        requests = Counter(found.group(1) for line in lines if (found := re.search(r'"([A-Z]+) /', line)))
        sessions.append(_session(what, side, plan["messages"], outcome, dict(requests)))
        print(f"{what}, {side}: {outcome.wall:.1f} s, {sessions[-1].arrived:,} arrived", file=sys.stderr)
    return sessions


def file_session(messages: int) -> Session:
    with tempfile.TemporaryDirectory() as scratch:
        outcome = run(Plan("blobpipes", Path(scratch).as_uri(), messages, noted=False))
    return _session(f"{messages:,} log messages, file://", "blobpipes", messages, outcome, {})


def memory_session(messages: int) -> Session:
    """Both halves in this process, which has nothing else to do."""
    began, cpu = time.perf_counter(), time.process_time()
    arrived = in_memory(messages)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    what = f"{messages:,} log messages, memory://, one process"
    return Session(what, "blobpipes", messages, arrived, wall, 0.0, cpu, 0.0, 0, 0, {})


def _session(what: str, side: Side, sent: int, outcome: Outcome, requests: Mapping[str, int]) -> Session:
    return Session(
        what=what,
        side=side,
        sent=sent,
        arrived=len(set(outcome.arrived)),
        wall=outcome.wall,
        drain=outcome.drain,
        caller_cpu=outcome.caller_cpu,
        job_cpu=outcome.job_cpu,
        caller_memory=outcome.caller_memory,
        job_memory=outcome.job_memory,
        requests=requests,
    )


def show(sessions: Sequence[Session]) -> str:
    headers = [
        "session",
        "pair",
        "sent",
        "arrived",
        "wall s",
        "of it drain",
        "CPU s caller/job",
        "MB caller/job",
        "requests",
    ]
    rows = [
        (
            *(s.what, s.side, s.sent, s.arrived, f"{s.wall:.1f}", f"{s.drain:.1f}"),
            f"{s.caller_cpu:.1f} / {s.job_cpu:.1f}",
            f"{s.caller_memory / 1e6:.0f} / {s.job_memory / 1e6:.0f}" if s.caller_memory else "",
            ", ".join(f"{count} {method}" for method, count in sorted(s.requests.items())),
        )
        for s in sessions
    ]
    return table(headers, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="of the long session (default: 100000)")
    parser.add_argument("--chunks", type=int, default=5000, help="that wait for the reader (default: 5000)")
    parser.add_argument("--repeat", type=int, default=11, help="empty sessions (default: 11)")
    parser.add_argument("--local", action="store_true", help="only our sessions over file:// and memory://")
    parser.add_argument("--run-log", action="store_true", help="let the official side fill Dagster's run log too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        if not options.local:
            require_official()
    except MissingPackagesError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    session, python = empty_sessions(options.repeat)
    sessions = [memory_session(options.messages), file_session(options.messages)]
    if not options.local:
        server, many = s3_server(), f"{options.messages:,} log messages, s3://"
        with server.process:
            sessions += s3_sessions(many, server, messages=options.messages, run_log=options.run_log)
            sessions += s3_sessions(
                f"{options.chunks:,} chunks wait for the reader",
                server,
                messages=options.chunks,
                laid=True,
                reader_interval=3600.0,
                run_log=options.run_log,
            )
    empty = {"session": session, "python": python, "beyond_python": session - python}
    if options.json:
        print(json.dumps({"empty_file_session": empty, "sessions": [asdict(each) for each in sessions]}, indent=1))
    else:
        print(
            f"an empty session over file://: {session:.3f} s, of it beyond starting Python {session - python:.3f} s\n"
        )
        print(show(sessions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
