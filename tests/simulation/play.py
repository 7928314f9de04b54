"""One seed: a store, one or two logs, their processes and readers, from the start to the judgement."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from blobpipes.chunklog.options import LogOptions
from tests.simulation.desk import Desk
from tests.simulation.kernel import Process, Simulation
from tests.simulation.lines import line_by_line
from tests.simulation.log import Log
from tests.simulation.network import CALM_AFTER, Weather
from tests.simulation.oracle import judge, judge_threads
from tests.simulation.parts import Parts
from tests.simulation.threads import installed


@dataclass
class Reached:
    """What was seen, over many seeds."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: set[tuple[CodeType, int]] = field(default_factory=set)

    def add(self, what: str) -> None:
        self.counts[what] += 1

    def ran(self, code: CodeType, line: int) -> None:
        self.lines.add((code, line))


def play(
    seed: int,
    folder: Path,
    reached: Reached,
    *,
    parts: Parts = Parts(),  # noqa: B008 - a value
    say: Callable[[str], None] | None = None,
) -> None:
    """Everything that `seed` decides. Raises what goes wrong. `folder` is for spools, and may hold others'."""
    chance = random.Random(seed)
    simulation = Simulation(chance, say=say)
    simulation.line_chance = chance.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01, 0.05))
    if simulation.line_chance:
        simulation.tracer = line_by_line(simulation, reached.ran)
    platform = Process("platform")
    with installed(simulation):
        city = City(simulation, platform, folder / str(seed), reached, parts)
        simulation.run(city.live, platform)
    judge_threads(simulation)
    for log in city.logs:
        judge(log)


def command(seed: int) -> str:
    """What replays one seed."""
    return f"python -m tests.simulation --seed {seed}"


class City:
    """The platform's view of it."""

    def __init__(self, simulation: Simulation, platform: Process, folder: Path, reached: Reached, parts: Parts) -> None:
        self.simulation = simulation
        self.platform = platform
        self.reached = reached
        self.parts = parts
        self.desks: list[Desk] = []
        chance = simulation.chance
        self.slow, self.raises = chance.choice((0.0, 0.0, 0.3)), chance.choice((0.0, 0.0, 0.0, 0.05))
        count = chance.choice((1, 1, 1, 1, 1, 1, 1, 2))
        self.logs = [
            Log(
                f"log{number}",
                simulation,
                Weather.drawn(chance),
                _options(chance),
                chance.choice((0, 0, 1)),
                folder / f"log{number}" / "spool",
                reached.add,
                parts,
                has_own_desk=count == 1,
            )
            for number in range(count)
        ]

    def live(self) -> None:
        """The main thread: readers first, then the logs; readers that crash are followed by others."""
        simulation, chance = self.simulation, self.simulation.chance
        self._open_desk(self.logs)
        for log in self.logs:
            simulation.start(log.name, self.platform, log.run, is_essential=True)
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            simulation.sleep(chance.choice((0.1, 5.0, 60.0)))
            self._disturb_readers()
        simulation.wait(lambda: all(log.is_over and log.watch.is_over for log in self.logs))
        self._read_what_nobody_read()

    def _open_desk(self, logs: list[Log], *, is_calm: bool = False) -> None:
        process = Process(f"desk{len(self.desks) + 1}")
        desk = Desk(self.simulation, process, self.reached.add, self.parts.poller)
        if not is_calm:
            desk.slow, desk.raises = self.slow, self.raises
        self.desks.append(desk)
        for log in logs:
            log.look(desk)

    def _disturb_readers(self) -> None:
        chance = self.simulation.chance
        what = chance.choice(("crash", "crash", "stop", "lose executors"))
        self.reached.add(f"reader: {what}")
        if what == "lose executors":
            self.desks[-1].lose_executors()
            return
        if what == "stop":
            for log in self.logs:
                log.watch.stops = True
            self.simulation.wait(lambda: all(log.watch.is_over for log in self.logs))
        else:
            self.simulation.kill(self.desks[-1].process)
        self._open_desk(self.logs)

    def _read_what_nobody_read(self) -> None:
        """Where a reader gave up by name, or its handler raised: the chunks stay, and another one reads them."""
        for log in self.logs:
            self.reached.add(f"verdict: {log.watch.end.verdict if log.watch.end else 'none'}")
        unread = [log for log in self.logs if not log.watch.has_read_all]
        if unread:
            self.simulation.sleep(max(0.0, 1000 + CALM_AFTER - self.simulation.now))
            self._open_desk(unread, is_calm=True)
            self.simulation.wait(lambda: all(log.watch.is_over for log in unread))


def _options(chance: random.Random) -> LogOptions:
    return LogOptions(
        interval=chance.choice((5.0, 20.0)),
        heartbeat=chance.choice((0.0, 60.0)),
        max_messages=chance.choice((1, 3, 10_000)),
        max_buffer=chance.choice((64 * 1024, 8 << 20)),
        max_spool=chance.choice((128 * 1024, 1 << 30)),
        spool=chance.choice(("off", "spill", "wal", "wal")),
        close_timeout=chance.choice((5.0, 300.0)),
    )
