"""What a process may do next, and what the store may answer."""

from __future__ import annotations

from collections.abc import Iterator

from blobpipes.chunklog.writer_core import Request, Verb
from blobpipes.chunklog.writer_core import State as WriterState
from tests.explorer.pieces import line, name_of
from tests.explorer.state import Process, State, Status, Step, break_rule, less
from tests.explorer.world import World


def steps(world: World, state: State, number: int) -> Iterator[Step]:
    """Everything that may happen to process `number` next."""
    process = state.processes[number]
    if process.status == "new":
        if _may_start(world, state, number):
            yield Step(name_of(number), "starts", _start(world, state, number), is_fair=False)
    elif process.status == "runs":
        for words, talked in _talk(world, process, number):
            after = _with(state, number, talked)
            if world.scenario.reduced or not words:
                yield from _act(world, after, number, words)
            else:
                yield Step(name_of(number), words.rstrip(", "), after)


def _act(world: World, state: State, number: int, words: str) -> Iterator[Step]:
    """What may happen to the process after it has said `words`."""
    who, process = name_of(number), state.processes[number]
    core, request = world.writers.step(process.core, ("poll",))
    if request is not None:
        for what, after, event, is_fair in _answers(world, state, number, request):
            follower, _ = world.writers.step(core, event)
            last, more = _undisturbed(world, after, follower)
            yield Step(who, words + what + more, _moved(world, after, number, last), is_fair)
            if more:
                between = _with(after, number, process._replace(core=follower))
                yield from _deaths(world, between, number, f"{words}{what}, ")
    if not words or world.scenario.spool != "off" or process.closing:
        yield from _deaths(world, state, number, words)


def _deaths(world: World, state: State, number: int, words: str) -> Iterator[Step]:
    who, process = name_of(number), state.processes[number]
    if state.faults.kills:
        killed = _over(world, process, "killed")
        yield Step(who, words + "is killed", _with(less(state, "kills"), number, killed), is_fair=False)
    if state.faults.timeouts and process.closing:
        core, _ = world.writers.step(process.core, ("abandon",))
        yield Step(who, words + "gives up", _moved(world, less(state, "timeouts"), number, core), is_fair=False)


def _may_start(world: World, state: State, number: int) -> bool:
    if state.gone or world.scenario.starts == "once":
        return False
    before = state.processes[number - 1].status
    return before != "new" if world.scenario.starts == "zombie" else before in ("killed", "closed", "raised")


def _start(world: World, state: State, number: int) -> State:
    return _with(state, number, world.started(state.processes, number))


def _talk(world: World, process: Process, number: int) -> Iterator[tuple[str, Process]]:
    """What the program may say before the next thing happens: nothing, some messages, all and `closed`.

    Nobody but the process itself notices when it says something, so a reduced search has no states in between.
    """
    scenario, words = world.scenario, ""
    yield words, process
    while not process.closing:
        if process.said > scenario.says or scenario.closes_early:
            for kind in ("failed", "clean") if scenario.may_fail else ("clean",):
                core, _ = world.writers.step(
                    process.core, ("close", line(number, process.said, kind), kind == "failed")
                )
                what = "closes, " if kind == "clean" else "closes with an exception, "
                yield words + what, process._replace(core=core, said=process.said + 1, closing=kind)
        if process.said > scenario.says:
            return
        core, _ = world.writers.step(process.core, ("accept", line(number, process.said)))
        process = process._replace(core=core, said=process.said + 1)
        words += "writes, "
        yield words, process


def _undisturbed(world: World, state: State, core: int) -> tuple[int, str]:
    """Read on while what is read cannot change: when that happens makes no difference to anybody."""
    told = ""
    while world.scenario.reduced and world.is_lasting:
        asking, request = world.writers.step(core, ("poll",))
        data = world.data_at(state, request.number) if request is not None and request.verb is Verb.READ else None
        if data is None:
            break
        core, _ = world.writers.step(asking, ("read", data))
        told += f", reads {request.number}: [{world.chunks[world.chunks.add(data)]}]"
    return core, told


Answer = tuple[str, State, tuple[object, ...], bool]  # what happened, the world after, the core's event, is it fair


def _answers(world: World, state: State, number: int, request: Request) -> Iterator[Answer]:
    """Each way in which a request may end. Asking and answering are one step.

    That leaves nothing out: what happens in between either does not touch this process and the store's act on
    it, or is a kill, and a kill with a request on its way equals a late put and then a kill.
    """
    if state.faults.refusals:
        yield f"asks to {request.verb.value} {request.number}: refused", less(state, "refusals"), ("refused",), False
    if request.verb is Verb.PUT:
        yield from _put_answers(world, state, number, request)
        return
    if request.verb is Verb.READ:
        data = world.data_at(state, request.number)
        found = "absent" if data is None else f"[{world.chunks[world.chunks.add(data)]}]"
        yield f"reads {request.number}: {found}", state, ("read", data), True
        what = f"reads {request.number}"
    else:
        yield f"lists: {len(state.slots)} is the highest", state, ("listed", len(state.slots)), True
        what = "lists"
    if state.faults.requests:
        yield f"{what}: request lost", less(state, "requests"), ("failed",), False


def _put_answers(world: World, state: State, number: int, request: Request) -> Iterator[Answer]:
    chunk = world.chunks.add(request.data)
    what = f"puts {request.number} [{world.chunks[chunk]}]"
    after, stored = world.put(state, request.number, chunk, number)
    if not world.parts.awaits_answers and stored:
        late = (*state.late, (request.number, chunk, number))
        yield f"{what}: on its way, goes on without the answer", state._replace(late=late), ("stored",), True
        return
    yield f"{what}: {'stored' if stored else 'exists'}", after, ("stored",) if stored else ("exists",), True
    faults = state.faults
    if faults.requests:
        yield f"{what}: request lost", less(state, "requests"), ("failed",), False
    if not stored:
        return
    if faults.replies:
        yield f"{what}: stored, reply lost", less(after, "replies"), ("failed",), False
    if faults.late:
        waiting = tuple(sorted((*state.late, (request.number, chunk, number))))
        yield f"{what}: no answer yet", less(state, "late")._replace(late=waiting), ("failed",), False
    if faults.exists and world.chunk_at(state, request.number) is None:
        yield f"{what}: a false 'exists'", less(state, "exists"), ("exists",), False


def _moved(world: World, state: State, number: int, core: int) -> State:
    """Process `number` now has this core; if that is in a final state, the process learns it at once."""
    process = state.processes[number]._replace(core=core)
    writer = world.writers[core]
    if not writer.is_over:
        return _with(state, number, process)
    if writer.state is WriterState.CLOSED:
        if writer.undelivered:
            state = break_rule(state, "G1", f"{name_of(number)} closes with {writer.undelivered} messages not stored")
        if not process.closing:
            state = break_rule(state, "G1", f"{name_of(number)} is closed, though it has more to say")
        return _with(state, number, _over(world, process, "closed"))
    if not writer.obstacle:
        state = break_rule(state, "G6", f"{name_of(number)} ends as {writer.state.value} and does not say why")
    state = _judge_fencing(world, state, number, writer.state)
    return _with(state, number, _over(world, process, "raised"))


def _judge_fencing(world: World, state: State, number: int, end: WriterState) -> State:
    """I7: nobody but a living rival, the reader or a clean-up ends a process' log."""
    if world.scenario.starts == "once" and end in (WriterState.FENCED, WriterState.SEALED) and not _was_lied_to(world):
        return break_rule(state, "I7", f"{name_of(number)}, all alone, is {end.value}")
    if world.scenario.starts == "restart" and end is WriterState.FENCED and not _was_lied_to(world):
        return break_rule(state, "I7", f"{name_of(number)} is fenced, though every process before it is dead")
    return state


def _was_lied_to(world: World) -> bool:
    return world.scenario.faults.lies > 0


def _over(world: World, process: Process, status: Status) -> Process:
    """What is left of a process: its spool."""
    stored = world.writers[process.core].stored if world.scenario.spool == "unstored" else 0
    return process._replace(status=status, core=-1, stored=stored)


def _with(state: State, number: int, process: Process) -> State:
    processes = (*state.processes[:number], process, *state.processes[number + 1 :])
    return state._replace(processes=processes)
