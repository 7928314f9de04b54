"""What one writer accepts, one reader delivers: once, in order, with a proved end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.chunklog.reader_types import ReaderSettings
from blobpipes.chunklog.writer_core import State
from tests.chunklog.world import Reading, World, message, run_both

FAULTS = st.sampled_from([None, None, "request lost", "reply lost", "refused", "exists"])


def test_a_session_of_two_chunks_is_complete_with_the_fewest_requests() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    world.settle_writer(writer)
    writer.close(message("closed"), world.now, failed=False)
    world.settle_writer(writer)
    assert writer.state is State.CLOSED
    assert world.requests == ["put 1", "put 2", "read 1"]
    end = reading.finish()
    assert end.verdict == "complete"
    assert reading.lines == [message("opened"), message("closed")]
    assert sorted(world.objects) == [1, 2]


def test_opened_and_closed_in_one_chunk_need_one_put() -> None:
    world = World()
    writer = world.writer()
    writer.close(message("closed"), world.now, failed=False)
    world.settle_writer(writer)
    assert (writer.state, world.requests) == (State.CLOSED, ["put 1"])
    assert Reading(world).finish().verdict == "complete"


def test_a_process_that_vanishes_is_truncated_and_its_log_sealed() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    world.settle_writer(writer)
    end = reading.finish()
    assert (end.verdict, end.messages) == ("truncated", 1)
    assert "number 1" in end.detail
    writer.accept(message("log"), world.now)
    writer.flush(world.now)
    world.settle_writer(writer)
    assert writer.state is State.FENCED
    assert "gone" in writer.obstacle


def test_a_second_reader_takes_the_first_ones_seal_for_the_end_and_not_for_another_process() -> None:
    world = World()
    world.settle_writer(world.writer("w1"))
    first = Reading(world).finish()
    onlooker = Reading(world, ReaderSettings(may_seal=False))
    onlooker.settle()
    assert onlooker.end is not None
    assert (onlooker.end.verdict, onlooker.end.detail, onlooker.end.chunks) == ("truncated", first.detail, 2)
    assert onlooker.end.last_seq == {"w1": 1}
    assert onlooker.problems == []


def test_a_process_that_never_came_is_sealed_out() -> None:
    world = World()
    end = Reading(world).finish()
    assert (end.verdict, end.chunks) == ("truncated", 0)
    late = world.writer()
    world.settle_writer(late)
    assert late.state is State.SEALED


def test_a_failed_job_is_failed_with_every_message_and_no_successor_gets_in() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    writer.close(message("closed", exception={"name": "ValueError"}), world.now, failed=True)
    world.settle_writer(writer)
    reading.settle()
    assert reading.end is not None
    assert reading.end.verdict == "failed"
    successor = world.writer("w2")
    world.settle_writer(successor)
    assert successor.state is State.SEALED


def test_an_announced_restart_continues_after_a_failure() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world, ReaderSettings(restarts=1))
    writer.close(message("closed", exception={}), world.now, failed=True)
    world.settle_writer(writer)
    reading.settle()
    assert reading.end is None
    successor = world.writer("w2")
    successor.close(message("closed", 2), world.now, failed=False)
    world.settle_writer(successor)
    assert (successor.state, successor.epoch) == (State.CLOSED, 2)
    end = reading.finish()
    assert (end.verdict, end.messages) == ("complete", 4)
    assert [problem.kind for problem in reading.problems] == ["restarted"]


def test_a_restart_after_sigkill_continues_at_the_tail_and_the_zombie_is_fenced() -> None:
    world = World()
    zombie = world.writer("w1")
    world.settle_writer(zombie)
    successor = world.writer("w2")
    world.settle_writer(successor)
    assert (successor.state, successor.epoch, sorted(world.objects)) == (State.OPEN, 2, [1, 2])
    zombie.accept(message("log"), world.now)
    zombie.flush(world.now)
    world.settle_writer(zombie)
    assert zombie.state is State.FENCED
    assert "epoch 2" in zombie.obstacle


def test_several_thousand_waiting_chunks_are_drained_before_the_end() -> None:
    world = World()
    writer = world.writer(interval=0.05)
    for number in range(5000):
        writer.accept(message("log", number), world.now)
        writer.flush(world.now)
        world.settle_writer(writer)
    writer.close(message("closed"), world.now, failed=False)
    world.settle_writer(writer)
    reading = Reading(world, ReaderSettings())
    end = reading.finish()
    assert (end.verdict, end.messages, end.chunks) == ("complete", 5002, 5001)  # `opened` shares a chunk with the first
    assert len(reading.gets) < 5050


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    writer_faults=st.lists(FAULTS, max_size=40),
    reader_faults=st.lists(st.sampled_from([None, "request lost", "reply lost"]), max_size=20),
    negotiated=st.booleans(),
)
def test_every_accepted_message_is_delivered_once_and_in_order(
    counts: list[int], writer_faults: list[str | None], reader_faults: list[str | None], negotiated: bool
) -> None:
    world = World()
    writer, reading = world.writer(negotiated=negotiated, interval=2.0), Reading(world)
    accepted = [message("opened")]
    for count in counts:
        for _ in range(count):
            line = message("log", len(accepted))
            writer.accept(line, world.now)
            accepted.append(line)
        world.now += 1.7
        world.serve_writer(writer, writer_faults.pop() if writer_faults else None)
        reading.serve(reader_faults.pop() if reader_faults else None)
    writer.close(message("closed"), world.now, failed=False)
    accepted.append(message("closed"))
    while writer_faults:
        world.now += 20
        world.serve_writer(writer, writer_faults.pop())
    run_both(world, writer, reading, world.now + 500)
    assert writer.state is State.CLOSED
    end = reading.end or reading.finish()
    assert end.verdict == "complete"
    assert [_without_marks(line) for line in reading.lines] == accepted
    assert sorted(world.objects) == list(range(1, len(world.objects) + 1))
    assert len(world.puts) == len(set(world.puts))


def _without_marks(line: bytes) -> bytes:
    head, mark, _ = line.partition(b', "__blobpipes"')
    return head + b"}" if mark else line


@pytest.mark.parametrize("crash_after", range(6))
def test_a_new_reader_gets_everything_again_from_the_first_chunk(crash_after: int) -> None:
    world = World()
    writer, first = world.writer(interval=1.0), Reading(world)
    for number in range(crash_after):
        writer.accept(message("log", number), world.now)
        run_both(world, writer, first, world.now + 1)
    second = Reading(world)
    writer.close(message("closed"), world.now, failed=False)
    world.settle_writer(writer)
    assert second.finish().verdict == "complete"
    assert second.lines[0] == message("opened")
    assert len(second.lines) == crash_after + 2
