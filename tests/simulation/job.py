"""The job's side: one process that writes, its program, and what it was told.

The program is drawn from the seed: how many threads speak, how large and how often, when it flushes, how it ends.
It notes which messages were accepted, for that is what the oracle is about.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import Spool
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.errors import BlobpipesError, DagsterPipesError, UndeliveredError, WriterError
from tests.simulation.kernel import Process, Simulation
from tests.simulation.network import Reach, SimulatedStore
from tests.simulation.threads import SimulatedClock

LARGE: Final = 40_000  # bytes: two of them fill the smallest buffer
PAUSES: Final = (0.0, 0.0, 0.05, 1.0, 15.0, 90.0)

Speaker = tuple[str, int]  # process and thread
WriterKind = Callable[..., ChunkWriter]


@dataclass(frozen=True)
class Said:
    """One message: who said it, and as its how manyth (from 0)."""

    speaker: Speaker
    number: int

    def line(self, method: str = "log", *, size: int = 0, failed: bool = False) -> bytes:
        params: dict[str, Any] = {"id": [*self.speaker, self.number], "text": "x" * size}
        if failed:
            params["exception"] = {"name": "E"}
        return json.dumps({"method": method, "params": params}).encode()


def said_in(line: bytes) -> Said:
    name, thread, number = json.loads(line)["params"]["id"]
    return Said((name, thread), number)


@dataclass(eq=False)
class Job:
    """One process of a log, started at most once."""

    simulation: Simulation
    process: Process
    store: SimulatedStore
    options: LogOptions
    spool_directory: Path
    reach: Reach
    kind: WriterKind
    accepted: list[Said] = field(default_factory=list)  # the call returned
    accepted_at: dict[Said, float] = field(default_factory=dict)
    promised: set[Said] = field(default_factory=set)  # and `flush` said that they are stored
    outcome: str = ""  # "closed", "failed", "left", or the name of what was raised; "killed"
    told: BaseException | None = None
    stream: str = ""
    is_ending: bool = False
    writer: ChunkWriter | None = None
    spool: Spool | None = None
    _spoken: dict[int, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return bool(self.outcome)

    # --- its life ----------------------------------------------------------------------------------

    def start(self) -> None:
        self.simulation.say(f"{self.process.name} starts")
        self.simulation.start("program", self.process, self._live, is_essential=True)

    def kill(self) -> None:
        """SIGKILL. Its locks on the disk are free again, as the kernel sees to."""
        self.outcome = self.outcome or "killed"
        self.simulation.kill(self.process)
        journal = self.spool._journal if self.spool is not None else None
        if self.spool is not None and journal is not None:
            journal.close(keep=True)
            self.spool._journal = None

    def terminate(self, grace: float) -> None:
        """SIGTERM: what the exit hooks make of it, in their own thread; then the end."""

        def signalled() -> None:
            if self.writer is not None:
                self.reach("job: SIGTERM")
                self.writer.terminate(grace)

        self.simulation.start("signals", self.process, signalled)

    def _live(self) -> None:
        try:
            self.outcome = self._program()
        except BlobpipesError as error:
            self.told, self.outcome = error, type(error).__name__
        self.simulation.say(f"{self.process.name} is over: {self.outcome}")
        self.reach(f"job: {self.outcome}")

    def _program(self) -> str:
        chance, writer = self.simulation.chance, self._made()
        replays = self.spool is not None and self.spool.left is not None
        if replays and chance.random() < 0.5:
            return self._deliver_what_was_left(writer)
        self._open(writer)
        others = [
            self.simulation.start(f"speaker {number}", self.process, lambda n=number: self._speak(writer, n))
            for number in range(1, chance.choice((1, 1, 2, 3)))
        ]
        self._speak(writer, 0)
        self.simulation.wait(lambda: all(each.is_done for each in others))
        how = chance.choice(("closed", "closed", "failed", "failed", "left"))
        if how == "left":
            return self._leave(writer)
        self.is_ending = True
        self.simulation.say(f"closes: {how}")
        said = self._next(0)
        writer.close(said.line("closed", failed=how == "failed"), failed=how == "failed")
        self.accepted.append(said)
        self.promised.update(self.accepted)
        if chance.random() < 0.1:
            writer.close(said.line("closed"), failed=False)
            self._say_after_the_end(writer)
        return how

    def _made(self) -> ChunkWriter:
        simulation = self.simulation
        if self.options.spool != "off":
            self.spool = Spool(self.spool_directory, self.options.spool, limit=self.options.max_spool)
        writer = self.writer = self.kind(
            self.store,
            options=self.options,
            negotiated=True,
            clock=SimulatedClock(simulation),
            chance=simulation.chance.random,
            on_warning=lambda text: self.reach("job: warned"),
            spool=self.spool,
        )
        self.stream = writer.stream
        return writer

    def _open(self, writer: ChunkWriter) -> None:
        said = self._next(0)
        writer.open(said.line("opened"))
        self._accept(said)
        if self.spool is not None and self.spool.left is not None:
            self.reach("job: replays a spool")

    def _deliver_what_was_left(self, writer: ChunkWriter) -> str:
        """As `blobpipes resend` does: put what another process left, as that process, and say nothing."""
        assert self.spool is not None
        assert self.spool.left is not None
        closing = self.spool.left.closing
        self.is_ending = True
        writer.resume(closing)
        writer.finish(closing)
        writer.finish(closing)  # a second time does nothing
        self.reach("job: delivered what was left")
        return "resent"

    def _leave(self, writer: ChunkWriter) -> str:
        """The program ends without `close`: the exit hooks see to what was accepted."""
        before = list(self.accepted)
        self.is_ending = True
        self.simulation.say("ends without closing")
        writer.expect_exit()
        self.promised.update(before)
        if self.simulation.chance.random() < 0.5:  # something says a last word while the interpreter ends
            self._say(writer, 0, urgent=False)
            self.promised.update(self.accepted)
        self.outcome = "left"
        self.reach("job: left")
        self.kill()
        return "left"

    def _say_after_the_end(self, writer: ChunkWriter) -> None:
        try:
            writer.write(b"{}")
        except WriterError:
            raise
        except DagsterPipesError:
            self.reach("job: spoke after the end")
        else:
            raise AssertionError("a message after the end was taken")

    # --- what it says ------------------------------------------------------------------------------

    def _speak(self, writer: ChunkWriter, thread: int) -> None:
        chance = self.simulation.chance
        try:
            for _ in range(chance.choice((0, 1, 3, 8))):
                self._do_something(writer, thread, chance)
        except WriterError as error:
            if thread == 0:
                raise
            self.told = self.told or error

    def _do_something(self, writer: ChunkWriter, thread: int, chance: random.Random) -> None:
        self.simulation.sleep(chance.choice(PAUSES))
        if chance.random() < 0.15:
            before = list(self.accepted)
            if writer.flush(chance.choice((None, 0.0, 5.0))):
                self.promised.update(before)
                self.reach("job: flushed")
            else:
                self.reach("job: not flushed in time")
        for _ in range(chance.choice((1, 1, 4))):
            self._say(writer, thread, urgent=chance.random() < 0.2)

    def _say(self, writer: ChunkWriter, thread: int, *, urgent: bool) -> None:
        size = LARGE if self.options.max_buffer < 1 << 20 and self.simulation.chance.random() < 0.5 else 0
        said = self._next(thread)
        line = said.line(size=size)
        began = self.simulation.now
        stored = writer.stats.stored if size else 0
        writer.write(line, urgent=urgent)
        if size and self.simulation.now > began and writer.stats.stored > stored:
            self.reach("job: waited for room")
        self._accept(said)

    def _next(self, thread: int) -> Said:
        number = self._spoken.get(thread, 0)
        self._spoken[thread] = number + 1
        return Said((self.process.name, thread), number)

    def _accept(self, said: Said) -> None:
        self.accepted.append(said)
        self.accepted_at[said] = self.simulation.now

    @property
    def undelivered_told(self) -> int | None:
        """How many messages are lost, as the error says; None if there was none that does."""
        return self.told.count if isinstance(self.told, UndeliveredError) else None
