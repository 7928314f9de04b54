"""When the reader looks: never less often than its interval, just after the writer's chunk where it can."""

from __future__ import annotations

import itertools
import random

import pytest

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.pacing import ReaderPacing
from blobpipes.chunklog.reader_types import ReaderSettings
from tests.chunklog.world import Reading, World, message, run_both


def reading_of(world: World, interval: float, **options: float) -> Reading:
    return Reading(world, ReaderSettings(LogOptions(interval=interval, **options)))  # type: ignore[arg-type]


def test_before_the_first_chunk_looks_grow_apart_to_the_interval() -> None:
    world = World()
    reading = reading_of(world, 10.0)
    reading.run_to(3600.0)
    times = [at for at, _, _ in reading.gets]
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert pauses[0] == 0.25
    assert max(pauses) == 10.0
    assert len(times) <= 3600 / 10 + 12


def test_while_nothing_comes_one_get_per_interval_is_all_it_costs() -> None:
    world = World()
    writer, reading = world.writer(interval=10.0, heartbeat=0), reading_of(world, 10.0, heartbeat=0)
    run_both(world, writer, reading, 100.0)
    before = len(reading.gets)
    run_both(world, writer, reading, 1100.0)
    assert len(reading.gets) - before in (99, 100, 101)


@pytest.mark.parametrize(("writer_interval", "reader_interval"), [(10.0, 10.0), (2.0, 10.0), (5.0, 10.0), (30.0, 10.0)])
def test_looks_fall_just_after_the_writers_chunks(writer_interval: float, reader_interval: float) -> None:
    world = World()
    world.now = 3.7  # the two clocks' phases have nothing to do with each other
    reading = reading_of(world, reader_interval)
    world.now = 5.0
    writer = world.writer(interval=writer_interval)
    for tick in range(3000):
        writer.accept(message("log", tick), world.now)
        run_both(world, writer, reading, 5.0 + (tick + 1) * 0.2)
    times = sorted({at for at, _, _ in reading.gets})
    hits = [at for at, _, there in reading.gets if there and at > 100]
    lags = [(at - 5.0) % writer_interval for at in hits]
    assert sum(lag <= 0.6 for lag in lags) >= 0.9 * len(lags)
    assert max(b - a for a, b in itertools.pairwise(times)) <= reader_interval + 1e-6
    looks = len([at for at in times if at > 100])
    assert looks <= 500 / min(reader_interval, writer_interval * max(1, int(reader_interval / writer_interval))) * 1.25


@pytest.mark.parametrize("interval", [10.0, 45.0])
def test_a_reader_that_waited_for_long_is_soon_close_behind(interval: float) -> None:
    """A machine that takes minutes to start: the first chunk may have stood there for a whole interval."""
    world = World()
    reading = reading_of(world, interval)
    begun = 120.0 + 0.37 * interval
    reading.run_to(begun)
    writer = world.writer(interval=interval)
    for tick in range(int(20 * interval)):
        writer.accept(message("log", tick), world.now)
        run_both(world, writer, reading, begun + tick + 1)
    lags = [(at - begun) % interval for at, _, there in reading.gets if there]
    assert len(lags) >= 18
    assert max(lags[10:]) <= 1.0


def test_an_idle_pause_is_only_used_after_a_long_silence() -> None:
    world = World()
    writer, reading = world.writer(interval=5.0, heartbeat=0), reading_of(world, 5.0, idle=60.0, heartbeat=0)
    run_both(world, writer, reading, 1000.0)
    times = [at for at, _, _ in reading.gets]
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert max(pauses[:6]) <= 5.0
    assert pauses[-1] == 60.0


def test_a_backlog_is_read_at_once_in_growing_waves() -> None:
    world = World()
    writer = world.writer()
    for number in range(200):
        writer.accept(message("log", number), world.now)
        writer.flush(world.now)
        world.settle_writer(writer)
    world.now = 500.0
    reading = reading_of(world, 10.0)
    reading.settle()
    assert {at for at, _, _ in reading.gets} == {500.0}
    assert len(reading.lines) == 201
    assert len(reading.gets) <= 201 + 2 * 16


@pytest.mark.parametrize("drift", [-1e-4, 0.0, 1e-4])
def test_slow_puts_and_clocks_that_drift_cost_little_latency_and_few_looks(drift: float) -> None:
    """A day of chunks every 10 s, visible 50 to 400 ms after they were frozen; the writer's clock drifts."""
    pacing = ReaderPacing(interval=10.0)
    chances = random.Random(7)
    frozen = [k * 10.0 for k in range(8640)]
    visible = [at + 0.05 + 0.35 * chances.random() ** 3 for at in frozen]
    now, number, looks, lags = 1.3, 0, 0, []
    while number < len(frozen):
        looks += 1
        if visible[number] > now:
            now = pacing.after_absent(now)
            continue
        lags.append(now - visible[number])
        now = pacing.after_chunk(now, "w", frozen[number] * (1 + drift), 10.0, empty=False)
        number += 1
    late = sorted(lags[100:])
    assert late[len(late) // 2] < 0.6
    assert late[int(len(late) * 0.99)] < 1.5
    assert looks < 8640 * 1.25
