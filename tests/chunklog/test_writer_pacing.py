"""The interval is a price ceiling: when chunks are put, by the writer's own clock."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.chunklog.header import NegotiatedChunk, parse_chunk
from blobpipes.chunklog.pacing import OFFICIAL_GAP, backoff
from blobpipes.chunklog.writer_core import State, WriterCore
from tests.chunklog.world import World, message


def put_times(world: World, core: WriterCore, until: float) -> list[float]:
    """When chunks were stored, up to `until`."""
    times = []
    while (due := core.due(world.now)) is not None and due <= until:
        world.now = max(world.now, due)
        before = len(world.puts)
        world.serve_writer(core)
        times += [round(world.now, 3)] * (len(world.puts) - before)
    world.now = until
    return times


def test_opened_is_put_at_once() -> None:
    world = World()
    assert put_times(world, world.writer(), 5.0) == [0.0]


def test_a_message_soon_after_a_chunk_waits_for_the_interval() -> None:
    world = World()
    core = world.writer(interval=10.0)
    put_times(world, core, 1.0)
    core.accept(message("log"), world.now)
    assert put_times(world, core, 30.0) == [10.0]


def test_after_a_silence_the_first_message_leaves_after_coalescing_and_the_next_waits() -> None:
    world = World()
    core = world.writer(interval=10.0)
    put_times(world, core, 25.0)
    core.accept(message("log"), world.now)
    assert put_times(world, core, 26.0) == [25.2]
    core.accept(message("log"), world.now)
    assert put_times(world, core, 50.0) == [35.2]


def test_fractional_intervals_are_exact() -> None:
    world = World()
    core = world.writer(interval=0.75)
    times = []
    for tick in range(1, 40):
        core.accept(message("log", tick), world.now)
        times += put_times(world, core, tick * 0.1)
    assert times == [0.0, 0.75, 1.5, 2.25, 3.0, 3.75]


def test_a_result_goes_early_once_per_interval_and_never_more_than_two_puts() -> None:
    world = World()
    core = world.writer(interval=10.0, heartbeat=0)
    times = put_times(world, core, 3.0)
    for tick in range(4, 100):
        core.accept(message("report_asset_materialization", tick), world.now, urgent=True)
        times += put_times(world, core, float(tick))
    assert times[:4] == [0.0, 3.2, 10.0, 13.2]
    for start in range(90):
        assert sum(start <= at < start + 10 for at in times) <= 2


def test_size_and_count_put_a_chunk_early() -> None:
    world = World()
    core = world.writer(max_messages=3)
    put_times(world, core, 1.0)
    for number in range(3):
        core.accept(message("log", number), world.now)
    assert put_times(world, core, 1.0) == [1.0]
    core = World().writer(max_chunk=2048)
    world = World()
    put_times(world, core, 1.0)
    core.accept(b"x" * 2048, world.now)
    assert put_times(world, core, 1.0) == [1.0]


def test_ramp_shows_a_short_job_at_once_and_then_gives_way_to_the_interval() -> None:
    world = World()
    core = world.writer(interval=10.0, ramp=1.0)
    times = []
    for tick in range(1, 601):
        core.accept(message("log", tick), world.now)
        times += put_times(world, core, tick * 0.1)
    assert times[:3] == [0.0, 1.0, 2.0]
    assert times[-3:] == [39.0, 49.0, 59.0]


def test_a_silent_writer_sends_heartbeats_but_never_more_often_than_its_interval() -> None:
    world = World()
    core = world.writer(interval=10.0, heartbeat=60.0)
    assert put_times(world, core, 200.0) == [0.0, 60.0, 120.0, 180.0]
    beat = parse_chunk(world.objects[2])
    assert isinstance(beat, NegotiatedChunk)
    assert (beat.lines, sorted(beat.header.flags), beat.header.next_within) == ([], ["hb"], 10.0)
    slow = World()
    assert put_times(slow, slow.writer(interval=300.0, heartbeat=60.0), 700.0) == [0.0, 300.0, 600.0]


def test_a_chunk_announces_when_the_next_one_comes() -> None:
    world = World()
    core = world.writer(interval=10.0)
    put_times(world, core, 4.0)
    core.accept(message("report_asset_check"), world.now, urgent=True)
    put_times(world, core, 5.0)
    early = parse_chunk(world.objects[2])
    assert isinstance(early, NegotiatedChunk)
    assert early.header.next_within == pytest.approx(5.8)


def test_an_official_reader_is_never_outrun_and_gets_the_rest_in_one_chunk() -> None:
    world = World()
    core = world.writer(negotiated=False, interval=1.0)
    times = []
    for tick in range(1, 1001):
        core.accept(message("log", tick), world.now, urgent=True)
        times += put_times(world, core, tick * 0.1)
    later = [b - a for a, b in itertools.pairwise(times[3:])]
    assert all(gap >= OFFICIAL_GAP - 0.001 for gap in later)
    assert len(times) <= 3 + 100 / OFFICIAL_GAP
    core.close(message("closed"), world.now, failed=False)
    before = len(world.objects)
    world.settle_writer(core)
    assert (core.state, len(world.objects)) == (State.CLOSED, before + 1)


@given(st.integers(1, 40), st.booleans(), st.floats(0, 0.999))
def test_backoff_is_bounded_and_slower_for_refusals(attempt: int, refused: bool, chance: float) -> None:
    wait = backoff(attempt, refused=refused, chance=chance)
    assert 0 <= wait <= (60 if refused else 10)
    assert refused is False or wait >= 2
