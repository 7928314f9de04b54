"""One log and what happens to it: its processes come and go, its readers crash, the platform may lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blobpipes.chunklog.options import LogOptions
from tests.simulation.desk import Desk, Watch
from tests.simulation.job import Job, Said
from tests.simulation.kernel import Process, Simulation
from tests.simulation.network import Bucket, SimulatedStore, Weather
from tests.simulation.parts import Parts

MOMENTS: Final = (0.0, 0.02, 0.3, 4.0, 30.0, 200.0)
GRACE: Final = 8.0
MAX_JOBS: Final = 3

Kind = Callable[["Log"], None]


@dataclass(eq=False)
class Log:
    """All that belongs to one log. The platform decides by the seed what happens next."""

    name: str
    simulation: Simulation
    weather: Weather
    options: LogOptions
    restarts: int
    spools: Path
    reach: Callable[[str], None]
    parts: Parts
    has_own_desk: bool  # no other log is read by the same process
    bucket: Bucket = field(default_factory=Bucket)
    jobs: list[Job] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    was_lied_to: bool = False
    is_disturbed: bool = False  # something was killed, paused or told a lie
    is_over: bool = False  # every process has ended, and no other will come

    @property
    def watch(self) -> Watch:
        """The newest reader."""
        return self.watches[-1]

    # --- what the platform does --------------------------------------------------------------------

    def run(self) -> None:
        """From the first process to the last. In a thread of its own."""
        chance = self.simulation.chance
        self.start_job()
        acts = chance.choice((0, 0, 1, 2, 4))
        while True:
            self.simulation.wait(self._has_ended, chance.choice(MOMENTS) if acts > 0 else None)
            if not self._has_ended():
                acts -= 1
                chance.choice((_kill, _kill, _terminate, _pause, _start_another, _lie))(self)
            elif self._wants_another() and chance.random() < 0.7:
                self.start_job()
            else:
                break
        self.is_over = True
        self.watch.tell()

    def start_job(self) -> None:
        process = Process(f"{self.name}-job{len(self.jobs) + 1}")
        store = SimulatedStore(self.simulation, self.bucket, self.weather, "job", self.reach)
        job = Job(self.simulation, process, store, self.options, self.spools, self.reach, self.parts.writer)
        self.jobs.append(job)
        job.start()

    def look(self, desk: Desk) -> None:
        """A reader at this desk."""
        store = SimulatedStore(self.simulation, self.bucket, self.weather, "reader", self.reach)
        watch = desk.watch(store, self.options, restarts=self.restarts, kind=self.parts.reader)
        self.watches.append(watch)
        if self.is_over:
            watch.tell()

    def accepted_at(self, said: Said) -> float:
        """When a call that said it returned; never, if none did."""
        return next((job.accepted_at[said] for job in self.jobs if said in job.accepted_at), math.inf)

    def _has_ended(self) -> bool:
        return not any(not job.outcome for job in self.jobs)

    def _wants_another(self) -> bool:
        return len(self.jobs) < MAX_JOBS and self.jobs[-1].outcome not in ("closed", "resent")

    def living(self) -> list[Job]:
        return [job for job in self.jobs if not job.is_over]


def _kill(log: Log) -> None:
    log.is_disturbed = True
    log.reach("platform: killed a process")
    log.simulation.chance.choice(log.living()).kill()


def _terminate(log: Log) -> None:
    log.is_disturbed = True
    job = log.simulation.chance.choice(log.living())
    job.terminate(GRACE)
    log.simulation.wait(lambda: job.is_over, GRACE)
    if not job.is_over:
        log.reach("platform: killed a process after its grace")
        job.kill()


def _pause(log: Log) -> None:
    """The machine sleeps; perhaps another is started in its place meanwhile."""
    log.is_disturbed = True
    log.reach("platform: paused a process")
    job = log.simulation.chance.choice(log.living())
    job.process.paused_until = log.simulation.now + log.simulation.chance.choice((5.0, 400.0))
    log.simulation.say(f"{job.process.name} is paused")
    if log.simulation.chance.random() < 0.6:
        _start_another(log)


def _start_another(log: Log) -> None:
    log.is_disturbed = True
    if len(log.jobs) < MAX_JOBS:
        log.reach("platform: started another process beside it")
        log.start_job()


def _lie(log: Log) -> None:
    """It says that the process is gone, and it is not."""
    log.is_disturbed = log.was_lied_to = True
    log.reach("platform: lied")
    log.simulation.say("the platform says that the process is gone")
    log.watch.tell()
