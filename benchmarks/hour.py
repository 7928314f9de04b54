"""An hour with a slow handler, in seconds: both pairs' own code on a clock that jumps to the next thing to do.

A job says five messages a second, a put takes 50 ms, a get 30 ms, and the handler 10 ms for each message. Both sides
have the default interval of 10 s. Nothing fails.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from benchmarks.plan import Outcome, Side, number_of
from benchmarks.virtual_time import VirtualTime
from blobpipes.chunklog.layout import chunk_key, chunk_number
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader import LogReader, Stepped
from blobpipes.chunklog.reader_types import Delivered, ReaderSettings
from blobpipes.chunklog.writer_core import Request, Verb, WriterCore
from blobpipes.testing import MemoryStore

EVERY: Final = 0.2  # seconds between two messages
HANDLING: Final = 0.010  # seconds for one message
PUT: Final = 0.050
GET: Final = 0.030
INTERVAL: Final = 10.0


def simulate(side: Side, seconds: float) -> Outcome:
    """Run the job for so many seconds of virtual time."""
    count = int(seconds / EVERY)
    if side == "blobpipes":
        hour = OurHour(count)
        arrived, notes = hour.run()
    else:
        arrived, notes = official_hour(count)
    return Outcome(range(count), arrived, [], None, notes, seconds, 0.0, 0.0, 0.0, 0, 0)


def line(method: str, **params: Any) -> dict[str, Any]:
    return {"__dagster_pipes_version": "0.1", "method": method, "params": params}


# --- ours: the cores and the reader's shell, stepped by one thread -------------------------------------


class OurHour:
    """The job, its writer and the reader, in the order in which their times come. Also the reader's clock."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.arrived: list[int] = []
        self._store = MemoryStore()
        self._count, self._said, self._closed = count, 0, False
        options = LogOptions(interval=INTERVAL)
        self._writer = WriterCore(stream="job", options=options, negotiated=True, now=0.0)
        self._asked: tuple[float, Request] | None = None  # the request under way, and when its answer comes
        self._reader_due = math.inf
        self._reader = LogReader(
            SlowStore(self._store, self.advance),
            scheduler=self,
            deliver=self._handle,
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

    def run(self) -> tuple[list[int], list[str]]:
        self._accept(line("opened", extras={}))
        self._reader.start()
        is_gone = False
        while not self._reader.is_ended:
            if self._writer.is_over and not is_gone:
                is_gone = True
                self._reader.process_gone()
            if self._reader_due <= self.now:
                self._reader_due = math.inf
                again = self._reader.step()
                self._reader_due = min(self._reader_due, math.inf if again is None else again)
            else:
                self.advance(min(self._reader_due, self._job_due()) - self.now)
        end = self._reader.wait(0)
        return self.arrived, [end.verdict if end else "no end"]

    def advance(self, seconds: float) -> None:
        """Let time pass; the job and its writer do meanwhile what is due."""
        until = self.now + max(0.0, seconds)
        while (due := self._job_due()) <= until:
            self.now = max(self.now, due)
            self._work()
        self.now = until

    def _handle(self, messages: Sequence[Delivered]) -> None:
        for message in messages:
            self.advance(HANDLING)
            values = json.loads(message.line)
            if values["method"] == "log":
                self.arrived.append(number_of(values["params"]["message"]))

    def _job_due(self) -> float:
        speaks = (self._said + 1) * EVERY if not self._closed else math.inf
        if self._asked is not None:
            return min(speaks, self._asked[0])
        due = None if self._writer.is_over else self._writer.due(self.now)
        return min(speaks, math.inf if due is None else max(due, self.now))

    def _work(self) -> None:
        if self._asked is not None and self._asked[0] <= self.now:
            request, self._asked = self._asked[1], None
            self._answer(request)
        elif not self._closed and (self._said + 1) * EVERY <= self.now:
            self._speak()
        if self._asked is None and not self._writer.is_over:
            asked = self._writer.poll(self.now)
            self._asked = None if asked is None else (self.now + PUT, asked)

    def _speak(self) -> None:
        if self._said < self._count:
            self._accept(line("log", message=f"message {self._said}", level="INFO"))
            self._said += 1
        else:
            self._closed = True
            self._writer.close(json.dumps(line("closed")).encode(), self.now, failed=False)

    def _accept(self, message: dict[str, Any]) -> None:
        self._writer.accept(json.dumps(message).encode(), self.now)

    def _answer(self, request: Request) -> None:
        match request.verb:
            case Verb.PUT:
                stored = self._store.put_if_absent(chunk_key(request.number), request.data)
                (self._writer.on_stored if stored else self._writer.on_exists)(self.now)
            case Verb.READ:
                self._writer.on_read(self._store.get(chunk_key(request.number)), self.now)
            case Verb.LIST:
                numbers = (chunk_number(info.key) or 0 for info in self._store.list())
                self._writer.on_listed(max(numbers, default=0), self.now)


class SlowStore:
    """A store whose gets take time."""

    def __init__(self, store: MemoryStore, advance: Callable[[float], None]) -> None:
        self._store, self._advance = store, advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def start_get(self, key: str) -> Future[bytes | None]:
        self._advance(GET)
        return self._store.start_get(key)


# --- the official pair: its own threads, on a clock that moves when all of them sleep -------------------


def official_hour(count: int) -> tuple[list[int], list[str]]:
    """The official base classes for blob stores, over a dictionary."""
    from unittest.mock import patch

    import dagster_pipes
    from dagster._core.pipes import utils

    clock = VirtualTime()
    store: dict[int, str] = {}

    class Channel(dagster_pipes.PipesBlobStoreMessageWriterChannel):
        def upload_messages_chunk(self, payload: Any, index: int) -> None:
            clock.sleep(PUT)
            store[index] = payload.read()

    handler = SlowHandler(clock)
    with patch.multiple(dagster_pipes, **clock.modules()), patch.multiple(utils, **clock.modules()):
        channel = Channel(interval=INTERVAL)
        with _dictionary_reader(clock, store).read_messages(handler), channel.buffered_upload_loop():
            channel.write_message(line("opened", extras={}))  # type: ignore[arg-type]
            for number in range(count):
                clock.sleep(EVERY)
                message = line("log", message=f"message {number}", level="INFO")
                channel.write_message(message)  # type: ignore[arg-type]
            channel.write_message(line("closed"))  # type: ignore[arg-type]
    closed = "closed arrived" if handler.received_closed_message else "closed did not arrive"
    return handler.arrived, [f"no error; {closed}", *handler.reported]


def _dictionary_reader(clock: VirtualTime, store: dict[int, str]) -> Any:
    from contextlib import contextmanager

    from dagster._core.pipes.utils import PipesBlobStoreMessageReader

    class Reader(PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self) -> Any:
            yield {"key_prefix": "x"}

        def messages_are_readable(self, params: Any) -> bool:
            clock.sleep(GET)
            return 1 in store

        def download_messages_chunk(self, index: int, params: Any) -> str | None:
            clock.sleep(GET)
            return store.get(index)

        def no_messages_debug_text(self) -> str:
            return ""

    return Reader(interval=INTERVAL)


class SlowHandler:
    """What the official reader asks of a handler."""

    def __init__(self, clock: VirtualTime) -> None:
        self._clock = clock
        self.arrived: list[int] = []
        self.received_closed_message = False
        self.reported: list[str] = []

    def handle_message(self, message: Any) -> None:
        self._clock.sleep(HANDLING)
        if message["method"] == "log":
            self.arrived.append(number_of(message["params"]["message"]))
        self.received_closed_message |= message["method"] == "closed"

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        self.reported.append(f"{origin}: {exc_info[1]!r}")
