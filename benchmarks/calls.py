"""What a call costs the job: `python -m benchmarks.calls`. Ours and the official package take turns in one process.

`call` is processor time of the job's own thread, which other programs on a busy machine do not change. `all threads`
is what a message costs until it is handed to the store, opening and closing included. The store itself costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import median, ratio, table

PACKAGES = {"official": "dagster_pipes", "blobpipes": "blobpipes"}
RUN: dict[str, Any] = {
    "asset_keys": None,
    "code_version_by_asset_key": None,
    "provenance_by_asset_key": None,
    "partition_key": None,
    "partition_key_range": None,
    "partition_time_window": None,
    "run_id": "run",
    "job_name": None,
    "retry_number": 0,
    "extras": {},
}
METADATA: dict[str, Any] = {
    "rows": 336_776,
    "mean_delay": 12.639,
    "note": "all months, both airports",
    "is_complete": True,
    "source": {"raw_value": "https://example.com/flights", "type": "url"},
    "file": {"raw_value": "/data/flights.parquet", "type": "path"},
    "summary": {"raw_value": "# Delays\n\n| month | mean |\n| --- | --- |\n| 1 | 10.0 |", "type": "md"},
    "quantiles": {"raw_value": {"p50": -2.0, "p90": 53.0, "p99": 191.0}, "type": "json"},
    "until": {"raw_value": 1388534400.0, "type": "timestamp"},
    "upstream": {"raw_value": "raw/flights", "type": "asset"},
}


@dataclass(frozen=True)
class Measured:
    """Medians over the repetitions, of one call on one channel."""

    call: str
    channel: str
    official_call: float  # microseconds of processor time in the job's thread
    our_call: float
    official_cpu: float  # the same in all threads, per message
    our_cpu: float


# --- channels ------------------------------------------------------------------------------------------


def make_channel(package: Any, kind: str, scratch: Path, gate: threading.Event) -> Any:
    """A `file` channel, or a `chunk` channel whose store takes everything once the gate is open."""
    if kind == "file":
        return package.PipesFileMessageWriterChannel(str(scratch / "messages"))

    class Channel(package.PipesBlobStoreMessageWriterChannel):  # type: ignore[misc]
        def upload_messages_chunk(self, payload: Any, index: int) -> None:
            gate.wait()

    return Channel(interval=10)


def make_writer(package: Any, channel: Any) -> Any:
    class Writer(package.PipesMessageWriter):  # type: ignore[misc]
        @contextmanager
        def open(self, params: Any) -> Iterator[Any]:
            if hasattr(channel, "buffered_upload_loop"):
                with channel.buffered_upload_loop():
                    yield channel
            else:
                yield channel

    return Writer()


@contextmanager
def opened(side: str, kind: str, gate: threading.Event) -> Iterator[Any]:
    """A job's context, on a channel of that kind."""
    package = importlib.import_module(PACKAGES[side])
    encode = package.encode_param
    params = {"DAGSTER_PIPES_CONTEXT": encode({"data": RUN}), "DAGSTER_PIPES_MESSAGES": encode({})}
    with tempfile.TemporaryDirectory() as scratch:
        writer = make_writer(package, make_channel(package, kind, Path(scratch), gate))
        loader = package.PipesMappingParamsLoader(params)
        with package.PipesContext(loader, package.PipesDefaultContextLoader(), writer) as pipes:
            yield pipes


# --- measuring -----------------------------------------------------------------------------------------


def log(pipes: Any, number: int) -> None:
    pipes.log.info("processed %d of 336776 rows", number)


def materialize(pipes: Any, number: int) -> None:
    pipes.report_asset_materialization(metadata=METADATA, data_version="1", asset_key=f"asset_{number}")


CALLS: dict[str, Callable[[Any, int], None]] = {"log.info": log, "materialization, 10 metadata": materialize}


def measure(side: str, kind: str, call: Callable[[Any, int], None], count: int) -> tuple[float, float]:
    """Microseconds of processor time: of one call, and of one message in all threads."""
    gate = threading.Event()
    gate.set()
    cpu = time.process_time()
    with opened(side, kind, gate) as pipes:
        began = time.thread_time()
        for number in range(count):
            call(pipes, number)
        spent = time.thread_time() - began
    return spent / count * 1e6, (time.process_time() - cpu) / count * 1e6


def compare(name: str, kind: str, count: int, repeat: int) -> Measured:
    values: dict[str, list[tuple[float, float]]] = {side: [] for side in PACKAGES}
    for side in PACKAGES:
        measure(side, "file", CALLS[name], 10)  # loads what the first call loads
    for _ in range(repeat):
        for side in PACKAGES:  # in turns, so that a busy machine is busy for both
            values[side].append(measure(side, kind, CALLS[name], count))
    (official, ours) = ([median(column) for column in zip(*values[side], strict=True)] for side in PACKAGES)
    return Measured(name, kind, official[0], ours[0], official[1], ours[1])


def buffered_bytes(side: str, count: int) -> float:
    """Memory that one log message takes while it waits for a store which does not answer."""
    gate = threading.Event()
    with opened(side, "chunk", gate) as pipes:
        log(pipes, 0)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            log(pipes, number)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gate.set()
    return (after - before) / count


def show(results: Sequence[Measured], memory: dict[str, float]) -> str:
    headers = ["microseconds", "channel", "call: official", "ours", "ratio", "all threads: official", "ours", "ratio"]
    rows = [
        (
            r.call,
            r.channel,
            *(f"{r.official_call:.1f}", f"{r.our_call:.1f}", ratio(r.our_call, r.official_call)),
            *(f"{r.official_cpu:.1f}", f"{r.our_cpu:.1f}", ratio(r.our_cpu, r.official_cpu)),
        )
        for r in results
    ]
    if not memory:
        return table(headers, rows)
    official, ours = memory["official"], memory["blobpipes"]
    waiting = f"a waiting log message takes: official {official:.0f} bytes, ours {ours:.0f} ({ratio(ours, official)})"
    return f"{table(headers, rows)}\n\n{waiting}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="in one repetition (default: 5000)")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each, in turns (default: 7)")
    parser.add_argument("--channel", choices=["file", "chunk"], help="only this one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("dagster_pipes") is None:
        print("error: dagster_pipes is not installed\n  remedy: pip install dagster-pipes", file=sys.stderr)
        return 2
    kinds = [options.channel] if options.channel else ["file", "chunk"]
    results = [compare(name, kind, options.messages, options.repeat) for name in CALLS for kind in kinds]
    memory = {side: buffered_bytes(side, options.messages) for side in PACKAGES if "chunk" in kinds}
    if options.json:
        print(json.dumps({"calls": [asdict(result) for result in results], "waiting_bytes": memory}, indent=1))
    else:
        print(show(results, memory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
