"""What searching all interleavings brought to light: each finding's shortest history, replayed on the cores."""

from __future__ import annotations

import json

import pytest

from blobpipes.chunklog.header import ChunkHeader, Flag, encode_chunk, flags
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader_types import Seal
from blobpipes.chunklog.writer_buffer import Record
from blobpipes.chunklog.writer_core import State, Verb, WriterCore
from tests.chunklog.spool_model import SpoolModel
from tests.chunklog.world import Reading, World, message

ONE_EACH = LogOptions(max_messages=1, heartbeat=0)


def replaying(world: World, *lines: bytes) -> WriterCore:
    """A process that finds the whole of its predecessor's stream in the spool, one message per chunk."""
    spool = [Record(seq, text) for seq, text in enumerate(lines, 1)]
    core = WriterCore(
        stream="w1", options=ONE_EACH, negotiated=True, now=world.now,
        backlog=SpoolModel(spool), resume=(1, len(spool)),
    )  # fmt: skip
    core.accept(message("opened", 9), world.now)
    return core


def test_a_replayed_chunk_that_equals_the_dead_process_chunk_is_not_taken_for_a_fence() -> None:
    world = World()
    dead = WriterCore(stream="w1", options=ONE_EACH, negotiated=True, now=world.now)
    lines = [message("opened"), message("log", 1), message("log", 2)]
    for line in lines:
        dead.accept(line, world.now)
    dead.flush(world.now)
    world.serve_writer(dead)
    world.now += 1.5  # so that the second chunk differs by its time
    world.settle_writer(dead)
    successor = replaying(world, *lines)
    successor.flush(world.now)
    world.settle_writer(successor)
    assert (successor.state, successor.epoch, successor.undelivered) == (State.OPEN, 2, 0)
    reading = Reading(world)
    assert reading.finish().verdict == "truncated"
    assert reading.lines == [*lines, message("opened", 9)]


def test_a_replay_into_an_empty_log_begins_it() -> None:
    world = World()
    successor = replaying(world, message("opened"))
    successor.close(message("closed"), world.now, failed=False)
    world.settle_writer(successor)
    assert (successor.state, successor.epoch) == (State.CLOSED, 1)
    assert Reading(world).finish().verdict == "complete"


def test_a_replay_of_which_the_log_holds_all_still_puts_its_fence() -> None:
    world = World()
    dead = world.writer("w1")
    world.settle_writer(dead)
    successor = replaying(world, message("opened"))
    world.settle_writer(successor)
    assert (successor.state, successor.epoch, sorted(world.objects)) == (State.OPEN, 2, [1, 2])
    dead.accept(message("log"), world.now)
    dead.flush(world.now)
    world.settle_writer(dead)
    assert dead.state is State.FENCED


def test_without_permission_to_list_a_restart_walks_to_the_end_of_the_log() -> None:
    world = World()
    dead = world.writer("w1")
    for number in range(5):
        dead.accept(message("log", number), world.now)
        dead.flush(world.now)
        world.settle_writer(dead)
    successor = world.writer("w2", heartbeat=0)
    for _ in range(50):
        world.now += 60
        request = successor.poll(world.now)
        if request is None:
            break
        if request.verb is Verb.LIST:
            successor.on_failed(world.now, refused=True, chance=0.5)
        else:
            world._answer_writer(successor, request, None)
    assert (successor.state, successor.epoch, max(world.objects)) == (State.OPEN, 2, 6)


def test_a_reader_that_cleans_up_before_the_answer_comes_does_not_fence_the_writer() -> None:
    """The whole session is in chunk 1, its reply is lost, and the reader is fast."""
    for delivered, end in ((2, State.CLOSED), (1, State.SEALED)):
        world = World()
        writer = world.writer()
        writer.close(message("closed"), world.now, failed=False)
        world.serve_writer(writer, "reply lost")
        world.objects[1] = tombstone({"w1": delivered})
        world.now += 60
        world.settle_writer(writer)
        assert writer.state is end
        assert (writer.undelivered == 0) is (end is State.CLOSED)


def tombstone(delivered: dict[str, int]) -> bytes:
    header = ChunkHeader(
        stream="reader", epoch=2, number=1, first=1, count=0, elapsed=0.0, next_within=0.0,
        high_water=delivered, flags=flags(Flag.TOMB, Flag.END),
    )  # fmt: skip
    return encode_chunk(header, [])


@pytest.mark.parametrize("negotiated", [True, False])
@pytest.mark.parametrize("is_stored", [True, False])
def test_an_end_that_becomes_known_after_the_last_chunk_was_frozen_is_still_put(
    negotiated: bool, is_stored: bool
) -> None:
    """Who delivers a dead process' spool learns from its last message how it ended."""
    world = World()
    lines = [message("opened"), message("closed")]
    spool = SpoolModel([Record(seq, text) for seq, text in enumerate(lines, 1)])
    core = WriterCore(
        stream="w1", options=LogOptions(), negotiated=negotiated, now=0.0, backlog=spool, resume=(1, 2)
    )  # fmt: skip
    core.flush(world.now)
    request = core.poll(world.now)
    assert request is not None
    for step in ("stored", "closes") if is_stored else ("closes", "stored"):
        if step == "stored":
            world._answer_writer(core, request, None)
        else:
            core.accepted_close(world.now, failed=False)
    world.settle_writer(core)
    assert core.state is State.CLOSED
    assert Reading(world).finish().verdict == "complete"


def test_one_refusal_does_not_make_the_writer_close_without_looking() -> None:
    world = World()
    writer = world.writer()
    world.settle_writer(writer)
    writer.close(message("closed"), world.now, failed=False)
    world.serve_writer(writer)
    world.objects[1] = tombstone({"w1": 1})
    assert writer.state is State.VERIFY
    assert writer.poll(world.now) is not None
    writer.on_failed(world.now, refused=True, chance=0.5)
    world.now += 10
    world.settle_writer(writer)
    assert writer.state is State.FENCED


def test_one_refusal_does_not_make_the_reader_end_without_a_seal() -> None:
    world = World()
    reading = Reading(world)
    reading.core.process_gone(world.now)
    while not (actions := reading.core.poll(world.now)) or not isinstance(actions[0], Seal):
        for action in actions:
            reading._perform(action, None)
    reading.core.on_failed(actions[0], world.now, refused=True, chance=0.5, text="refused")
    assert reading.finish().verdict == "truncated"
    assert sorted(world.objects) == [1]  # sealed


def test_a_process_that_has_more_to_say_is_not_closed_by_a_tombstone() -> None:
    """What the tombstone says was delivered is all that the process has said, up to now."""
    world = World()
    writer = world.writer()
    world.serve_writer(writer, "reply lost")
    world.objects[1] = tombstone({"w1": 1})
    world.now += 60
    world.settle_writer(writer)
    assert (writer.state, writer.undelivered) == (State.SEALED, 0)


def test_a_restarted_compatible_process_is_read_in_order_behind_its_predecessor() -> None:
    """`closed` is kept back only where an official writer may have written it too early."""
    world = World()
    failed, reading = world.writer("w1", negotiated=False), Reading(world)
    failed.close(message("closed", exception={"name": "E"}), world.now, failed=True)
    world.settle_writer(failed)
    successor = world.writer("w2", negotiated=False)
    world.settle_writer(successor)
    end = reading.finish()
    methods = [json.loads(line)["method"] for line in reading.lines]
    assert methods == ["opened", "closed", "opened"]
    assert end.verdict == "truncated"  # the successor never closed


def test_a_restarted_process_whose_read_permission_is_withdrawn_closes_all_the_same() -> None:
    world = World()
    world.settle_writer(world.writer("w1"))
    successor = world.writer("w2", heartbeat=0)
    world.settle_writer(successor)  # it has read the tail
    successor.close(message("closed"), world.now, failed=False)
    world.serve_writer(successor)
    assert successor.state is State.VERIFY
    for _ in range(3):
        world.now += 60
        assert successor.poll(world.now) is not None
        successor.on_failed(world.now, refused=True, chance=0.5)
    assert State.CLOSED is successor.state


def test_a_listing_that_is_answered_ends_the_time_in_which_the_store_failed() -> None:
    world = World()
    reading = Reading(world)
    reading.core.process_gone(world.now)
    reading.serve()
    for fault in ("request lost", "request lost", None):  # of the listing: it takes more than 15 minutes
        world.now += 500
        assert reading.serve(fault)
    world.now += 60
    assert reading.serve("request lost")  # the seal
    assert reading.end is None
    assert reading.finish().verdict == "truncated"
