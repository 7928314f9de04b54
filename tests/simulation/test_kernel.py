"""The simulation itself: who runs, how time passes, and what it says when nobody can go on."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from tests.simulation.kernel import Process, Simulation, StuckError
from tests.simulation.threads import Condition, Event, ThreadPoolExecutor


def simulate(main: Callable[[Simulation], None], seed: int = 1) -> Simulation:
    simulation = Simulation(random.Random(seed))
    simulation.run(lambda: main(simulation), Process("p"))
    return simulation


def test_time_passes_only_while_nobody_can_run() -> None:
    woke: list[tuple[str, float]] = []

    def main(simulation: Simulation) -> None:
        def sleeper(name: str, seconds: float) -> None:
            simulation.sleep(seconds)
            woke.append((name, simulation.now - 1000))

        for name, seconds in (("late", 3600.0), ("early", 0.5)):
            work = (lambda n, s: lambda: sleeper(n, s))(name, seconds)
            simulation.start(name, simulation.current.process, work, is_essential=True)

    before = threading.active_count()
    simulation = simulate(main)
    assert [name for name, _ in woke] == ["early", "late"]
    assert simulation.now - 1000 >= 3600
    assert threading.active_count() <= before + 1  # the last one may still be on its way out


def test_a_deadlock_is_reported_with_the_place_of_each_thread() -> None:
    def waits_for_nobody(simulation: Simulation) -> None:
        with (never := Condition(simulation)):
            never.wait()

    with pytest.raises(StuckError, match="deadlock") as caught:
        simulate(waits_for_nobody)
    assert "p/main" in str(caught.value)
    assert "waits_for_nobody" in str(caught.value)


def test_a_livelock_is_reported() -> None:
    def main(simulation: Simulation) -> None:
        while True:
            simulation.sleep(1)

    with pytest.raises(StuckError, match="livelock"):
        simulate(main)


def test_what_a_thread_raises_ends_the_simulation() -> None:
    def main(simulation: Simulation) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        simulation.start("other", simulation.current.process, fail)
        simulation.sleep(10)
        raise AssertionError("it went on")

    with pytest.raises(ZeroDivisionError):
        simulate(main)


def test_a_killed_process_has_no_effect_any_more_and_holds_nobody_up() -> None:
    done: list[str] = []

    def main(simulation: Simulation) -> None:
        victim = Process("victim")
        event = Event(simulation)

        def work() -> None:
            try:
                event.wait()
                done.append("went on")
            finally:
                event.is_set()
                done.append("cleaned up")

        task = simulation.start("work", victim, work, is_essential=True)
        simulation.sleep(1)
        simulation.kill(victim)
        event.set()
        simulation.wait(lambda: task.is_done)

    simulate(main)
    assert done == []


def test_a_paused_process_stands_still_until_its_time() -> None:
    ran_at: list[float] = []

    def main(simulation: Simulation) -> None:
        paused = Process("paused", paused_until=simulation.now + 40)
        simulation.start("work", paused, lambda: ran_at.append(simulation.now - 1000), is_essential=True)

    simulate(main)
    assert ran_at == [40.0]


def test_notify_wakes_one_of_those_who_wait_and_different_seeds_another() -> None:
    def woken(seed: int) -> str:
        names: list[str] = []

        def main(simulation: Simulation) -> None:
            changed = Condition(simulation)

            def wait(name: str) -> None:
                with changed:
                    if changed.wait(5):
                        names.append(name)

            for name in "abc":
                work = (lambda n: lambda: wait(n))(name)
                simulation.start(name, simulation.current.process, work, is_essential=True)
            simulation.sleep(1)
            with changed:
                changed.notify()

        simulate(main, seed)
        return "".join(names)

    assert {woken(seed) for seed in range(20)} == {"a", "b", "c"}


def test_a_pool_runs_so_many_at_once_and_refuses_after_its_shutdown() -> None:
    at_once: list[int] = []

    def main(simulation: Simulation) -> None:
        pool = ThreadPoolExecutor(simulation, 2, "pool")
        running: list[int] = []

        def work(number: int) -> None:
            running.append(number)
            at_once.append(len(running))
            simulation.sleep(1)
            running.remove(number)

        for number in range(6):
            pool.submit(work, number)
        simulation.sleep(10)
        pool.is_shut_down = True
        with pytest.raises(RuntimeError):
            pool.submit(work, 7)

    simulate(main)
    assert len(at_once) == 6
    assert max(at_once) == 2
