"""What may happen to a log, and what must be true of it: for random walks and for the state machine.

Every action takes `choose`, which picks one of a sequence: from a seed, or from hypothesis. An action that is
impossible at the moment does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from blobpipes.chunklog.closing import closing_of, is_clean_close
from blobpipes.chunklog.header import Flag, LegacyChunk, parse_chunk
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.writer_core import State
from tests.chunklog.plant import Plant, Process, header_of
from tests.chunklog.world import message

Choose = Callable[[Sequence[Any]], Any]

FAULTS: Final = ("on its way", "request lost", "reply lost", "late", "late", "refused", "false exists")
FATES: Final = ("lost", "stored", "late")  # of a put whose process is killed
YES_NO: Final = (False, True)
SELDOM: Final = (False, False, True)
GRACE: Final = 8.0  # seconds between SIGTERM and SIGKILL

INTERESTING: Final = frozenset({
    "writer: closed", "writer: gave up", "writer: sealed out",
    "writer: fenced by a successor", "writer: fenced by the reader's seal",
    "writer: a put was its own", "writer: a false exists", "writer: a heartbeat",
    "writer: replays a spool", "writer: a replay is trimmed",
    "store: a late put is stored", "store: a late put is too late",
    "reader: sealed", "reader: a chunk was faster than the seal", "reader: its own seal stood already",
    "reader: several gets at once", "reader: an answer came out of order", "reader: an old 'absent'",
    "reader: crashed", "reader: waits for a restart", "platform: lied",
    "verdict: complete", "verdict: failed", "verdict: truncated",
    "G3: all is stored after SIGTERM", "G4: a replayed spool lost nothing", "official bytes",
})  # fmt: skip


class Life:
    """At most three processes, and one reader after the other, on one log. `reach` is told what happened."""

    def __init__(self, choose: Choose, reach: Callable[[str], None]) -> None:
        options = LogOptions(
            interval=choose((0.5, 10.0)), max_messages=choose((1, 3, 10_000)), heartbeat=choose((0.0, 60.0))
        )  # fmt: skip
        negotiated, spool, restarts = choose((True, True, False)), choose(YES_NO), choose((0, 1))
        self.plant = Plant(options, negotiated, spool, restarts, reach)
        self._reader_first = choose(YES_NO)  # at the end
        self._reach = reach
        self._stored: dict[int, bytes] = {}  # every chunk that was ever seen in the log
        self.plant.start(replay=False)
        if not negotiated:
            reach("official bytes")

    # --- the program and its platform ----------------------------------------------------------------

    def start(self, choose: Choose) -> None:
        if self._may_start():
            self.plant.start(replay=choose(YES_NO))

    def restart(self, choose: Choose) -> None:
        """The machine goes down and comes up again; its disk may have survived."""
        process = self._one(choose)
        if process is not None and self._may_start():
            self.plant.kill(process, choose(FATES))
            self.plant.start(replay=True)

    def write(self, choose: Choose) -> None:
        process = self._one(choose, lambda each: not each.closing)
        if process is not None:
            for number in range(choose((1, 2, 4))):
                self.plant.say(process, message("log", number), urgent=choose(YES_NO))

    def flush(self, choose: Choose) -> None:
        process = self._one(choose, lambda each: not each.closing)
        if process is not None:
            process.core.flush(self.plant.now)

    def close(self, choose: Choose) -> None:
        process = self._one(choose, lambda each: not each.closing)
        if process is not None:
            self.plant.close(process, failed=choose(YES_NO))

    def give_up(self, choose: Choose) -> None:
        process = self._one(choose, lambda each: each.closing)
        if process is not None and choose(SELDOM):
            self.plant.give_up(process)

    def kill(self, choose: Choose) -> None:
        process = self._one(choose)
        if process is not None and choose(SELDOM):
            self.plant.kill(process, choose(FATES))

    def terminate(self, choose: Choose) -> None:
        """SIGTERM, while the store answers: what was accepted is stored within the grace (G3). Then SIGKILL."""
        process = self._one(choose)
        if process is None or not choose(SELDOM):
            return
        process.core.terminate(self.plant.now)
        self.plant.work_until(self.plant.now + GRACE)
        if not process.over:
            assert process.core.undelivered == 0, "G3: the grace was not enough"
            self._reach("G3: all is stored after SIGTERM")
            self.plant.kill(process, "lost")

    def say_gone(self, choose: Choose) -> None:
        reader = self.plant.watcher
        if reader.end is not None or reader.core.is_gone:
            return
        alive = any(not process.over for process in self.plant.processes)
        if not alive or (self.plant.negotiated and choose(SELDOM)):  # without a seal nothing helps against a lie
            self.plant.say_gone()

    # --- requests and time ---------------------------------------------------------------------------

    def serve(self, choose: Choose) -> None:
        self._serve(choose, "answered")

    def serve_badly(self, choose: Choose) -> None:
        self._serve(choose, choose(FAULTS))

    def _serve(self, choose: Choose, outcome: str) -> None:
        """A process asks as soon as it wants to, or its request that is on its way ends."""
        plant = self.plant
        process = self._one(choose, lambda each: each.request is not None or each.core.due(plant.now) is not None)
        if process is None:
            return
        if process.request is None:
            plant.now = max(plant.now, process.core.due(plant.now) or 0.0)
            process.request = process.core.poll(plant.now)
        if outcome != "on its way":
            plant.answer(process, outcome)

    def look(self, choose: Choose) -> None:
        self._look(choose, "answered")

    def look_badly(self, choose: Choose) -> None:
        self._look(choose, choose(("on its way", "lost", "lost", "refused")))

    def _look(self, choose: Choose, outcome: str) -> None:
        """The reader asks as soon as it wants to, or one of its requests ends."""
        plant = self.plant
        if plant.watcher.end is not None:
            return
        if not plant.watcher.asked:
            plant.now = max(plant.now, plant.watcher.core.due() or 0.0)
            plant.look()
        index = choose(range(len(plant.watcher.asked)))
        if index > 0:
            self._reach("reader: an answer came out of order")
        plant.answer_reader(index, outcome)

    def crash_reader(self, choose: Choose) -> None:
        if self.plant.watcher.end is None and choose(SELDOM):
            self.plant.crash_reader(landing=choose(YES_NO))

    def land(self, choose: Choose) -> None:
        if self.plant.late:
            self.plant.land(choose(range(len(self.plant.late))))

    def pass_time(self, choose: Choose) -> None:
        self.plant.now += choose((0.01, 0.3, 5.0, 61.0))

    def work(self, choose: Choose) -> None:
        self.plant.work_until(self.plant.now + choose((0.0, 0.3, 15.0)))

    # --- what is true after every step (I6 is judged in the plant, where it happens) -----------------------

    def check(self) -> None:
        self._check_log()
        held = self.plant.held()
        for process in self.plant.processes:
            assert process.core.stored <= held[process.stream], "I5: it is not stored"
        if len(self.plant.processes) == 1 and not self.plant.was_lied_to:
            assert self.plant.processes[0].core.state not in (State.FENCED, State.SEALED), "I7: fenced by itself"

    def _check_log(self) -> None:
        log = self.plant.log
        assert all(log[number] == data for number, data in self._stored.items()), "I1: a stored chunk has changed"
        self._stored.update(log)
        assert sorted(log) == list(range(1, len(log) + 1)), "I2: there is a hole"
        for number in range(1, len(log)):
            one, other = header_of(log[number]), header_of(log[number + 1])
            assert not _has_ended(log[number]), "I4: something follows the end"
            assert other.epoch >= one.epoch, "I3: the epoch falls"
            assert other.epoch > one.epoch or other.stream == one.stream, "I3: another owner in the same epoch"

    # --- what is true at the end ---------------------------------------------------------------------------

    def finish(self) -> None:
        """Without further faults all comes to an end, and what was promised is kept."""
        plant = self.plant
        for process in plant.processes:
            if not process.over and not process.closing:
                plant.close(process, failed=False)
        if plant.watcher.core.is_gone and self._reader_first:
            self._let_the_reader_end()
        plant.work_until(plant.now + 2000, lambda: all(process.over for process in plant.processes))
        assert all(process.over for process in plant.processes), "G5: a process never ends"
        self._let_the_reader_end()
        if plant.watcher.end is not None and plant.watcher.end.verdict in ("refused", "unreachable"):
            plant.crash_reader(landing=False)  # it gave up by name; the chunks stay, and another one reads them
            self._let_the_reader_end()
        while plant.late:
            plant.land(0)
        self._check_log()
        self._judge()

    def _let_the_reader_end(self) -> None:
        plant = self.plant
        if plant.watcher.end is None and not plant.watcher.core.is_gone:
            plant.say_gone()
        plant.drop_what_nothing_stops()
        plant.work_until(plant.now + 5000, lambda: plant.watcher.end is not None)

    def _judge(self) -> None:
        """G1, G2, G4, G6."""
        plant, end = self.plant, self.plant.watcher.end
        assert end is not None, "G5: the reader never ends"
        self._reach(f"verdict: {end.verdict}")
        assert end.missing == 0
        got = {stream: len(plant.watcher.lines.get(stream, [])) for stream in plant.accepted}
        for stream, last in plant.held().items():
            assert got[stream] >= last, f"G2: of {stream} {last} messages are stored, {got[stream]} delivered"
        for process in plant.processes:
            assert process.over != "raised" or process.core.obstacle, "G6: it raises, and does not say why"
            assert process.over != "closed" or got[process.stream] == process.core.accepted, "G1 or G4"
            if process.over == "closed" and process.replays:
                self._reach("G4: a replayed spool lost nothing")
        self._judge_words(end.verdict)

    def _judge_words(self, verdict: str) -> None:
        """G6: the verdict says what stands in the log, and every change of process was announced."""
        log = self.plant.log
        numbers = [number for number in sorted(log) if not header_of(log[number]).has(Flag.READER_SEAL)]
        last = _close_in(log[numbers[-1]]) if numbers else None
        assert verdict == {"clean": "complete", "failed": "failed", None: "truncated"}[last], "G6"
        written = [header_of(log[number]) for number in numbers]
        changes = sum((one.stream, one.epoch) != (other.stream, other.epoch) for one, other in pairwise(written))
        assert self.plant.watcher.problems.count("restarted") == changes, "G6"
        assert not {"gap", "corrupt", "overwritten"} & set(self.plant.watcher.problems)

    # --- choosing ----------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        return len(self.plant.processes) < 3 and not self.plant.is_gone

    def _one(self, choose: Choose, suits: Callable[[Process], bool] = lambda each: True) -> Process | None:
        """One of the living processes that suit, if there is one."""
        fitting = [each for each in self.plant.processes if not each.over and suits(each)]
        return choose(fitting) if fitting else None


def _close_in(data: bytes) -> str | None:
    """How the process that wrote this chunk closes with it, if it does."""
    chunk = parse_chunk(data)
    if isinstance(chunk, LegacyChunk):
        return closing_of(chunk.lines[-1])
    return {"end": "clean", "fail": "failed"}.get("".join(header_of(data).flags & {"end", "fail"}))


def _has_ended(data: bytes) -> bool:
    chunk = parse_chunk(data)
    return is_clean_close(chunk.lines[-1]) if isinstance(chunk, LegacyChunk) else header_of(data).seals
