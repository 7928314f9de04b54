"""What the writer does with each answer of the store."""

from __future__ import annotations

import pytest

from blobpipes.chunklog.header import LegacyChunk, NegotiatedChunk, encode_chunk, parse_chunk, reader_seal
from blobpipes.chunklog.writer_core import MAX_MESSAGE, Request, State, Verb, WriterCore
from blobpipes.errors import MessageTooLargeError
from tests.chunklog.world import World, message


def opened_world() -> tuple[World, WriterCore]:
    world = World()
    core = world.writer(heartbeat=0)
    world.settle_writer(core)
    return world, core


def send(world: World, core: WriterCore, *faults: str | None) -> None:
    """Accept and flush one message; the first requests meet `faults`."""
    core.accept(message("log", core.accepted), world.now)
    core.flush(world.now)
    for fault in faults:
        world.now += 60
        world.serve_writer(core, fault)
    world.now += 60
    world.settle_writer(core)


def test_a_failed_put_is_repeated_with_the_same_number_and_bytes() -> None:
    world, core = opened_world()
    core.accept(message("log"), world.now)
    core.flush(world.now)
    first = core.poll(world.now)
    core.on_failed(world.now, refused=False, chance=0.5)
    core.accept(message("log", 2), world.now)
    world.now += 20
    assert core.poll(world.now) == first


def test_a_put_whose_reply_was_lost_is_found_to_be_our_own() -> None:
    world, core = opened_world()
    send(world, core, "reply lost")
    assert (core.state, core.undelivered, world.puts) == (State.OPEN, 0, [1, 2])
    assert world.requests[-3:] == ["put 2", "put 2", "read 2"]


def test_a_false_exists_is_answered_by_sending_again() -> None:
    world, core = opened_world()
    send(world, core, "exists")
    assert (core.state, core.undelivered) == (State.OPEN, 0)
    assert world.requests[-3:] == ["put 2", "read 2", "put 2"]


def test_nothing_is_asked_while_an_answer_is_outstanding() -> None:
    world = World()
    core = world.writer()
    assert core.poll(world.now) is not None
    core.accept(message("log"), world.now)
    core.flush(world.now)
    assert (core.poll(world.now), core.due(world.now)) == (None, None)


def test_a_reader_that_ended_the_log_fences_the_writer() -> None:
    world, core = opened_world()
    world.put(2, reader_seal(2, "reader", {"w1": 1}, 2))
    send(world, core)
    assert (core.state, core.undelivered) == (State.FENCED, 1)
    assert "reader" in core.obstacle


def test_a_log_that_ended_cleanly_refuses_a_restart() -> None:
    world, core = opened_world()
    core.close(message("closed"), world.now, failed=False)
    world.settle_writer(core)
    again = world.writer("w2")
    world.settle_writer(again)
    assert again.state is State.SEALED
    assert world.requests[-4:] == ["put 1", "read 1", "list 0", "read 2"]


def test_a_job_that_failed_may_be_repeated_in_the_same_log() -> None:
    world, core = opened_world()
    core.close(message("closed", exception={}), world.now, failed=True)
    world.settle_writer(core)
    again = world.writer("w2")
    world.settle_writer(again)
    assert (again.state, again.epoch, again.number) == (State.OPEN, 2, 4)


def test_three_processes_that_start_at_once_get_a_chunk_each_and_the_last_one_stays() -> None:
    world = World()
    cores = [world.writer(f"w{n}") for n in range(3)]
    for _ in range(12):
        for core in cores:
            world.serve_writer(core)
    assert sorted(core.epoch for core in cores) == [1, 2, 3]
    newest = max(cores, key=lambda core: core.epoch)
    for core in cores:
        core.accept(message("log"), world.now)
        core.flush(world.now)
        world.settle_writer(core)
    assert [core.state is State.OPEN for core in cores] == [core is newest for core in cores]


def test_what_the_log_holds_already_is_not_written_twice_after_a_replay() -> None:
    world, core = opened_world()
    send(world, core)
    send(world, core)
    replay = world.writer("w1")  # the same stream, from its spool: messages 1 to 4, of which the log holds 3
    for number in range(3):
        replay.accept(message("log", number + 1), world.now)
    world.settle_writer(replay)
    tail = parse_chunk(world.objects[max(world.objects)])
    assert isinstance(tail, NegotiatedChunk)
    assert (tail.header.first, tail.header.count, tail.header.epoch) == (4, 1, 2)
    assert replay.undelivered == 0


def test_credentials_that_may_write_but_not_read_are_enough() -> None:
    world, core = opened_world()
    core.accept(message("log"), world.now)
    core.flush(world.now)
    world.serve_writer(core, "reply lost")
    for _ in range(20):
        world.now += 60
        request = core.poll(world.now)
        if request is None:
            break
        _answer_without_reading(world, core, request)
    assert (core.state, core.undelivered) == (State.OPEN, 0)
    core.close(message("closed"), world.now, failed=False)
    refused_since = world.now
    while core.state is not State.CLOSED:  # one refusal may pass, three in a row are believed
        world.now += 0.1
        request = core.poll(world.now)
        if request is not None:
            _answer_without_reading(world, core, request)
    assert 0.2 < world.now - refused_since < 3.0


def _answer_without_reading(world: World, core: WriterCore, request: Request) -> None:
    if request.verb is Verb.READ:
        core.on_failed(world.now, refused=True, chance=0.5)
    elif world.put(request.number, request.data):
        core.on_stored(world.now)
    else:
        core.on_exists(world.now)


def test_closing_looks_whether_the_log_was_cleaned_up_meanwhile() -> None:
    world, core = opened_world()
    header = parse_chunk(reader_seal(1, "reader", {"w1": 1}, 2))
    assert isinstance(header, NegotiatedChunk)
    tomb = header.header.__class__(
        stream="reader", epoch=2, number=1, first=1, count=0, elapsed=0, next_within=0,
        high_water={"w1": 1}, flags=frozenset({"tomb", "end"}),
    )  # fmt: skip
    world.objects = {1: encode_chunk(tomb, [])}
    core.close(message("closed"), world.now, failed=False)
    world.settle_writer(core)
    assert (core.state, "cleaned up" in core.obstacle) == (State.FENCED, True)


def test_a_deleted_log_is_noticed_when_closing() -> None:
    world, core = opened_world()
    core.close(message("closed"), world.now, failed=False)
    world.serve_writer(core)
    world.objects.clear()
    world.settle_writer(core)
    assert core.state is State.FENCED


def test_a_message_above_the_limit_is_refused_and_harms_nothing() -> None:
    world, core = opened_world()
    with pytest.raises(MessageTooLargeError, match="above the limit"):
        core.accept(b"x" * (MAX_MESSAGE + 1), world.now)
    send(world, core)
    assert core.undelivered == 0


def test_a_large_message_gets_a_chunk_of_its_own() -> None:
    world, core = opened_world()
    core.accept(b"{}", world.now)
    core.accept(b"y" * (5 << 20), world.now)
    core.accept(b"{}", world.now)
    core.flush(world.now)
    world.settle_writer(core)
    sizes = [len(chunk.lines) for n in (2, 3, 4) if isinstance(chunk := parse_chunk(world.objects[n]), NegotiatedChunk)]
    assert sizes == [1, 1, 1]


@pytest.mark.parametrize("strict", [False, True])
def test_an_official_reader_gets_official_lines(strict: bool) -> None:
    world = World()
    core = world.writer(negotiated=False, strict_bytes=strict)
    core.accept(message("log", 7), world.now)
    core.close(message("closed"), world.now, failed=False)
    world.settle_writer(core)
    chunk = parse_chunk(world.objects[1])
    assert isinstance(chunk, LegacyChunk)
    assert list(chunk.lines[1:]) == [message("log", 7), message("closed")]
    assert (chunk.marks is None) == strict
    if strict:
        assert world.objects[1] == b"\n".join([message("opened"), message("log", 7), message("closed")])


def test_for_an_official_reader_a_restart_continues_at_the_tail_too() -> None:
    world = World()
    first = world.writer("w1", negotiated=False)
    world.settle_writer(first)
    second = world.writer("w2", negotiated=False)
    world.settle_writer(second)
    assert (second.state, second.epoch, sorted(world.objects)) == (State.OPEN, 2, [1, 2])


def test_giving_up_says_how_much_is_lost() -> None:
    world, core = opened_world()
    core.accept(message("log"), world.now)
    core.abandon("no network")
    assert (core.state, core.undelivered, core.obstacle) == (State.ABANDONED, 1, "no network")
