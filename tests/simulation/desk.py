"""The orchestration side: one process with a poller, and a reader for each log that it follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader import LogReader
from blobpipes.chunklog.reader_types import Delivered, LogEnd, Problem, ReaderSettings
from blobpipes.orchestration.inbox import Inbox
from blobpipes.orchestration.poller import Poller
from blobpipes.orchestration.reading import Watched, followed
from tests.simulation.job import Said, said_in
from tests.simulation.kernel import Process, Simulation
from tests.simulation.network import Reach, SimulatedStore, StoreBugError
from tests.simulation.threads import SimulatedClock


class HandlerError(Exception):
    """What a caller's handler raises."""


@dataclass(eq=False)
class Watch:
    """One reader of one log, and all that its handler got."""

    desk: Desk
    store: SimulatedStore
    settings: ReaderSettings
    kind: type[LogReader]
    got: dict[Said, float] = field(default_factory=dict)  # in this order, and when
    skipped: int = 0  # messages that a gap has cost
    problems: list[str] = field(default_factory=list)
    end: LogEnd | None = None
    is_over: bool = False
    told_at: float | None = None  # that the process is gone
    ended_at: float | None = None
    stops: bool = False
    may_not_seal: bool = False  # it could read, but was refused to write: without a proof of the end
    _last: dict[str, int] = field(default_factory=dict)  # number, per stream

    def follow(self) -> None:
        """Read while the process lives, and then to the end. The main thread of this reader."""
        simulation = self.desk.simulation
        inbox = Inbox()
        reader = self.kind(
            self.store,
            scheduler=Watched(self.desk.poller, is_ended=lambda: reader.is_ended, on_end=inbox.reading_ended),
            deliver=self._deliver,
            report=self._report,
            settings=self.settings,
            clock=self.desk.clock,
            chance=simulation.chance.random,
        )
        try:
            with followed(reader, inbox):
                simulation.wait(lambda: self.told_at is not None or self.stops)
                if self.stops:
                    reader.stop()
            self.end = reader.wait(5.0)
        except (HandlerError, StoreBugError) as error:
            self.desk.reach(f"reader: {type(error).__name__} reached who waits")
        if self.end is not None:
            assert self.end.messages == len(self.got), "the end is told before all was handled"
            self.ended_at = simulation.now
        simulation.wait(lambda: inbox._readings == 0)  # the session is told, or this is a deadlock
        assert inbox.is_finished()
        self.is_over = True
        simulation.say(f"the reading is over: {self.end.verdict if self.end else 'without a verdict'}")

    def _deliver(self, messages: Sequence[Delivered]) -> None:
        """I6, judged where it happens."""
        for each in messages:
            said = said_in(each.line)
            before = self._last.get(each.stream, 0)
            assert each.seq > before, f"message {each.seq} of {each.stream} comes after {before}"
            assert each.seq == before + 1 or self.problems[-1] in ("gap", "restarted"), "a gap that nobody names"
            assert said not in self.got, f"{said} comes twice"
            self.skipped += each.seq - before - 1
            self._last[each.stream] = each.seq
            self.got[said] = self.desk.simulation.now
        self.desk.simulation.say(f"{len(messages)} messages are delivered")
        self._handle()

    def _handle(self) -> None:
        chance = self.desk.simulation.chance
        if chance.random() < self.desk.raises:
            raise HandlerError
        if chance.random() < self.desk.slow:
            self.desk.simulation.sleep(chance.choice((0.1, 30.0)))

    @property
    def has_read_all(self) -> bool:
        """It has ended with a verdict on the whole log, and the proof of it."""
        return self.end is not None and self.end.verdict not in ("refused", "unreachable") and not self.may_not_seal

    def tell(self) -> None:
        """The platform says that the process is gone."""
        if self.told_at is None:
            self.told_at = self.desk.simulation.now

    def _report(self, problem: Problem) -> None:
        self.problems.append(problem.kind)
        self.may_not_seal = self.may_not_seal or "cannot be sealed" in problem.text
        self.desk.simulation.say(f"{problem.kind}: {problem.text}")


@dataclass(eq=False)
class Desk:
    """One orchestration process."""

    simulation: Simulation
    process: Process
    reach: Reach
    poller_kind: type[Poller]
    slow: float = 0.0  # how many deliveries take their time
    raises: float = 0.0  # how many raise
    clock: SimulatedClock = field(init=False)
    poller: Poller = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.simulation)
        self.poller = self.poller_kind(clock=self.clock, workers=self.simulation.chance.choice((1, 2, 8)))

    def watch(
        self, store: SimulatedStore, options: LogOptions, *, restarts: int, kind: type[LogReader] = LogReader
    ) -> Watch:
        settings = ReaderSettings(options, owner=self.process.name, restarts=restarts)
        watch = Watch(self, store, settings, kind)
        self.simulation.start("session", self.process, watch.follow, is_essential=True)
        return watch

    def lose_executors(self) -> None:
        """The main thread of the program has ended; sessions of other threads go on."""
        pool = self.poller._workers
        pool.is_shut_down = True  # type: ignore[attr-defined]
