"""What would a session of ours ask of its store, and how late would its messages come?

No formula: the cores that decide in a real session decide here too, on a clock that jumps from one event to the
next. What they would put is kept in a dictionary. So the model cannot drift away from the engine. Pure.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast

from blobpipes.chunklog.compressing import GZIP, agreed
from blobpipes.chunklog.options import Compression, LogOptions
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import Deliver, Get, ListChunks, Listed, ReaderAction, ReaderSettings, Seal
from blobpipes.chunklog.writer_core import WriterCore
from blobpipes.chunklog.writer_types import Request, Verb
from blobpipes.cost.bill import Ledger
from blobpipes.cost.forecast import Conditions, Forecast, Latency, Tally, prolong, window
from blobpipes.cost.trace import Message, Trace, Workload
from blobpipes.storage.store import ObjectInfo

DESCRIPTOR_SIZE: Final = 200  # bytes
STREAM: Final = "5f1d0c3a9be24471"  # as long as a real one


def forecast_ours(trace: Trace, options: LogOptions, conditions: Conditions | None = None) -> Forecast:
    """A session with these options in which the job says what the trace says. What may be compressed, is by gzip."""
    codec = cast(Compression, agreed(options.compression, (GZIP,)))
    return _Session(trace, replace(options, compression=codec), conditions or Conditions()).run()


def forecast_our_workload(workload: Workload, options: LogOptions, conditions: Conditions | None = None) -> Forecast:
    """As `forecast_ours`; of a long job only a part is gone through, and the rest is like its second half."""
    part = window(workload.seconds, workload.rate, options.interval)
    whole = forecast_ours(workload.trace(part), options, conditions)
    if part >= workload.seconds:
        return whole
    half = forecast_ours(workload.trace(part / 2), options, conditions)
    return prolong(half, whole, (workload.seconds - part) / (part / 2))


class _Session:
    """Both cores and the store between them."""

    def __init__(self, trace: Trace, options: LogOptions, conditions: Conditions) -> None:
        self._trace = trace.messages
        self._options = options
        self._conditions = conditions
        self._now = 0.0
        self._said = 0  # messages of the trace that were accepted
        self._writer: WriterCore | None = None  # from the job's first message on
        self._reader = ReaderCore(ReaderSettings(options=options), 0.0)
        self._objects: dict[int, bytes] = {}
        self._answers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._worker_tally, self._reader_tally = Tally(), Tally()
        self._latencies: list[float] = []
        self._told_gone = False

    def run(self) -> Forecast:
        self._count_opening()
        while not self._reader.is_done:
            moment = min(self._next_answer(), self._next_message(), self._writer_due(), self._reader_due())
            assert math.isfinite(moment), "nothing would ever happen again"
            self._now = max(self._now, moment)
            if self._next_message() <= self._now:
                self._say()
            while self._answers and self._answers[0][0] <= self._now:
                heapq.heappop(self._answers)[2]()
            self._ask_for_writer()
            self._ask_for_reader()
        self._finish_writer()
        return Forecast(
            Ledger(self._worker_tally.usage(), self._reader_tally.usage()),
            Latency.of(self._latencies),
            len(self._objects),
            len(self._trace) - len(self._latencies),
        )

    # --- when something happens ----------------------------------------------------------------------

    def _next_answer(self) -> float:
        return self._answers[0][0] if self._answers else math.inf

    def _next_message(self) -> float:
        return self._trace[self._said].at if self._said < len(self._trace) else math.inf

    def _writer_due(self) -> float:
        due = self._writer.due(self._now) if self._writer is not None else None
        return math.inf if due is None else due

    def _reader_due(self) -> float:
        due = self._reader.due()
        return math.inf if due is None else due

    def _later(self, seconds: float, answer: Callable[[], None]) -> None:
        heapq.heappush(self._answers, (self._now + seconds, next(self._order), answer))

    # --- the job -------------------------------------------------------------------------------------

    def _say(self) -> None:
        """The job's next messages, up to one after which a chunk may be due."""
        if self._writer is None:
            self._worker_tally.get(self._conditions.context_size)
            self._writer = WriterCore(stream=STREAM, options=self._options, negotiated=True, now=self._now)
        until = min(self._next_answer(), self._reader_due())
        due = self._writer_due()
        while self._said < len(self._trace):
            message = self._trace[self._said]
            if message.at > self._now and message.at > min(until, due):
                return
            self._now = max(self._now, message.at)
            self._said += 1
            if self._accept(message):
                return

    def _accept(self, message: Message) -> bool:
        """True if the uploader must look now."""
        assert self._writer is not None
        if self._said == len(self._trace):
            self._writer.close(message.line, self._now, failed=False)
            return True
        return self._writer.accept(message.line, self._now, urgent=message.urgent)

    def _ask_for_writer(self) -> None:
        writer = self._writer
        if writer is None:
            return
        if writer.is_over:
            self._tell_gone()
            return
        request = writer.poll(self._now)
        if request is not None:
            seconds = self._conditions.put if request.verb is Verb.PUT else self._conditions.get
            self._later(seconds, lambda: self._answer_writer(writer, request))

    def _answer_writer(self, writer: WriterCore, request: Request) -> None:
        """One process writes and nothing fails: a put is stored, and what is read is there."""
        if request.verb is Verb.PUT:
            self._objects[request.number] = request.data
            self._worker_tally.put(len(request.data))
            writer.on_stored(self._now)
        else:
            data = self._objects.get(request.number)
            self._worker_tally.get(len(data or b""))
            writer.on_read(data, self._now)

    def _tell_gone(self) -> None:
        if not self._told_gone:
            self._told_gone = True
            self._later(self._conditions.exit_notice, lambda: self._reader.process_gone(self._now))

    def _finish_writer(self) -> None:
        """The reader may have seen the end before the job's process is through with it."""
        while self._writer is not None and not self._writer.is_over:
            self._ask_for_writer()
            self._now, _, answer = heapq.heappop(self._answers)
            answer()

    # --- the orchestration side ----------------------------------------------------------------------

    def _count_opening(self) -> None:
        """Claiming the name, putting the context, and removing it at the end."""
        self._reader_tally.get()
        self._reader_tally.get()
        self._reader_tally.put(DESCRIPTOR_SIZE)
        self._reader_tally.put(self._conditions.context_size)
        self._reader_tally.requests["delete"] += 1

    def _ask_for_reader(self) -> None:
        for action in self._reader.poll(self._now):
            match action:
                case Get():
                    self._later(self._conditions.get, self._getting(action))
                case ListChunks():
                    self._reader_tally.requests["list"] += 1
                    self._later(self._conditions.get, self._list)
                case Seal():
                    self._later(self._conditions.put, self._sealing(action))

    def _getting(self, action: Get) -> Callable[[], None]:
        def answer() -> None:
            data = self._objects.get(action.number)
            self._reader_tally.get(len(data or b""))
            self._take(self._reader.on_object(action.number, data, self._now))

        return answer

    def _list(self) -> None:
        listed = [Listed(number, ObjectInfo(f"{number}.json", len(data))) for number, data in self._objects.items()]
        self._take(self._reader.on_listed(listed, self._now))

    def _sealing(self, action: Seal) -> Callable[[], None]:
        def answer() -> None:
            self._reader_tally.put(len(action.data))
            is_free = action.number not in self._objects
            if is_free:
                self._objects[action.number] = action.data
            self._take(self._reader.on_sealed(is_free, self._now))

        return answer

    def _take(self, actions: Sequence[ReaderAction]) -> None:
        for action in actions:
            if isinstance(action, Deliver):
                self._latencies += [self._now - self._trace[message.seq - 1].at for message in action.messages]
