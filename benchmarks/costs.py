"""An hour of waiting, of silence and of work, in requests and dollars: `python -m benchmarks.costs`.

Both pairs' own code on a clock that jumps, against a moto S3 server that answers every request for real; the server's
log is what is counted. Ours is stepped by one thread: the writer's core, and the reader with its shell. The official
one is its own two threads. Beside each stands what the model says, which `blobpipes cost` and `tune` rely on.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any
from unittest.mock import patch

from benchmarks.tables import table
from benchmarks.virtual_time import VirtualTime
from blobpipes.chunklog.layout import CONTEXT_KEY, SESSION_KEY, chunk_key
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader import LogReader, Stepped
from blobpipes.chunklog.reader_types import Delivered, ReaderSettings
from blobpipes.chunklog.writer_core import WriterCore
from blobpipes.chunklog.writer_types import Request, Verb
from blobpipes.cost.bill import dollars, price
from blobpipes.cost.forecast import Conditions, Forecast, Latency
from blobpipes.cost.official_pair import forecast_official
from blobpipes.cost.our_pair import forecast_ours
from blobpipes.cost.price_files import load_prices
from blobpipes.cost.trace import Trace, Workload
from blobpipes.cost.tuner import as_late
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from integration_tests.servers.clouds import CloudServer, s3_server

CONDITIONS = Conditions()
CONTEXT = b"{" + b" " * (CONDITIONS.context_size - 2) + b"}"


@dataclass(frozen=True)
class Measured:
    """One session, as the server and its reader saw it."""

    requests: Mapping[str, int]  # by method
    latency: Latency
    arrived: int


# --- ours ----------------------------------------------------------------------------------------------


class OurSession:
    """The job's writer and the reader, in the order in which their times come. Also their clock."""

    def __init__(self, trace: Trace, options: LogOptions, store: Store) -> None:
        self.now = 0.0
        self._trace, self._options, self._store = trace.messages, options, store
        self._said = 0
        self._writer: WriterCore | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._reader_due = 0.0
        self._told = False
        self.latencies: list[float] = []
        self._reader = LogReader(
            _LaterStore(store, self),  # type: ignore[arg-type]
            scheduler=self,
            deliver=self._deliver,
            report=lambda problem: None,
            settings=ReaderSettings(options=options),
            clock=self,
        )

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def wake(self, task: Stepped) -> None:
        self._reader_due = self.now

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def run(self) -> None:
        self._reader.start()
        while not (self._reader.is_ended and self._writer is not None and self._writer.is_over):
            self.now = max(
                self.now, min(self._next_event(), self._next_message(), self._writer_due(), self._reader_due)
            )
            while self._next_message() <= self.now:
                self._say()
            while self._next_event() <= self.now:
                heapq.heappop(self._events)[2]()
            self._step_writer()
            if self._reader_due <= self.now:
                self._reader_due = math.inf
                again = self._reader.step()
                self._reader_due = min(self._reader_due, math.inf if again is None else again)
        self._reader.wait(0)

    def _next_event(self) -> float:
        return self._events[0][0] if self._events else math.inf

    def _next_message(self) -> float:
        return self._trace[self._said].at if self._said < len(self._trace) else math.inf

    def _writer_due(self) -> float:
        due = self._writer.due(self.now) if self._writer is not None else None
        return math.inf if due is None else due

    def _say(self) -> None:
        if self._writer is None:
            self._store.get(CONTEXT_KEY)
            codec = {"compression": "gzip"}
            options = LogOptions(**{**asdict(self._options), **codec})
            self._writer = WriterCore(stream="5f1d0c3a9be24471", options=options, negotiated=True, now=self.now)
        message = self._trace[self._said]
        self._said += 1
        if self._said == len(self._trace):
            self._writer.close(message.line, self.now, failed=False)
        else:
            self._writer.accept(message.line, self.now, urgent=message.urgent)

    def _step_writer(self) -> None:
        if self._writer is None or self._writer.is_over:
            if self._writer is not None and not self._told:
                self._told = True
                self.later(CONDITIONS.exit_notice, self._reader.process_gone)
            return
        request = self._writer.poll(self.now)
        if request is not None:
            seconds = CONDITIONS.put if request.verb is Verb.PUT else CONDITIONS.get
            self.later(seconds, lambda: self._answer(request))

    def _answer(self, request: Request) -> None:
        assert self._writer is not None
        if request.verb is Verb.PUT:
            stored = self._store.put_if_absent(chunk_key(request.number), request.data)
            (self._writer.on_stored if stored else self._writer.on_exists)(self.now)
        else:
            self._writer.on_read(self._store.get(chunk_key(request.number)), self.now)

    def _deliver(self, messages: Sequence[Delivered]) -> None:
        self.latencies += [self.now - self._trace[message.seq - 1].at for message in messages]


class _LaterStore:
    """Answers gets after a virtual while; everything else at once."""

    def __init__(self, store: Store, session: OurSession) -> None:
        self._store, self._session = store, session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        self._session.later(CONDITIONS.get, lambda: future.set_result(self._store.get(key)))
        return future


def measure_ours(server: CloudServer, trace: Trace, options: LogOptions) -> Measured:
    """A session of ours against the server. What opening one asks is asked here as `open_pipes_session` does."""
    cloud = server.fresh()
    with _environment(cloud.env):
        store = open_store(cloud.url)
        store.get("warm-up")
        with counted_requests(server) as requests:
            store.get(SESSION_KEY)
            store.get(chunk_key(1))
            store.put_if_absent(SESSION_KEY, b"{}")
            store.put_if_absent(CONTEXT_KEY, CONTEXT)
            session = OurSession(trace, options, store)
            session.run()
            store.delete(CONTEXT_KEY)
    return Measured(requests, Latency.of(session.latencies), len(session.latencies))


# --- the official pair ---------------------------------------------------------------------------------


def measure_official(server: CloudServer, trace: Trace, interval: float) -> Measured:
    """A session of the official base classes for blob stores, with boto3 as the official S3 classes use it."""
    import boto3
    import dagster_pipes
    from dagster._core.pipes import utils

    cloud = server.fresh()
    bucket, _, prefix = cloud.url.removeprefix("s3://").partition("/")
    clock, latencies = VirtualTime(), list[float]()
    said: dict[str, list[float]] = {}
    with _environment(cloud.env):
        client = boto3.client("s3")
        client.list_buckets()

        class Channel(dagster_pipes.PipesBlobStoreMessageWriterChannel):
            def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
                clock.sleep(CONDITIONS.put)
                client.put_object(Body=payload.read(), Bucket=bucket, Key=f"{prefix}/{index}.json")

        handler = _Handler(clock, said, latencies)
        with counted_requests(server) as requests:
            client.put_object(Body=CONTEXT, Bucket=bucket, Key=f"{prefix}/context")
            with (
                patch.multiple(dagster_pipes, **clock.modules()),
                patch.multiple(utils, **clock.modules()),
                _reader(clock, client, bucket, prefix, interval).read_messages(handler),
            ):
                clock.sleep(trace.messages[0].at)
                client.get_object(Bucket=bucket, Key=f"{prefix}/context")
                channel = Channel(interval=interval)
                with channel.buffered_upload_loop():
                    for message in trace.messages:
                        clock.sleep(max(0.0, message.at - clock.now))
                        said.setdefault(message.line.decode(), []).append(message.at)
                        channel.write_message(json.loads(message.line))
                clock.sleep(CONDITIONS.exit_notice)
            client.delete_object(Bucket=bucket, Key=f"{prefix}/context")
    return Measured(requests, Latency.of(latencies), len(latencies))


def _reader(clock: VirtualTime, client: Any, bucket: str, prefix: str, interval: float) -> Any:
    from botocore.exceptions import ClientError
    from dagster._core.pipes.utils import PipesBlobStoreMessageReader

    class Reader(PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self) -> Iterator[dict[str, str]]:
            yield {"bucket": bucket, "key_prefix": prefix}

        def messages_are_readable(self, params: Any) -> bool:
            clock.sleep(CONDITIONS.get)
            try:
                client.head_object(Bucket=bucket, Key=f"{prefix}/1.json")
            except ClientError:
                return False
            return True

        def download_messages_chunk(self, index: int, params: Any) -> str | None:
            clock.sleep(CONDITIONS.get)
            try:
                found = client.get_object(Bucket=bucket, Key=f"{prefix}/{index}.json")
            except ClientError:
                return None
            text: str = found["Body"].read().decode()
            return text

        def no_messages_debug_text(self) -> str:
            return ""

    return Reader(interval=interval)


class _Handler:
    """What the official reader asks of a handler."""

    def __init__(self, clock: VirtualTime, said: dict[str, list[float]], latencies: list[float]) -> None:
        self._clock, self._said, self._latencies = clock, said, latencies
        self.received_closed_message = False

    def handle_message(self, message: Any) -> None:
        times = self._said.get(json.dumps(message))
        if times:  # every message of a trace differs from the others
            self._latencies.append(self._clock.now - times.pop(0))
        self.received_closed_message |= message["method"] == "closed"

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        raise exc_info[1]


# --- counting ------------------------------------------------------------------------------------------


_ASKED = re.compile(r'"(?:\x1b\[[0-9;]*m)*([A-Z]+) /')  # the server colours what it could not find


@contextmanager
def counted_requests(server: CloudServer) -> Iterator[dict[str, int]]:
    """The requests that the server sees meanwhile, by method; filled at the end."""
    seen = len(server.process.log(sys.maxsize).splitlines())
    found: dict[str, int] = {}
    yield found
    lines = server.process.log(sys.maxsize).splitlines()[seen:]
    found.update(Counter(match[1] for line in lines if (match := _ASKED.search(line))))


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, env):
        yield


HOURS = {
    "waiting: the job begins after an hour": Workload(10.0, rate=1.0, boot=3600.0),
    "silent: a message every ten minutes": Workload(3600.0, rate=1 / 600, boot=60.0),
    "busy: a message a second": Workload(3600.0, rate=1.0, boot=60.0),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds, of both pairs (default: 10)")
    parser.add_argument("--minutes", type=float, default=60.0, help="in place of an hour (default: 60)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    share = options.minutes / 60
    server, prices, rows, found = s3_server(), load_prices(), [], []
    with server.process:
        for what, hour in HOURS.items():
            job = Workload(max(10.0, hour.seconds * share), hour.rate, results=1, boot=hour.boot * share)
            trace = job.trace()
            theirs = forecast_official(trace, options.interval)
            late, _ = as_late(trace, LogOptions(heartbeat=0), theirs.latency.mean, conditions=CONDITIONS)
            sessions: list[tuple[str, float, Forecast, Measured]] = [
                ("official", options.interval, theirs, measure_official(server, trace, options.interval))
            ]
            for name, log in (
                ("blobpipes", LogOptions(interval=options.interval)),
                ("blobpipes, heartbeat=0", LogOptions(interval=options.interval, heartbeat=0)),
                ("blobpipes, heartbeat=0, as late", LogOptions(interval=late, heartbeat=0)),
            ):
                sessions.append((name, log.interval, forecast_ours(trace, log), measure_ours(server, trace, log)))
            for name, interval, model, measured in sessions:
                usd = price(model.ledger, store="s3", table=prices).usd
                asked = ", ".join(f"{count} {method}" for method, count in sorted(measured.requests.items()))
                latency = f"{measured.latency.mean:.1f} / {measured.latency.p95:.1f}"
                rows.append((what, name, f"{interval:g}", asked, model.requests, latency, dollars(usd)))
                found.append({"hour": what, "pair": name, "interval": interval, **asdict(measured), "usd": usd})
                print(f"{what}, {name}: {asked}", file=sys.stderr)
    headers = [
        "an hour",
        "pair",
        "interval s",
        "requests, by the server",
        "by the model",
        "latency s: mean / 95 %",
        "S3",
    ]
    print(json.dumps(found, indent=1) if options.json else table(headers, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
