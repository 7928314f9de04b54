"""What has a session asked of its store, and what did its job say and when? Read from its chunks, from outside.

The job's half of the bill stands in the chunks, counted. The orchestration side's half stands in its own report and
nowhere else, so that here it is estimated: by going through the session again with the engine's own decisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Final

from blobpipes.chunklog.header import Flag, LegacyChunk, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import lane_and_number
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.worker_ledger import WorkerLedger
from blobpipes.cost.bill import Ledger
from blobpipes.cost.forecast import Conditions
from blobpipes.cost.official_pair import forecast_official
from blobpipes.cost.our_pair import forecast_ours
from blobpipes.cost.trace import RecordedChunk, Trace, recorded, trace_of
from blobpipes.orchestration.archived_store import open_archive
from blobpipes.orchestration.catalog import FoundSession
from blobpipes.storage.metered import Meter
from blobpipes.storage.store import ObjectInfo, Store
from blobpipes.storage.usage import KINDS, Usage

AT_ONCE: Final = 16  # gets under way at the same time
_RESULTS: Final = ("report_asset_materialization", "report_asset_check")
_LOUD: Final = ("ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Recording:
    """One session, as it was read."""

    name: str
    url: str  # without secrets
    options: LogOptions
    chunks: int
    lanes: int  # logs that hold chunks
    worker: Usage | None  # of all processes that wrote; counted by them
    at_least: Usage  # what they must have asked: a put for each chunk that is there
    is_official: bool  # chunks of an official writer, which keeps no ledger
    trace: Trace | None  # of the fullest log; None where it says too little

    def ledger(self, conditions: Conditions | None = None) -> Ledger:
        """The job's half as it was counted, or as its chunks show at least; the orchestration side's, estimated."""
        return Ledger(self.worker or self.at_least, self._reader(conditions))

    @property
    def caveats(self) -> list[str]:
        """What of the ledger is no count, and why."""
        if not self.chunks:
            return ["nothing of it is left in the store"]
        found = ["the orchestration side's half is estimated"]
        if self.worker is None:
            found.append("the job keeps no ledger: one put for each chunk is counted, and no put that was repeated")
        if self.lanes > 1:
            found.append(
                f"the estimate goes through the fullest of {self.lanes} lanes, and takes the others for the same"
            )
        return found

    def _reader(self, conditions: Conditions | None) -> Usage:
        if self.trace is None:
            return Usage()
        if self.is_official:
            return forecast_official(self.trace, self.options.interval, conditions).ledger.reader
        one = forecast_ours(self.trace, self.options, conditions).ledger.reader
        return sum([one] * self.lanes, Usage())


def read_recording(session: FoundSession, meter: Meter | None = None) -> Recording:
    """Read all chunks of a session, archived or not. Costs a LIST, and a GET for each chunk that is no part of an
    archive.

    Raises:
        StoreError: the store refused, or could not be reached.
        DamagedArchiveError: it was archived, and its archive cannot be read.
    """
    store = session.open_store(meter=meter)
    infos = store.list("")
    archived = open_archive(store, {info.key for info in infos})
    logs = _logs(archived.list("") if archived is not None else infos)
    read = [_read_log(archived or store, log, session) for log in logs]
    read = [log for log in read if log.chunks]
    fullest = max(read, key=lambda log: log.chunks, default=None)
    usages = [log.ledger.usage for log in read]
    known = [usage for usage in usages if usage is not None]
    return Recording(
        name=session.name,
        url=session.url,
        options=session.options,
        chunks=sum(log.chunks for log in read),
        lanes=max(1, len(read)),
        worker=sum(known, Usage()) if known and len(known) == len(usages) else None,
        at_least=sum((log.at_least for log in read), Usage()),
        is_official=any(log.is_official for log in read),
        trace=fullest.trace if fullest is not None else None,
    )


@dataclass(slots=True)
class _Log:
    """One lane's chunks."""

    ledger: WorkerLedger
    chunks: int = 0
    at_least: Usage = field(default_factory=Usage)
    is_official: bool = False
    trace: Trace | None = None


def _logs(infos: Sequence[ObjectInfo]) -> list[list[ObjectInfo]]:
    """The chunks of each lane, by their numbers."""
    logs: dict[str, list[tuple[int, ObjectInfo]]] = {}
    for info in infos:
        place = lane_and_number(info.key)
        if place is not None:
            logs.setdefault(place[0], []).append((place[1], info))
    return [[info for _, info in sorted(log, key=lambda each: each[0])] for _, log in sorted(logs.items())]


def _read_log(store: Store, infos: Sequence[ObjectInfo], session: FoundSession) -> _Log:
    log = _Log(WorkerLedger())
    recording = _Times(session)
    for info, data in _contents(store, infos):
        chunk = parse_chunk(data)
        is_end = isinstance(chunk, NegotiatedChunk) and (
            chunk.header.has(Flag.READER_SEAL) or chunk.header.has(Flag.TOMB)
        )
        if is_end or not isinstance(chunk, (NegotiatedChunk, LegacyChunk)):
            continue  # nothing that a process wrote, or nothing that can be read
        log.chunks += 1
        log.ledger.add(chunk, len(data))
        put = MappingProxyType({**dict.fromkeys(KINDS, 0), "put": 1})
        log.at_least += Usage(put, bytes_up=len(data))
        log.is_official |= isinstance(chunk, LegacyChunk)
        recording.add(chunk, info.modified)
    log.trace = recording.trace()
    return log


def _contents(store: Store, infos: Sequence[ObjectInfo]) -> Iterator[tuple[ObjectInfo, bytes]]:
    remaining = iter(infos)
    while group := list(islice(remaining, AT_ONCE)):
        answers = [(info, store.start_get(info.key)) for info in group]
        for info, answer in answers:
            data = answer.result()
            if data is not None:  # it may have gone since
                yield info, data


class _Times:
    """When the messages of one log were said, as far as its chunks tell."""

    def __init__(self, session: FoundSession) -> None:
        self._options = session.options
        self._created = session.descriptor.created if session.descriptor is not None else None
        self._chunks: list[RecordedChunk] = []
        self._stream = ""
        self._offset = self._elapsed = 0.0  # a process that continues the log begins its own time anew
        self._first_at: float | None = None
        self._first_elapsed = 0.0

    def add(self, chunk: NegotiatedChunk | LegacyChunk, modified: float | None) -> None:
        lines = [(line, _is_urgent(line)) for line in chunk.lines]
        if isinstance(chunk, NegotiatedChunk):
            if chunk.header.stream != self._stream:
                self._stream, self._offset = chunk.header.stream, self._offset + self._elapsed
            self._elapsed = chunk.header.elapsed
            found = recorded(chunk.header, lines, self._options.interval)
            self._chunks.append(RecordedChunk(self._offset + found.elapsed, found.interval, found.lines))
        else:  # an official chunk tells no time: the store does, to a second or better
            start = self._first_at if self._first_at is not None else modified
            elapsed = max(0.0, (modified or 0.0) - (start or 0.0))
            self._chunks.append(RecordedChunk(elapsed, self._options.interval + 1, lines))
        if self._first_at is None:
            self._first_at, self._first_elapsed = modified, self._chunks[0].elapsed

    def trace(self) -> Trace | None:
        """From the session's opening on, where both clocks are known."""
        boot = 0.0
        if self._created is not None and self._first_at is not None:
            boot = max(0.0, self._first_at - self._created - self._first_elapsed)
        return trace_of(self._chunks, boot=boot)


def _is_urgent(line: bytes) -> bool:
    """As the writer judges: results and errors may leave early."""
    try:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params") or {}
        return method in _RESULTS or (method == "log" and params.get("level") in _LOUD)
    except (ValueError, AttributeError, RecursionError):
        return False
