"""What the reading side may do next: ask, be told that all is over, handle, crash, clean up."""

from __future__ import annotations

from collections.abc import Iterator

from blobpipes.chunklog.header import ChunkHeader, Flag, encode_chunk, flags
from blobpipes.chunklog.layout import chunk_key
from blobpipes.chunklog.reader_types import (
    Deliver,
    Delivered,
    Finish,
    Get,
    ListChunks,
    Listed,
    ReaderAction,
    Report,
    Seal,
)
from blobpipes.storage.store import ObjectInfo
from tests.explorer.pieces import READER, name_of, said_by
from tests.explorer.state import Cursor, Ended, Reader, Slot, State, Step, break_rule, less
from tests.explorer.world import World, with_slot

OVER = ("killed", "closed", "raised")


def steps(world: World, state: State) -> Iterator[Step]:
    """Everything that the reader, its platform and its cleaner may do next."""
    reader = state.reader
    if reader.ended:
        yield from _clean(world, state)
        return
    if reader.outbox:
        yield _handle_next(world, state)
    else:
        yield from _ask(world, state)
        yield from _hear_of_the_end(world, state)
    if state.faults.crashes:
        yield Step("reader", "crashes; a new one begins", _crash(world, state), is_fair=False)
    if world.scenario.cleaning == "handled":
        yield from _delete_handled(world, state)


def undisturbed(world: World, state: State) -> State:
    """Read on while what is read cannot change and ends nothing: it makes no difference when that happens."""
    while _may_read_on(world, state):
        core, actions = world.readers.step(state.reader.core, ("poll",))
        if len(actions) != 1 or not isinstance(actions[0], Get):
            break
        chunk = world.chunk_at(state, actions[0].number)
        if chunk is None or world.chunks[chunk].is_last:
            break
        state = state._replace(reader=state.reader._replace(core=core))
        state = _tell(world, state, ("object", actions[0].number, world.chunks[chunk].data))
    return state


def _may_read_on(world: World, state: State) -> bool:
    scenario, reader = world.scenario, state.reader
    is_plain = scenario.sink == "handler" and not scenario.in_waves and not scenario.stale
    is_safe = world.is_lasting or (scenario.cleaning == "tombstone" and not world.parts.put_overwrites)
    return scenario.reduced and is_plain and is_safe and not (reader.ended or reader.asked or state.broken)


# --- asking the store ---------------------------------------------------------------------------------


def _ask(world: World, state: State) -> Iterator[Step]:
    reader = state.reader
    if not reader.asked:
        core, actions = world.readers.step(reader.core, ("poll",))
        if not actions:
            return
        reader = reader._replace(core=core, asked=tuple((action, None) for action in actions))
        state = state._replace(reader=reader)
        if len(actions) > 1:
            numbers = ", ".join(str(action.number) for action in actions)
            yield Step("reader", f"asks for {numbers}", state)
            return
    for action, reply in reader.asked if world.scenario.in_waves else reader.asked[:1]:
        rest = tuple(each for each in reader.asked if each[0] != action)
        now_free = state._replace(reader=reader._replace(asked=rest))
        if reply is not None:
            yield Step("reader", f"learns that {action.number} was absent", _tell(world, now_free, reply))
        elif isinstance(action, Seal):
            yield from _seal(world, now_free, action)
        else:
            yield from _look(world, now_free, action)


def _look(world: World, state: State, action: Get | ListChunks) -> Iterator[Step]:
    if isinstance(action, Get):
        data = world.data_at(state, action.number)
        found = "absent" if data is None else f"[{world.chunks[world.chunks.add(data)]}]"
        yield Step("reader", f"gets {action.number}: {found}", _tell(world, state, ("object", action.number, data)))
        if data is None and world.scenario.stale:
            asked = (*state.reader.asked, (action, ("object", action.number, None)))
            later = state._replace(reader=state.reader._replace(asked=asked))
            yield Step("reader", f"gets {action.number}: absent, but the answer takes its time", later)
    else:
        listed = tuple(
            Listed(number, ObjectInfo(chunk_key(number), len(world.chunks[slot.chunk].data)))
            for number, slot in enumerate(state.slots, 1)
            if slot is not None
        )
        yield Step("reader", "lists", _tell(world, state, ("listed", listed)))
    if state.faults.requests:
        yield Step("reader", "asks: no answer", _tell(world, less(state, "requests"), ("failed", action)), False)


def _seal(world: World, state: State, action: Seal) -> Iterator[Step]:
    chunk = world.chunks.add(action.data)
    what = f"seals {action.number}"
    after, stored = world.put(state, action.number, chunk, READER)
    yield Step("reader", f"{what}: {'stored' if stored else 'exists'}", _tell(world, after, ("sealed", stored)))
    failed = ("failed", action)
    if state.faults.refusals:
        yield Step("reader", f"{what}: refused", _tell(world, less(state, "refusals"), ("refused", action)), False)
    if state.faults.requests:
        yield Step("reader", f"{what}: request lost", _tell(world, less(state, "requests"), failed), False)
    if stored and state.faults.replies:
        yield Step("reader", f"{what}: stored, reply lost", _tell(world, less(after, "replies"), failed), False)
    if stored and state.faults.late:
        waiting = tuple(sorted((*state.late, (action.number, chunk, READER))))
        later = less(state, "late")._replace(late=waiting)
        yield Step("reader", f"{what}: no answer yet", _tell(world, later, failed), False)


# --- being told -----------------------------------------------------------------------------------------


def _hear_of_the_end(world: World, state: State) -> Iterator[Step]:
    """The platform says that the process has ended and no other will come."""
    core = world.readers[state.reader.core]
    if core.is_gone:
        return
    if state.gone or _is_true_that_all_are_gone(world, state):
        late = () if world.scenario.official else state.late  # from which nothing protects an official reader
        yield Step("platform", "says: gone", _tell(world, state._replace(gone=True, late=late), ("gone",)))
    elif state.faults.lies:
        yield Step("platform", "lies: gone", _tell(world, less(state, "lies"), ("gone",)), is_fair=False)


def _is_true_that_all_are_gone(world: World, state: State) -> bool:
    started = [process for process in state.processes if process.status != "new"]
    if world.scenario.starts == "zombie":  # the platform only knows of the newest
        started = started[-1:]
    return all(process.status in OVER for process in started)


def _tell(world: World, state: State, event: tuple[object, ...]) -> State:
    """The reader core learns of `event`, and what it wants done is done."""
    core, actions = world.readers.step(state.reader.core, event)
    state = state._replace(reader=state.reader._replace(core=core))
    orders = [order for action in actions for order in _orders(world, core, action)]
    if world.scenario.sink == "handler":
        return _obey(world, state, orders)
    if orders and world.scenario.sink == "cursor after":
        orders.append(_cursor(world, core))
    if orders and world.scenario.sink == "cursor before":
        state = state._replace(reader=state.reader._replace(cursor=_cursor(world, core)))
    return state._replace(reader=state.reader._replace(outbox=(*state.reader.outbox, *orders)))


def _orders(world: World, core: int, action: ReaderAction) -> list[object]:
    if isinstance(action, Deliver):
        return list(action.messages)
    if isinstance(action, Finish):
        marks = tuple(sorted(world.readers[core].last_seq.items()))
        return [Ended(action.end.verdict, action.end.missing, marks)]
    return [action]


def _cursor(world: World, core: int) -> Cursor:
    reader = world.readers[core]
    return Cursor(reader.next_number, tuple(sorted(reader.last_seq.items())))


def _handle_next(world: World, state: State) -> Step:
    """One thing for a sink that outlives the reader."""
    first, rest = state.reader.outbox[0], state.reader.outbox[1:]
    state = state._replace(reader=state.reader._replace(outbox=rest))
    what = {Delivered: "handles one message", Cursor: "stores its cursor"}.get(type(first), "goes on")
    return Step("reader", what, _obey(world, state, [first]))


def _obey(world: World, state: State, orders: list[object]) -> State:
    for order in orders:
        if isinstance(order, Cursor):
            state = state._replace(reader=state.reader._replace(cursor=order))
        elif state.reader.ended:
            state = break_rule(state, "G6", f"{order} comes after the end")
        elif isinstance(order, Delivered):
            state = _handle(world, state, order)
        elif isinstance(order, Report):
            state = _hear_problem(state, order.problem.kind, order.problem.text)
        elif isinstance(order, Ended):
            state = _finish(state, order)
    return state


def _handle(world: World, state: State, message: Delivered) -> State:
    """I6: every handler sees 1, 2, 3, ... of each process, without gap or repeat."""
    reader = state.reader
    process, index = said_by(message.line)
    if world.scenario.sink == "ids":
        ids = dict(reader.ids)
        if message.seq <= ids.get(message.stream, 0):
            return state
        ids[message.stream] = message.seq
        reader = reader._replace(ids=tuple(sorted(ids.items())))
    expected = reader.seen[process]
    seen = (*reader.seen[:process], max(expected, index + 1), *reader.seen[process + 1 :])
    state = state._replace(reader=reader._replace(seen=seen))
    if index == expected:
        return state
    wrong = "a second time" if index < expected else f"before {name_of(process)}.{expected}"
    return break_rule(state, "I6", f"the handler gets {name_of(process)}.{index} {wrong}")


def _hear_problem(state: State, kind: str, text: str) -> State:
    if kind == "restarted":
        return state._replace(reader=state.reader._replace(restarts_told=state.reader.restarts_told + 1))
    return state if kind == "store" else break_rule(state, "I2", f"the reader reports a {kind}: {text}")


def _finish(state: State, ended: Ended) -> State:
    if ended.missing:
        state = break_rule(state, "I6", f"{ended.missing} messages are missing at the end")
    reader = state.reader._replace(core=-1, asked=(), ids=(), cursor=Cursor(), ended=ended)
    return state._replace(reader=reader)


def _crash(world: World, state: State) -> State:
    """The reader dies between any two steps. Its successor starts from what outlives it."""
    old, sink = state.reader, world.scenario.sink
    cursor = old.cursor if sink.startswith("cursor") else Cursor()
    nothing = (0,) * len(state.processes)
    new = Reader(
        world.new_reader(cursor), seen=nothing if sink == "handler" else old.seen, ids=old.ids, cursor=cursor
    )  # fmt: skip
    return less(state, "crashes")._replace(reader=new)


# --- clean-up -----------------------------------------------------------------------------------------


def _clean(world: World, state: State) -> Iterator[Step]:
    """After a success, and one object at a time: the tombstone first."""
    cleaning, done, reader = world.scenario.cleaning, state.cleaned, state.reader
    if (reader.ended and reader.ended.verdict) != "complete" or cleaning in ("keep", "handled"):
        return
    if done == 0:
        after = with_slot(state, 1, _tombstone(world, state) if cleaning == "tombstone" else None)
        yield Step("reader", "puts the tombstone on 1" if cleaning == "tombstone" else "deletes 1",
                   after._replace(cleaned=1))  # fmt: skip
    elif done < state.filled and done < len(state.slots):
        yield Step("reader", f"deletes {done + 1}", with_slot(state, done + 1, None)._replace(cleaned=done + 1))


def _tombstone(world: World, state: State) -> Slot:
    """What the protocol says stands in slot 1 from now on: the marks of what was delivered."""
    headers = [world.chunks[slot.chunk].header for slot in state.slots if slot is not None]
    newest = max(header.epoch for header in headers if header is not None)
    marks = dict(state.reader.ended.marks) if state.reader.ended is not None else {}
    header = ChunkHeader(
        stream="reader", epoch=newest + 1, number=1, first=1, count=0, elapsed=0.0, next_within=0.0,
        high_water=marks, flags=flags(Flag.TOMB, Flag.END),
    )  # fmt: skip
    return Slot(world.chunks.add(encode_chunk(header, [])), READER)


def _delete_handled(world: World, state: State) -> Iterator[Step]:
    reader = world.readers[state.reader.core]
    for number in range(1, min(reader.next_number, len(state.slots) + 1)):
        if world.chunk_at(state, number) is not None:
            yield Step("reader", f"deletes {number}, which is handled", with_slot(state, number, None), is_fair=False)
