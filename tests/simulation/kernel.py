"""Threads that run one at a time, in an order and a time that a seed decides.

Every simulated thread is a real one, and one baton goes round: whoever has it runs up to its next switch point
(a lock, a wait, a look at the clock, a request to the store; in fine mode every line of the shells), where chance
decides who goes on. Time stands still while anybody can run and then jumps to the next moment at which somebody
can. When nobody ever can, that is a deadlock, and the failure shows where each thread stands.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

MOST_STEPS: Final = 60_000  # hand-overs, and
LONGEST: Final = 30_000.0  # seconds, after which nobody can be meaning to end
SHORTEST: Final = 1e-4  # seconds: no operating system lets a thread sleep for less
LAST_CALL: Final = 1000.0  # seconds in which the others may end once nobody essential is left
STALLS: Final = (0.001, 0.5, 20.0)  # seconds for which the operating system forgets a thread


class Killed(BaseException):
    """Thrown into the threads of a process that was killed, so that they unwind. No effect of theirs counts."""


class StuckError(AssertionError):
    """Deadlock or livelock."""


@dataclass(eq=False)
class Process:
    """Threads that are killed and paused together, as the threads of a machine's process are."""

    name: str
    is_killed: bool = False
    paused_until: float = float("-inf")


class Task:
    """One simulated thread."""

    def __init__(self, name: str, process: Process, work: Callable[[], None], *, is_essential: bool) -> None:
        self.name = name
        self.process = process
        self.work = work
        self.is_essential = is_essential  # the simulation is not over before this one is
        self.is_starved = False  # gets little time while others can run
        self.ready: Callable[[], bool] | None = None  # what it waits for
        self.deadline: float | None = None  # until when
        self.is_done = False
        self.baton = threading.Lock()
        self.baton.acquire()  # free only while it is this one's turn
        self.thread: threading.Thread | None = None

    def __str__(self) -> str:
        return f"{self.process.name}/{self.name}"

    def can_run(self, now: float) -> bool:
        process, ready = self.process, self.ready
        if ready is None or process.is_killed:
            return process.is_killed or process.paused_until <= now  # killed: to unwind
        if process.paused_until > now:
            return False
        return (self.deadline is not None and self.deadline <= now) or ready()

    def next_moment(self, now: float) -> float | None:
        """When it can run without anybody's doing. None: never."""
        paused = self.process.paused_until
        if self.deadline is None:
            return paused if paused > now else None
        return max(self.deadline, paused)


class Simulation:
    """All threads and the time. Its methods are called by simulated threads, but for `run`."""

    def __init__(self, chance: random.Random, *, say: Callable[[str], None] | None = None) -> None:
        self.chance = chance
        self.now = 1000.0
        self.failure: BaseException | None = None
        self.tasks: list[Task] = []
        self.handed_over = 0
        self.left_behind: list[Task] = []  # blocked for ever when everybody else was done
        self.switch_chance = chance.choice((0.1, 0.3, 0.8))
        self.stall_chance = chance.choice((0.0, 0.0, 0.001))
        self.line_chance = 0.0  # of a switch between two lines; see `lines.py`
        self.tracer: Callable[[FrameType, str, Any], Any] | None = None
        self._say = say
        self._current: Task | None = None
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._last_call: float | None = None
        self._is_ending = False
        self._over = threading.Event()

    # --- from outside ------------------------------------------------------------------------------

    def run(self, main: Callable[[], None], process: Process) -> None:
        """Run `main` and all that it starts, to the end. Raises the first failure of any thread."""
        first = self._made("main", process, main, is_essential=True)
        self._current = first
        first.baton.release()
        self._over.wait()
        if self.failure is not None:
            raise self.failure

    # --- for simulated threads ---------------------------------------------------------------------

    @property
    def current(self) -> Task:
        assert self._current is not None
        return self._current

    def start(self, name: str, process: Process, work: Callable[[], None], *, is_essential: bool = False) -> Task:
        """One more thread."""
        task = self._made(name, process, work, is_essential=is_essential)
        if self._is_ending:
            process.is_killed = True
        self.switch()
        return task

    def switch(self) -> None:
        """Here somebody else may go on."""
        me = self.current
        self._check(me)
        if self.stall_chance and self.chance.random() < self.stall_chance:
            self.sleep(self.chance.choice(STALLS))
        elif self.chance.random() < self.switch_chance:
            self._hand_over(me)
            self._check(me)

    def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> None:
        """Go on when `ready()`, which must only look, or after `timeout` seconds."""
        me = self.current
        self._check(me)
        me.ready = ready
        me.deadline = None if timeout is None else self.now + (max(timeout, SHORTEST) if timeout > 0 else 0.0)
        self._hand_over(me)
        me.ready = me.deadline = None
        self._check(me)

    def sleep(self, seconds: float) -> None:
        self.wait(_never, seconds)

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Do something at `moment`, whoever lives then. `action` must not wait."""
        heapq.heappush(self._timers, (moment, next(self._order), action))

    def kill(self, process: Process) -> None:
        self.say(f"{process.name} is killed")
        process.is_killed = True

    def fail(self, error: BaseException) -> None:
        """End it all; only the first error counts."""
        if self.failure is None:
            self.failure = error
        self._end()

    def say(self, text: str) -> None:
        if self._say is not None:
            who = str(self._current) if self._current is not None else ""
            self._say(f"{self.now - 1000:10.3f}  {who:<28} {text}")

    # --- the baton ---------------------------------------------------------------------------------

    def _made(self, name: str, process: Process, work: Callable[[], None], *, is_essential: bool) -> Task:
        task = Task(name, process, work, is_essential=is_essential)
        task.is_starved = self.chance.random() < 0.25
        task.thread = threading.Thread(target=self._live, args=(task,), name=str(task), daemon=True)
        self.tasks.append(task)
        task.thread.start()
        return task

    def _live(self, task: Task) -> None:
        task.baton.acquire()
        try:
            if self.tracer is not None:
                sys.settrace(self.tracer)
            self._check(task)
            task.work()
        except Killed:
            pass
        except BaseException as error:  # raised again by `run`
            self.fail(error)
        finally:
            sys.settrace(None)
            task.is_done = True
            self.tasks.remove(task)
            self._pass_on(self._next())

    def _hand_over(self, me: Task) -> None:
        chosen = self._next()
        if chosen is not me:
            self._pass_on(chosen)
            me.baton.acquire()

    def _pass_on(self, chosen: Task | None) -> None:
        if chosen is None:
            self._over.set()
        else:
            self._current = chosen
            chosen.baton.release()

    def _next(self) -> Task | None:
        """Who goes on. None when nobody is left."""
        self.handed_over += 1
        if self.failure is None and (self.handed_over > MOST_STEPS or self.now > LONGEST):
            self.fail(StuckError(f"livelock: there is no end in sight\n{self._where()}"))
        while self.tasks:
            while self._timers and self._timers[0][0] <= self.now:
                heapq.heappop(self._timers)[2]()
            chosen = self._somebody()
            if chosen is not None:
                return chosen
            self._pass_time()
        return None

    def _somebody(self) -> Task | None:
        """One that can run, by chance; one that gets little time only now and then while others can."""
        now, tasks, chance = self.now, self.tasks, self.chance.random
        count, start = len(tasks), int(chance() * len(tasks))
        fair = chance() < 0.02
        starved = None
        for index in range(start, start + count):
            task = tasks[index % count]
            if task.is_starved and not fair:
                starved = starved or (task if task.can_run(now) else None)
            elif task.can_run(now):
                return task
        return starved

    def _pass_time(self) -> None:
        """Nobody can run: on to the moment when somebody can, or to the end."""
        moments = [moment for task in self.tasks if (moment := task.next_moment(self.now)) is not None]
        if self._timers:
            moments.append(self._timers[0][0])
        essential = any(task.is_essential for task in self.tasks)
        if not essential and self._last_call is None:
            self._last_call = self.now + LAST_CALL
        if moments and (self._last_call is None or min(moments) <= self._last_call):
            self.now = max(self.now, min(moments))
        elif essential:
            self.fail(StuckError(f"deadlock: nobody can ever go on\n{self._where()}"))
        else:
            self.left_behind = list(self.tasks)
            self._end()

    def _end(self) -> None:
        self._is_ending = True
        for task in self.tasks:
            task.process.is_killed = True

    def _check(self, task: Task) -> None:
        if task.process.is_killed:
            raise Killed

    def _where(self) -> str:
        """The stack of each thread, for people."""
        frames = sys._current_frames()
        parts = []
        for task in self.tasks:
            frame = frames.get(task.thread.ident or -1) if task.thread is not None else None
            stack = traceback.format_stack(frame)[2:] if frame is not None else ["    not begun\n"]
            shown = "".join(line for line in stack if "simulation/kernel.py" not in line)
            waits = "" if task.deadline is None else f", until {task.deadline - 1000:.3f}"
            parts.append(f"--- {task}{waits}\n{shown}")
        return "\n".join(parts)


def _never() -> bool:
    return False
