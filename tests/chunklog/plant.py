"""Processes, a store, a reader and a clock, for a test that decides what happens next and what goes wrong.

Unlike `world.py`, requests are on their way for as long as the test likes, puts may land after their sender has
given them up or died, and several processes and readers follow one another. The plant keeps the oracle: what
every process has accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blobpipes.chunklog.header import ChunkHeader, Flag, LegacyChunk, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import chunk_key
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader_core import ReaderCore
from blobpipes.chunklog.reader_core import State as Reading
from blobpipes.chunklog.reader_types import (
    Deliver,
    Delivered,
    Finish,
    Get,
    Listed,
    LogEnd,
    ReaderAction,
    ReaderSettings,
    Report,
    Seal,
)
from blobpipes.chunklog.writer_buffer import Record
from blobpipes.chunklog.writer_core import Request, State, Verb, WriterCore
from blobpipes.storage.store import ObjectInfo
from tests.chunklog.spool_model import SpoolModel
from tests.chunklog.world import message


@dataclass(eq=False)
class Process:
    """One process that writes."""

    core: WriterCore
    stream: str
    replays: bool = False  # it continues a dead process' stream
    request: Request | None = None  # on its way
    closing: bool = False
    over: str = ""  # "killed", "closed" or "raised"


@dataclass(eq=False)
class Watcher:
    """One reader with its handler."""

    core: ReaderCore
    asked: list[ReaderAction] = field(default_factory=list)  # on their way
    old_answers: dict[int, bytes | None] = field(default_factory=dict)  # gets that are answered, not yet arrived
    lines: dict[str, list[bytes]] = field(default_factory=dict)  # delivered, per stream
    newest_chunk: int = 0  # of those that brought a message
    problems: list[str] = field(default_factory=list)
    end: LogEnd | None = None


@dataclass(eq=False)
class Plant:
    """One log and all that happens around it. `reach` is told of everything worth counting."""

    options: LogOptions
    negotiated: bool
    keeps_spool: bool
    restarts: int
    reach: Callable[[str], None]
    now: float = 0.0
    log: dict[int, bytes] = field(default_factory=dict)
    late: list[tuple[int, bytes]] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    accepted: dict[str, list[bytes]] = field(default_factory=dict)  # per stream
    spools: dict[str, int] = field(default_factory=dict)  # dead streams, and up to where they need no replay
    is_gone: bool = False  # the platform has said so, and it is true
    was_lied_to: bool = False

    def __post_init__(self) -> None:
        self.watcher = self.new_watcher()

    # --- processes ---------------------------------------------------------------------------------

    def start(self, *, replay: bool) -> None:
        """One more process; with `replay` it continues a dead one's stream, if there is a spool."""
        stream, resume, backlog = f"s{len(self.processes) + 1}", None, None
        if replay and self.spools:
            stream, stored = self.spools.popitem()
            records = [Record(seq, line) for seq, line in enumerate(self.accepted[stream], 1) if seq > stored]
            resume, backlog = (records[0].seq, records[-1].seq), SpoolModel(records)
            self.reach("writer: replays a spool")
        core = WriterCore(
            stream=stream,
            options=self.options,
            negotiated=self.negotiated,
            now=self.now,
            resume=resume,
            backlog=backlog,
        )
        self.processes.append(Process(core, stream, replays=backlog is not None))
        self.say(self.processes[-1], message("opened", len(self.processes)))

    def say(self, process: Process, line: bytes, *, urgent: bool = False) -> None:
        process.core.accept(line, self.now, urgent=urgent)
        self._note(process, line)

    def close(self, process: Process, *, failed: bool) -> None:
        line = message("closed", len(self.processes), **({"exception": {"name": "E"}} if failed else {}))
        process.closing = True
        process.core.close(line, self.now, failed=failed)
        self._note(process, line)

    def kill(self, process: Process, fate: str) -> None:
        """SIGKILL. A put that is on its way is lost, stored, or lands late."""
        if process.request is not None and process.request.verb is Verb.PUT and fate != "lost":
            self.late.append((process.request.number, process.request.data))
            if fate == "stored":
                self.land(-1)
        self._end(process, "killed")

    def give_up(self, process: Process) -> None:
        process.core.abandon("out of time")
        self._end(process, "raised")
        self.reach("writer: gave up")

    def answer(self, process: Process, outcome: str) -> None:
        """End the request that is on its way: answered, request lost, reply lost, late, refused, false exists."""
        request, process.request, core = process.request, None, process.core
        assert request is not None
        if outcome == "request lost" or (outcome == "refused" and request.verb is not Verb.READ):
            core.on_failed(self.now, refused=outcome == "refused", chance=0.5)
        elif request.verb is Verb.PUT:
            self._answer_put(core, request, outcome)
        elif request.verb is Verb.LIST:
            core.on_listed(max(self.log, default=0), self.now)
        else:
            self._answer_read(core, request)
        assert core.state is not State.CLOSED or process.closing, "G1: it is closed, though it has more to say"
        if core.is_over:
            self._end(process, "closed" if core.state is State.CLOSED else "raised")
            self.reach(_ending(core))

    def _answer_put(self, core: WriterCore, request: Request, outcome: str) -> None:
        if outcome == "false exists" and request.number not in self.log:
            core.on_exists(self.now)
            self.reach("writer: a false exists")
            return
        if outcome == "late":
            self.late.append((request.number, request.data))
        stored = outcome != "late" and self.put(request.number, request.data)
        if outcome in ("late", "reply lost"):
            core.on_failed(self.now, refused=False, chance=0.5)
        elif stored:
            core.on_stored(self.now)
        else:
            core.on_exists(self.now)

    def _answer_read(self, core: WriterCore, request: Request) -> None:
        stored, data = core.stored, self.log.get(request.number)
        core.on_read(data, self.now)
        if core.stored > stored and data is not None:
            is_own = header_of(data).epoch == core.epoch
            self.reach("writer: a put was its own" if is_own else "writer: a replay is trimmed")

    def _note(self, process: Process, line: bytes) -> None:
        self.accepted.setdefault(process.stream, []).append(line)
        assert process.core.accepted == len(self.accepted[process.stream])

    def _end(self, process: Process, how: str) -> None:
        process.over, process.request = how, None
        if self.keeps_spool and how != "closed" and process.core.undelivered:
            self.spools[process.stream] = process.core.stored

    # --- the store ---------------------------------------------------------------------------------

    def put(self, number: int, data: bytes) -> bool:
        if number in self.log:
            return False
        self.log[number] = data
        if header_of(data).has(Flag.HEARTBEAT):
            self.reach("writer: a heartbeat")
        return True

    def land(self, index: int) -> None:
        stored = self.put(*self.late.pop(index))
        self.reach("store: a late put is stored" if stored else "store: a late put is too late")

    def drop_what_nothing_stops(self) -> None:
        """Official bytes carry no seal: a put that lands after the end is lost, and documented."""
        if not self.negotiated:
            self.late.clear()

    def held(self) -> dict[str, int]:
        """The last number of each stream that the log holds."""
        held = dict.fromkeys(self.accepted, 0)
        for header in map(header_of, self.log.values()):
            if header.stream in held:
                held[header.stream] = max(held[header.stream], header.last)
        return held

    # --- the reader --------------------------------------------------------------------------------

    def new_watcher(self) -> Watcher:
        watcher = Watcher(ReaderCore(ReaderSettings(self.options, restarts=self.restarts), self.now))
        if self.is_gone:
            watcher.core.process_gone(self.now)
        return watcher

    def crash_reader(self, *, landing: bool) -> None:
        """The reader dies; another one with a new handler begins. A seal that is on its way may still land."""
        seals = [action for action in self.watcher.asked if isinstance(action, Seal)]
        self.late += [(seal.number, seal.data) for seal in seals if landing]
        self.watcher = self.new_watcher()
        self.reach("reader: crashed")

    def say_gone(self) -> None:
        alive = any(not process.over for process in self.processes)
        self.drop_what_nothing_stops()
        self.is_gone, self.was_lied_to = not alive, self.was_lied_to or alive
        self.watcher.core.process_gone(self.now)
        if alive:
            self.reach("platform: lied")

    def look(self) -> None:
        self.watcher.asked = list(self.watcher.core.poll(self.now))
        if len(self.watcher.asked) > 1:
            self.reach("reader: several gets at once")

    def answer_reader(self, index: int, outcome: str) -> None:
        """End a request of the reader: answered, lost, refused. "on its way": answered now, arrives later."""
        watcher, action = self.watcher, self.watcher.asked[index]
        if outcome == "on its way" and isinstance(action, Get):
            watcher.old_answers.setdefault(action.number, self.log.get(action.number))
            return
        del watcher.asked[index]
        if outcome in ("lost", "refused"):
            if outcome == "lost" and isinstance(action, Seal):
                self.put(action.number, action.data)  # only its reply is lost
            refused = outcome == "refused" and isinstance(action, Get)
            self._obey(watcher.core.on_failed(action, self.now, refused=refused, chance=0.5, text=outcome))
        elif isinstance(action, Get):
            data = watcher.old_answers.pop(action.number, self.log.get(action.number))
            if data is None and action.number in self.log:
                self.reach("reader: an old 'absent'")
            self._obey(watcher.core.on_object(action.number, data, self.now))
        elif isinstance(action, Seal):
            self._obey(watcher.core.on_sealed(self._seal(action), self.now))
        else:
            infos = [Listed(n, ObjectInfo(chunk_key(n), len(data))) for n, data in sorted(self.log.items())]
            self._obey(watcher.core.on_listed(infos, self.now))

    def _seal(self, action: Seal) -> bool:
        if self.put(action.number, action.data):
            self.reach("reader: sealed")
            return True
        is_own = self.log[action.number] == action.data
        self.reach("reader: its own seal stood already" if is_own else "reader: a chunk was faster than the seal")
        return False

    def _obey(self, actions: list[ReaderAction]) -> None:
        watcher = self.watcher
        for action in actions:
            assert watcher.end is None, f"{action} comes after the end"
            if isinstance(action, Deliver):
                for each in action.messages:
                    self._deliver(each)
            elif isinstance(action, Report):
                watcher.problems.append(action.problem.kind)
            elif isinstance(action, Finish):
                watcher.end, watcher.asked = action.end, []
        if watcher.core.state is Reading.HOLD:
            self.reach("reader: waits for a restart")

    def _deliver(self, message: Delivered) -> None:
        """I6, judged where it happens."""
        stream, seq, watcher = message.stream, message.seq, self.watcher
        lines = watcher.lines.setdefault(stream, [])
        assert seq == len(lines) + 1, f"I6: message {seq} of {stream} comes after {len(lines)}"
        assert message.chunk >= watcher.newest_chunk, "I6: not in the order of the log"
        watcher.newest_chunk = message.chunk
        lines.append(without_marks(message.line))
        assert lines[-1] == self.accepted[stream][seq - 1], "I6: not what was accepted"

    # --- without faults ----------------------------------------------------------------------------

    def work_until(self, moment: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Everybody works, time passes up to `moment`."""
        for _ in range(10_000):
            if stop():
                return
            if not self._work():
                due = self._next_due()
                if due is None or due > moment:
                    self.now = moment
                    return
                self.now = max(self.now, due)
        raise AssertionError("G5: they never come to rest")

    def _work(self) -> bool:
        """Everybody takes a step. False if nobody has one to take now."""
        busy = False
        for process in self.processes:
            if not process.over:
                process.request = process.request or process.core.poll(self.now)
            if process.request is not None:
                busy = True
                self.answer(process, "answered")
        if self.watcher.end is None and not self.watcher.asked:
            self.look()
        while self.watcher.asked:
            busy = True
            self.answer_reader(0, "answered")
        return busy

    def _next_due(self) -> float | None:
        moments = [process.core.due(self.now) for process in self.processes if not process.over]
        moments.append(self.watcher.core.due() if self.watcher.end is None else None)
        return min((moment for moment in moments if moment is not None), default=None)


def header_of(data: bytes) -> ChunkHeader:
    """Header or marks of a chunk that one of our cores made."""
    chunk = parse_chunk(data)
    assert isinstance(chunk, (NegotiatedChunk, LegacyChunk)), data
    header = chunk.header if isinstance(chunk, NegotiatedChunk) else chunk.marks
    assert header is not None
    return header


def without_marks(line: bytes) -> bytes:
    head, mark, _ = line.partition(b', "__blobpipes"')
    return head + b"}" if mark else line


def _ending(core: WriterCore) -> str:
    if core.state is State.FENCED:
        return "writer: fenced by the reader's seal" if "gone" in core.obstacle else "writer: fenced by a successor"
    return {State.CLOSED: "writer: closed", State.SEALED: "writer: sealed out"}[core.state]
