"""Both cores, a dictionary for a store and a clock that is only a number: the engine without its shells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from blobpipes.chunklog.layout import chunk_key, chunk_number
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_types import (
    Deliver,
    Delivered,
    Finish,
    Get,
    ListChunks,
    Listed,
    LogEnd,
    Problem,
    ReaderAction,
    ReaderSettings,
    Report,
    Seal,
)
from blobpipes.chunklog.writer_core import Request, Verb, WriterCore
from blobpipes.storage.store import ObjectInfo

Fault = str | None  # None, "request lost", "reply lost", "refused", "exists" (a false one)


def message(method: str, number: int = 0, **params: object) -> bytes:
    """A line as our writers make it."""
    return json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": {"n": number, **params}}).encode()


@dataclass
class World:
    """One store and one clock. Writers and readers are driven by the test."""

    now: float = 0.0
    objects: dict[int, bytes] = field(default_factory=dict)
    puts: list[int] = field(default_factory=list)  # numbers, in the order they were stored
    requests: list[str] = field(default_factory=list)

    def writer(self, stream: str = "w1", *, negotiated: bool = True, **options: object) -> WriterCore:
        core = WriterCore(stream=stream, options=LogOptions(**options), negotiated=negotiated, now=self.now)  # type: ignore[arg-type]
        core.accept(message("opened"), self.now)
        return core

    def serve_writer(self, core: WriterCore, fault: Fault = None) -> Request | None:
        """Let the writer ask one thing, and answer it. None when it has nothing to ask now."""
        request = core.poll(self.now)
        if request is not None:
            self.requests.append(f"{request.verb.value} {request.number}")
            self._answer_writer(core, request, fault)
        return request

    def settle_writer(self, core: WriterCore, limit: int = 50) -> None:
        """Serve without faults until the writer has nothing to ask at this moment."""
        for _ in range(limit):
            if self.serve_writer(core) is None:
                return
        raise AssertionError("the writer never stops asking")

    def run_writer_to(self, core: WriterCore, until: float) -> None:
        """Let time pass to `until`; the writer asks whenever it wants."""
        self._run(lambda: core.due(self.now), lambda: self.serve_writer(core), until)

    def _answer_writer(self, core: WriterCore, request: Request, fault: Fault) -> None:
        if fault in ("request lost", "refused"):
            core.on_failed(self.now, refused=fault == "refused" and request.verb is Verb.PUT, chance=0.5)
        elif fault == "exists" and request.verb is Verb.PUT:
            core.on_exists(self.now)
        elif request.verb is Verb.PUT:
            stored = self.put(request.number, request.data)
            if fault == "reply lost":
                core.on_failed(self.now, refused=False, chance=0.5)
            elif stored:
                core.on_stored(self.now)
            else:
                core.on_exists(self.now)
        elif request.verb is Verb.READ:
            core.on_read(self.objects.get(request.number), self.now)
        else:
            core.on_listed(max(self.objects, default=0), self.now)

    def put(self, number: int, data: bytes) -> bool:
        if number in self.objects:
            return False
        self.objects[number] = data
        self.puts.append(number)
        return True

    def _run(self, due: Callable[[], float | None], serve: Callable[[], object], until: float) -> None:
        for _ in range(100_000):
            moment = due()
            if moment is None or moment > until:
                self.now = until
                return
            self.now = max(self.now, moment)
            serve()
        raise AssertionError("too many requests")


@dataclass
class Reading:
    """One reader of a world's log, and what came out of it."""

    world: World
    settings: ReaderSettings = field(default_factory=ReaderSettings)
    delivered: list[Delivered] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    end: LogEnd | None = None
    gets: list[tuple[float, int, bool]] = field(default_factory=list)  # when, which, was it there
    lists: int = 0

    def __post_init__(self) -> None:
        self.core = ReaderCore(self.settings, self.world.now)

    @property
    def lines(self) -> list[bytes]:
        return [each.line for each in self.delivered]

    def serve(self, fault: Fault = None) -> bool:
        """Let the reader ask what it wants now, and answer it all. False when it wants nothing."""
        actions = self.core.poll(self.world.now)
        for action in actions:
            self._perform(action, fault)
        return bool(actions)

    def settle(self, limit: int = 5000) -> None:
        """Serve until the reader has nothing to ask at this moment."""
        for _ in range(limit):
            if not self.serve():
                return
        raise AssertionError("the reader never stops asking")

    def run_to(self, until: float) -> None:
        """Let time pass to `until`; the reader looks whenever it wants."""
        self.world._run(self.core.due, self.serve, until)

    def finish(self) -> LogEnd:
        """The process is gone: read to the end, however long that takes."""
        self.core.process_gone(self.world.now)
        self.run_to(self.world.now + 10_000)
        assert self.end is not None
        return self.end

    def _perform(self, action: ReaderAction, fault: Fault) -> None:
        now = self.world.now
        match action:
            case Deliver():
                self.delivered += action.messages
            case Report():
                self.problems.append(action.problem)
            case Finish():
                self.end = action.end
            case _:
                for follow in self._answer(action, fault, now):
                    self._perform(follow, None)

    def _answer(self, action: ReaderAction, fault: Fault, now: float) -> list[ReaderAction]:
        if fault in ("request lost", "refused"):
            return self.core.on_failed(action, now, refused=fault == "refused", chance=0.5, text=fault)
        match action:
            case Get():
                data = self.world.objects.get(action.number)
                self.gets.append((now, action.number, data is not None))
                return self.core.on_object(action.number, data, now)
            case Seal():
                stored = self.world.put(action.number, action.data)
                if fault == "reply lost":
                    return self.core.on_failed(action, now, refused=False, chance=0.5, text=fault)
                return self.core.on_sealed(stored, now)
            case ListChunks():
                self.lists += 1
                infos = [(n, ObjectInfo(chunk_key(n), len(data))) for n, data in self.world.objects.items()]
                assert all(chunk_number(info.key) == n for n, info in infos)
                return self.core.on_listed([Listed(n, info) for n, info in infos], now)
            case _:
                raise AssertionError(action)


def run_both(world: World, writer: WriterCore, reading: Reading, until: float) -> None:
    """Let time pass for both sides."""

    def due() -> float | None:
        moments = [moment for moment in (writer.due(world.now), reading.core.due()) if moment is not None]
        return min(moments, default=None)

    world._run(due, lambda: (world.serve_writer(writer), reading.serve()), until)
