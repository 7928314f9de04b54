"""What must be true when all is over, whatever happened."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from blobpipes.chunklog.closing import closing_of
from blobpipes.chunklog.header import ChunkHeader, Flag, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import chunk_number
from blobpipes.errors import FencedError, LogSealedError
from tests.simulation.job import Job, Said, said_in
from tests.simulation.kernel import Simulation
from tests.simulation.log import Log
from tests.simulation.network import LATENCIES

MAY_STAY: Final = ("blobpipes-poller", "blobpipes-reader", "store")  # they serve every session of a process
PROMPT: Final = 2.0  # seconds that two requests and a coalescing pause may take, in calm weather


def judge(log: Log) -> None:
    """The newest reader has read to the end. Raises AssertionError by the name of the promise."""
    chunks = _chunks(log)
    _judge_chunks(chunks)
    end = log.watch.end
    assert end is not None, "G5: the reader never ends"
    got = log.watch.got
    stored = {said_in(line) for chunk in chunks for line in chunk.lines}
    assert stored <= set(got), f"G2: {len(stored - set(got))} messages are stored and were not delivered"
    for job in log.jobs:
        _judge_job(job, log, set(got))
    _judge_order(log)
    _judge_verdict(chunks, log)
    if not log.is_disturbed and log.weather.is_calm:
        _judge_calm(log)


def judge_threads(simulation: Simulation) -> None:
    """Nothing runs on that nobody waits for."""
    left = [str(task) for task in simulation.left_behind if not task.name.startswith(MAY_STAY)]
    assert not left, f"threads are left behind: {', '.join(left)}"


# --- the log ------------------------------------------------------------------------------------------


def _chunks(log: Log) -> list[NegotiatedChunk]:
    objects = log.bucket.objects
    numbers = sorted(number for key in objects if (number := chunk_number(key)) is not None)
    assert numbers == list(range(1, len(numbers) + 1)), f"I2: there is a hole: {numbers}"
    parsed = [parse_chunk(objects[f"{number}.json"]) for number in numbers]
    assert all(isinstance(chunk, NegotiatedChunk) for chunk in parsed)
    return [chunk for chunk in parsed if isinstance(chunk, NegotiatedChunk)]


def _judge_chunks(chunks: list[NegotiatedChunk]) -> None:
    for one, other in pairwise(chunks):
        assert not one.header.seals, "I4: something follows the end"
        assert other.header.epoch >= one.header.epoch, "I3: the epoch falls"
        same = other.header.stream == one.header.stream
        assert other.header.epoch > one.header.epoch or same, "I3: another owner in the same epoch"


# --- the jobs -----------------------------------------------------------------------------------------


def _judge_job(job: Job, log: Log, got: set[Said]) -> None:
    missing = [said for said in job.accepted if said not in got]
    broken = sorted(said.number for said in job.promised - got)
    assert not broken, f"G1 or G2: {job.process.name} was told that its messages are stored; missing: {broken}"
    if job.outcome in ("closed", "failed", "left"):
        assert not missing, f"G1: {job.process.name} ended well, and {len(missing)} messages were not delivered"
        assert log.options.spool == "off" or job.outcome == "left" or not _keeps_spool(job), "its spool stays behind"
    elif job.outcome not in ("killed", "resent"):
        assert job.told is not None, "G6: it raises, and does not say why"
        count = job.undelivered_told
        assert count is None or count >= len(missing), f"G6: {len(missing)} are missing, it was told of {count}"
    if len(log.jobs) == 1 and not log.was_lied_to:
        assert not isinstance(job.told, (FencedError, LogSealedError)), "I7: fenced by itself"
    if job.outcome == "killed" and log.options.spool == "wal":
        _judge_replay(job, log, missing)


def _keeps_spool(job: Job) -> bool:
    return job.spool is not None and job.spool.kept is not None


def _judge_replay(dead: Job, log: Log, missing: list[Said]) -> None:
    """G4: with `wal`, who continues the stream and ends well has delivered all of it."""
    for job in log.jobs[log.jobs.index(dead) + 1 :]:
        if job.stream == dead.stream and job.outcome in ("closed", "failed", "resent"):
            assert not missing, f"G4: {len(missing)} messages were lost though they were on disk"
            log.reach("G4: a replayed spool lost nothing")


# --- the reader ---------------------------------------------------------------------------------------


def _judge_order(log: Log) -> None:
    """Each thread's messages in its order, without a hole."""
    numbers: dict[tuple[str, int], int] = {}
    for said in log.watch.got:
        before = numbers.get(said.speaker, -1)
        assert said.number == before + 1 or (said.number > before and log.watch.skipped), f"{said} is out of order"
        numbers[said.speaker] = said.number
    for job in log.jobs:
        accepted = set(job.accepted)
        told = {said for said in log.watch.got if said.speaker[0] == job.process.name}
        unknown = len(told - accepted)  # of a call that did not return: its thread was killed or raised in it
        assert unknown <= 4, f"{unknown} messages came that nobody said"


def _judge_verdict(chunks: list[NegotiatedChunk], log: Log) -> None:
    """G6: it says what stands in the log, and every change of process was announced."""
    watch = log.watch
    assert watch.end is not None
    assert (watch.end.missing, watch.end.messages) == (watch.skipped, len(watch.got)), "G6: it miscounts"
    headers = [chunk.header for chunk in chunks if not chunk.header.has(Flag.READER_SEAL)]
    last = headers[-1] if headers else None
    expected = "complete" if _has(last, Flag.END) else "failed" if _has(last, Flag.FAIL) else "truncated"
    if watch.skipped:  # the disk had the newer messages of a killed process, and its memory the older ones
        log.reach("a gap was named")
        assert log.options.spool == "spill", "I6: a hole"
        assert any(job.outcome == "killed" for job in log.jobs), "I6: a hole"
        expected = "truncated"
    assert watch.end.verdict == expected, f"G6: the verdict is {watch.end.verdict}, it should be {expected}"
    changes = sum((one.stream, one.epoch) != (other.stream, other.epoch) for one, other in pairwise(headers))
    assert watch.problems.count("restarted") == changes, "G6: a change of process was not announced"
    assert watch.skipped or "gap" not in watch.problems, "a false alarm"
    assert not {"corrupt", "overwritten"} & set(watch.problems), "a false alarm"
    if expected == "complete":
        lines = [line for chunk in chunks for line in chunk.lines]
        assert closing_of(lines[-1]) == "clean", "`closed` is not the last message"


def _has(header: ChunkHeader | None, flag: Flag) -> bool:
    return header is not None and header.has(flag)


def _judge_calm(log: Log) -> None:
    """In calm weather the first process ends well, a message waits at most an interval for its chunk, and the reader
    as long between two looks."""
    assert log.jobs[0].outcome in ("closed", "failed", "left"), f"{log.jobs[0].outcome}, though nothing went wrong"
    if log.simulation.stall_chance:
        return
    chunks = _chunks(log)
    queue = len(chunks) * max(LATENCIES) * 2  # a burst goes out chunk by chunk
    for chunk in chunks:
        moment = log.bucket.stored_at[f"{chunk.header.number}.json"]
        for said in map(said_in, chunk.lines):
            waited = moment - log.accepted_at(said)
            assert waited <= log.options.interval + PROMPT + queue, f"{said} waited {waited:.1f} s for its chunk"
    if len(log.watches) == 1 and log.has_own_desk and not log.watch.desk.slow:
        pause = max((later - one for one, later in pairwise(log.bucket.looks)), default=0.0)
        assert pause <= log.options.interval + PROMPT, f"the reader did not look for {pause:.1f} s"
        late = (log.watch.ended_at or 0.0) - (log.watch.told_at or 0.0)
        assert late <= queue + PROMPT, f"the reader needed {late:.1f} s to the end"
    log.reach("the pace was judged")
