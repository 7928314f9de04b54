"""What the shells find under the name `threading` while they are simulated.

The shells make their locks and threads by `threading.X()` of the standard library, as any reader expects. To pass
them in instead would lead one more argument, which no user can ever need, through every public constructor down
to the poller that all sessions of a process share. So the simulation replaces the name in the modules it drives.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from blobpipes.chunklog import reader, writer
from blobpipes.orchestration import inbox, poller
from tests.simulation.kernel import Simulation, Task

SIMULATED = (writer, reader, poller, inbox)


class RLock:
    """Reentrant, as the lock inside a condition is."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._owner: Task | None = None
        self._depth = 0

    def __enter__(self) -> bool:
        self._simulation.switch()
        me = self._simulation.current
        while self._owner not in (None, me):
            self._simulation.wait(self._is_free)
        self._owner = me
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        me = self._simulation.current
        if me.process.is_killed:
            return
        assert self._owner is me, "released by another thread"
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._simulation.switch()

    def give_up(self) -> int:
        """Release it completely; how deep it was held."""
        assert self._owner is self._simulation.current, "waiting without the lock"
        depth, self._owner, self._depth = self._depth, None, 0
        return depth

    def take_back(self, depth: int) -> None:
        self._simulation.wait(self._is_free)
        self._owner, self._depth = self._simulation.current, depth

    def _is_free(self) -> bool:
        return self._owner is None


class _Waiter:
    is_notified = False


class Condition:
    """Wakes those who wait in any order; who has timed out may use up a notification, as in CPython."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._lock = RLock(simulation)
        self._waiting: list[_Waiter] = []

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *given: object) -> None:
        self._lock.__exit__(*given)

    def wait(self, timeout: float | None = None) -> bool:
        waiter = _Waiter()
        self._waiting.append(waiter)
        depth = self._lock.give_up()
        self._simulation.wait(lambda: waiter.is_notified, timeout)
        if not waiter.is_notified:
            self._waiting.remove(waiter)
        self._lock.take_back(depth)
        return waiter.is_notified

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        deadline = None if timeout is None else self._simulation.now + timeout
        while not (result := predicate()):
            left = None if deadline is None else deadline - self._simulation.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        for _ in range(min(n, len(self._waiting))):
            index = self._simulation.chance.randrange(len(self._waiting))
            self._waiting.pop(index).is_notified = True

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class Event:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._is_set = False

    def is_set(self) -> bool:
        self._simulation.switch()
        return self._is_set

    def set(self) -> None:
        self._simulation.switch()
        self._is_set = True

    def wait(self, timeout: float | None = None) -> bool:
        self._simulation.wait(lambda: self._is_set, timeout)
        return self._is_set


class Thread:
    def __init__(self, simulation: Simulation, target: Callable[[], None], name: str, daemon: bool) -> None:
        self._simulation = simulation
        self._target = target
        self._name = name
        self._is_essential = not daemon
        self._task: Task | None = None

    def start(self) -> None:
        process = self._simulation.current.process
        self._task = self._simulation.start(self._name, process, self._target, is_essential=self._is_essential)

    @property
    def ident(self) -> int | None:
        return None if self._task is None else id(self._task)

    def join(self) -> None:
        assert self._task is not None
        task = self._task
        self._simulation.wait(lambda: task.is_done)


class ThreadPoolExecutor:
    """Threads start with the work, up to `workers`; they take it in order. Shut down, it refuses work."""

    def __init__(self, simulation: Simulation, workers: int, thread_name_prefix: str) -> None:
        self._simulation = simulation
        self._workers = workers
        self._prefix = thread_name_prefix
        self._work: deque[Callable[[], object]] = deque()
        self._started = self._idle = 0
        self.is_shut_down = False

    def submit(self, function: Callable[..., object], *given: Any) -> Future[None]:
        self._simulation.switch()
        if self.is_shut_down:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        self._work.append(lambda: function(*given))
        if self._idle < len(self._work) and self._started < self._workers:
            name = f"{self._prefix}_{self._started}"
            self._started += 1
            self._simulation.start(name, self._simulation.current.process, self._serve)
        return Future()

    def _serve(self) -> None:
        while True:
            self._idle += 1
            self._simulation.wait(lambda: bool(self._work))
            self._idle -= 1
            self._work.popleft()()


class Threading:
    """The module `threading`, as far as the shells use it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def Condition(self) -> Condition:  # noqa: N802 - its name in the standard library
        return Condition(self._simulation)

    def Event(self) -> Event:  # noqa: N802
        return Event(self._simulation)

    def Thread(self, *, target: Callable[[], None], name: str, daemon: bool) -> Thread:  # noqa: N802
        return Thread(self._simulation, target, name, daemon)


@contextmanager
def installed(simulation: Simulation) -> Iterator[None]:
    """The shells run in `simulation` while this is open."""
    stand_in: Any = Threading(simulation)
    pool: Any = lambda workers, thread_name_prefix: ThreadPoolExecutor(simulation, workers, thread_name_prefix)  # noqa: E731
    real_pool = poller.ThreadPoolExecutor
    try:
        for module in SIMULATED:
            module.threading = stand_in  # type: ignore[attr-defined]
        poller.ThreadPoolExecutor = pool
        yield
    finally:
        for module in SIMULATED:
            module.threading = threading  # type: ignore[attr-defined]
        poller.ThreadPoolExecutor = real_pool


class SimulatedClock:
    """One machine's: it began to count at some time of its own and runs a little too fast or slow, and its wall clock
    jumps. A look at it is a switch point."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._offset = simulation.chance.choice((0.0, -900.0, 1e6))
        self._rate = simulation.chance.choice((1.0, 0.999, 1.001))

    def monotonic(self) -> float:
        self._simulation.switch()
        return self._offset + self._rate * self._simulation.now

    def wall(self) -> float:
        return self._simulation.chance.choice((0.0, 1.7e9, 4e9))
