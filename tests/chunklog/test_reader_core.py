"""Damage, holes, official writers and stores that fail: each is named, and none stops what follows."""

from __future__ import annotations

import pytest

from blobpipes.chunklog.header import reader_seal
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.reader_types import ReaderSettings
from tests.chunklog.world import Reading, World, message, run_both

CLOSED = message("closed")


def world_of(chunks: int) -> World:
    """A finished log: `opened`, then one message per chunk, then `closed`."""
    world = World()
    writer = world.writer(heartbeat=0)
    world.settle_writer(writer)
    for number in range(2, chunks):
        writer.accept(message("log", number), world.now)
        writer.flush(world.now)
        world.settle_writer(writer)
    writer.close(CLOSED, world.now, failed=False)
    world.settle_writer(writer)
    assert len(world.objects) == chunks
    return world


def kinds(reading: Reading) -> list[str]:
    return [problem.kind for problem in reading.problems]


def test_a_truncated_chunk_is_waited_for_then_named_and_passed_over() -> None:
    world = world_of(5)
    whole = world.objects[3]
    world.objects[3] = whole[:-5]
    reading = Reading(world)
    reading.run_to(20.0)
    assert (len(reading.lines), reading.problems, reading.end) == (2, [], None)
    world.objects[3] = whole  # it became visible completely after all
    reading.run_to(25.0)
    assert reading.end is not None
    assert reading.end.verdict == "complete"


def test_a_chunk_that_stays_damaged_costs_only_its_own_messages() -> None:
    world = world_of(5)
    world.objects[3] = world.objects[3].replace(b"log", b"lag")
    reading = Reading(world)
    reading.run_to(200.0)
    assert reading.end is not None
    assert (reading.end.verdict, reading.end.missing) == ("truncated", 1)
    assert reading.lines[-1] == CLOSED
    assert kinds(reading) == ["corrupt"]
    assert reading.problems[0].chunk == 3


def test_a_copied_chunk_is_damage_too() -> None:
    world = world_of(5)
    world.objects[3] = world.objects[2]
    reading = Reading(world)
    assert reading.finish().verdict == "truncated"
    assert kinds(reading)[0] == "corrupt"


def test_a_deleted_chunk_is_waited_for_then_named_and_passed_over() -> None:
    world = world_of(6)
    del world.objects[3]
    reading = Reading(world)
    reading.run_to(50.0)
    assert not reading.core.is_done
    reading.run_to(100.0)
    assert reading.end is not None
    assert (reading.end.verdict, reading.end.missing) == ("truncated", 1)
    assert kinds(reading) == ["gap", "gap"]
    assert "chunk 3 is missing" in reading.problems[0].text
    assert "message 3 of stream" in reading.problems[1].text


def test_a_hole_found_by_the_last_listing_is_not_sealed_over_by_an_unsealing_reader() -> None:
    world = world_of(40)
    for number in range(20, 30):
        del world.objects[number]
    reading = Reading(world, ReaderSettings(may_seal=False))
    end = reading.finish()
    assert (end.verdict, end.missing) == ("truncated", 10)
    assert reading.lines[-1] == CLOSED


def test_the_seal_says_what_never_came() -> None:
    world = World()
    world.settle_writer(world.writer())
    world.put(2, reader_seal(2, "another reader", {"w1": 5}, 2))
    end = Reading(world).finish()
    assert (end.verdict, end.missing) == ("truncated", 4)


# --- official writers ---------------------------------------------------------------------------------


def official(world: World, number: int, *lines: bytes, newline: bool = False) -> None:
    world.objects[number] = b"\n".join(lines) + (b"\n" if newline else b"")


@pytest.mark.parametrize("newline", [False, True])
def test_an_official_log_is_complete_when_closed_and_gone(newline: bool) -> None:
    world = World()
    official(world, 1, message("opened"), message("log", 1), newline=newline)
    official(world, 2, CLOSED, newline=newline)
    reading = Reading(world)
    end = reading.finish()
    assert (end.verdict, end.messages, reading.lists) == ("complete", 3, 1)
    assert 3 not in world.objects


def test_text_after_an_official_closed_is_delivered_before_it() -> None:
    world = World()
    official(world, 1, message("opened"), CLOSED)
    official(world, 2, message("log_external_stream"))
    reading = Reading(world)
    assert reading.finish().verdict == "complete"
    assert reading.lines == [message("opened"), message("log_external_stream"), CLOSED]


def test_an_official_close_is_delivered_while_the_process_is_not_reported_gone() -> None:
    world = World()
    official(world, 1, message("opened"), CLOSED)
    reading = Reading(world)
    reading.settle()
    assert (reading.lines[-1], reading.end) == (CLOSED, None)


def test_a_chunk_file_that_an_official_writer_is_still_writing_is_waited_for() -> None:
    world = World()
    whole = b"\n".join([message("opened"), message("log", 1), CLOSED])
    reading = Reading(world)
    world.objects[1] = whole[:-9]  # as the official package writes it: in place, and not at once
    reading.settle()
    assert reading.delivered == []
    world.objects[1] = whole
    assert reading.finish().verdict == "complete"
    assert reading.problems == []


def test_an_official_line_that_stays_cut_costs_itself_alone() -> None:
    world = World()
    official(world, 1, message("opened"), message("log", 1), b'{"__dagster_pipes_version": "0.1", "meth')
    reading = Reading(world)
    assert reading.finish().verdict == "truncated"
    assert len(reading.delivered) == 3  # the cut one is named by whoever reads it


def test_an_official_process_that_vanishes_is_truncated_after_two_looks() -> None:
    world = World()
    official(world, 1, message("opened"))
    reading = Reading(world)
    reading.settle()
    end = reading.finish()
    assert (end.verdict, end.messages) == ("truncated", 1)
    looks = [at for at, number, there in reading.gets if number == 2 and not there]
    assert looks[-1] - looks[-2] >= 2.0
    assert 2 not in world.objects


def test_an_official_failure_is_failed() -> None:
    world = World()
    official(world, 1, message("opened"), message("closed", exception={"message": "x"}))
    assert Reading(world).finish().verdict == "failed"


def test_a_hole_of_an_official_writer_is_skipped_loudly() -> None:
    world = World()
    official(world, 1, message("opened"))
    official(world, 3, message("log", 3), CLOSED)
    reading = Reading(world)
    end = reading.finish()
    assert (end.verdict, len(reading.lines), kinds(reading)) == ("truncated", 3, ["gap"])


def test_an_official_writer_that_starts_over_is_read_again_as_another_stream() -> None:
    world = World()
    official(world, 1, message("opened"), message("log", 1), message("log", 2))
    reading = Reading(world)
    reading.settle()
    official(world, 1, message("opened"), CLOSED)
    end = reading.finish()
    assert kinds(reading) == ["overwritten"]
    assert (end.verdict, reading.lines[-2:]) == ("truncated", [message("opened"), CLOSED])


def test_an_empty_object_stops_nothing() -> None:
    world = World()
    official(world, 1, message("opened"))
    world.objects[2] = b""
    official(world, 3, CLOSED)
    reading = Reading(world)
    end = reading.finish()
    assert (end.verdict, reading.lines[-1], kinds(reading)) == ("truncated", CLOSED, ["corrupt"])


# --- stores that fail ---------------------------------------------------------------------------------


def test_a_refusal_is_told_at_once_and_reading_goes_on_when_it_passes() -> None:
    world = world_of(4)
    reading = Reading(world)
    reading.serve("refused")
    assert kinds(reading) == ["store"]
    reading.run_to(100.0)
    assert reading.end is not None
    assert reading.end.verdict == "complete"


@pytest.mark.parametrize(("fault", "verdict"), [("refused", "refused"), ("request lost", "unreachable")])
def test_a_store_that_never_answers_ends_the_session_by_name(fault: str, verdict: str) -> None:
    world = world_of(4)
    reading = Reading(world, ReaderSettings(store_patience=120.0))
    while reading.end is None:
        due = reading.core.due()
        assert due is not None
        world.now = max(world.now, due)
        reading.serve(fault)
    assert (reading.end.verdict, 120 <= world.now <= 200) == (verdict, True)
    assert 2 <= len(kinds(reading)) <= 4


def test_a_store_that_hides_absence_is_read_all_the_same() -> None:
    world = World()
    reading = Reading(world, ReaderSettings(denied_is_absent=True))
    reading.serve("refused")
    assert reading.problems == []
    writer = world.writer()
    writer.close(CLOSED, world.now, failed=False)
    world.settle_writer(writer)
    reading.run_to(60.0)
    assert reading.end is not None


def test_a_lost_reply_to_the_seal_is_no_problem() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    world.settle_writer(writer)
    reading.settle()
    reading.core.process_gone(world.now)
    reading.serve()
    reading.serve()  # the listing
    reading.serve("reply lost")
    assert max(world.objects) == 2
    assert reading.finish().verdict == "truncated"
    assert max(world.objects) == 2


def test_the_seal_of_a_reader_is_not_taken_for_a_process() -> None:
    world = World()
    writer, first = world.writer(), Reading(world)
    world.settle_writer(writer)
    first.settle()
    first.core.process_gone(world.now)
    first.serve()
    first.serve()  # the listing
    first.serve("reply lost")  # the seal stands, and this reader does not know
    second = Reading(world)  # nor does one that begins later
    for reading in (first, second):
        end = reading.finish()
        assert kinds(reading) in (["store"], [])
        assert (end.verdict, end.chunks, end.last_seq) == ("truncated", 2, {"w1": 1})
        assert "the last message of stream w1 is number 1" in end.detail


def test_a_process_that_replays_a_spool_is_announced_though_it_continues_the_stream() -> None:
    world = World()
    writer, reading = world.writer("w1"), Reading(world)
    world.settle_writer(writer)
    successor = world.writer("w1")  # from its spool: message 1, which the log holds, and two more
    successor.accept(message("log"), world.now)
    successor.accept(message("opened"), world.now)
    world.settle_writer(successor)
    reading.settle()
    assert [problem.text for problem in reading.problems] == ["another process (epoch 2) continues the log"]
    assert [each.seq for each in reading.delivered] == [1, 2, 3]


def test_a_chunk_that_lands_before_the_seal_is_read_first() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    world.settle_writer(writer)
    reading.settle()
    reading.core.process_gone(world.now)
    reading.serve()  # sees that chunk 2 is absent
    writer.accept(message("log", 1), world.now)
    writer.flush(world.now)
    world.settle_writer(writer)
    end = reading.finish()
    assert (end.verdict, reading.lines[-1]) == ("truncated", message("log", 1))
    assert sorted(world.objects) == [1, 2, 3]


def test_without_permission_to_write_the_end_is_found_by_looking_twice() -> None:
    world = World()
    writer, reading = world.writer(), Reading(world)
    world.settle_writer(writer)
    reading.settle()
    reading.core.process_gone(world.now)
    reading.serve()
    reading.serve()  # the listing
    for _ in range(3):  # one refusal may pass, three in a row are believed
        world.now += 9
        reading.serve("refused")
    end = reading.finish()
    assert (end.verdict, sorted(world.objects)) == ("truncated", [1])
    assert [problem.text for problem in reading.problems][-1] == "the log's end cannot be sealed: refused"
    assert len(reading.problems) <= 4


def test_a_silent_writer_is_suspect_and_one_listing_looks_for_a_hole() -> None:
    world = World()
    options = LogOptions(interval=10.0, heartbeat=60.0)
    writer, reading = world.writer(), Reading(world, ReaderSettings(options))
    world.settle_writer(writer)
    reading.run_to(1000.0)
    assert (kinds(reading), reading.lists) == (["silent"], 1)
    writer.accept(message("log", 1), world.now)
    run_both(world, writer, reading, 1020.0)
    assert reading.lines[-1] == message("log", 1)


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_hole_that_was_there_before_the_first_look_is_not_taken_for_the_end(missing: int) -> None:
    world = world_of(6)
    del world.objects[missing]
    reading = Reading(world)
    end = reading.finish()
    assert (end.verdict, len(reading.lines)) == ("truncated", 5)
    assert reading.lines[-1] == CLOSED
    assert kinds(reading)[0] == "gap"
    assert missing not in world.objects


def test_a_strange_object_at_the_end_does_not_keep_the_log_from_being_sealed() -> None:
    world = World()
    world.settle_writer(world.writer(heartbeat=0))
    world.objects[2] = b"garbage"
    reading = Reading(world)
    assert reading.finish().verdict == "truncated"
    onlooker = Reading(world, ReaderSettings(may_seal=False))
    onlooker.settle()
    assert onlooker.end is not None
