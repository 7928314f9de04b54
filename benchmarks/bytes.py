"""What compression and archives save, and what they cost: `python -m benchmarks.bytes`. Chunks as a job makes them.

Each row is one kind of chunk and one way to compress it: how many bytes go to the store, in per cent of the plain ones,
and the processor time that cutting the chunk takes the job, and reading it the orchestration side. Processor time is
this process's own, which other programs on a busy machine do not change; the least of all repetitions counts.

A second table folds an hour of such chunks, one each ten seconds, into an archive, in a store in memory.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.calls import METADATA
from benchmarks.tables import table
from blobpipes.chunklog.compressing import codecs_here
from blobpipes.chunklog.header import ChunkHeader, Flag, NegotiatedChunk, encode_chunk, flags, parse_chunk
from blobpipes.chunklog.layout import SESSION_KEY, SessionDescriptor, chunk_key
from blobpipes.orchestration.archive import fold
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.testing import MemoryStore
from blobpipes.wire.messages import asset_materialization, custom, encode_message, external_stream, log

WORDS = [
    *("reading", "writing", "partition", "flights", "of", "rows", "month", "carrier", "delay"),
    *("mean", "count", "loaded", "orders", "checked", "step", "with"),
]


@dataclass(frozen=True)
class Measured:
    """One kind of chunk, one codec."""

    content: str
    codec: str  # `off` is plain
    plain: int  # bytes of the plain chunk
    stored: int  # bytes of this one
    write_us: float  # microseconds of processor time
    read_us: float

    @property
    def saved(self) -> float:
        return 1 - self.stored / self.plain


def log_lines(count: int, chance: random.Random) -> list[bytes]:
    """Varied sentences with numbers, as jobs log them."""

    def text() -> str:
        return f"{' '.join(chance.choices(WORDS, k=8))} {chance.randrange(10**6)} in {chance.random() * 1000:.1f} ms"

    return [encode_message(log(text(), "INFO")) for _ in range(count)]


def output(count: int, chance: random.Random) -> list[bytes]:
    """Captured output: a training run's progress, twenty lines to a message."""

    def line() -> str:
        return f"epoch {chance.randrange(50)}  loss {chance.random():.6f}  accuracy {chance.random():.4f}\n"

    return [encode_message(external_stream("stdout", "".join(line() for _ in range(20)))) for _ in range(count)]


def results(count: int, chance: random.Random) -> list[bytes]:
    return [
        encode_message(asset_materialization(f"asset_{number}", data_version=None, metadata=METADATA))
        for number in range(count)
    ]


def noise(count: int, chance: random.Random) -> list[bytes]:
    """Hashes: nothing that compresses well."""
    return [encode_message(custom({"sha256": chance.randbytes(32).hex()})) for _ in range(count)]


CONTENTS: dict[str, tuple[Callable[[int, random.Random], list[bytes]], int]] = {
    "10 log lines": (log_lines, 10),
    "50 log lines": (log_lines, 50),
    "1000 log lines": (log_lines, 1000),
    "7000 log lines, 1 MiB": (log_lines, 7000),
    "captured output, 1 MiB": (output, 1000),
    "100 results": (results, 100),
    "1000 hashes": (noise, 1000),
}


def measure(content: str, codec: str, repeat: int) -> Measured:
    make, count = CONTENTS[content]
    lines = make(count, random.Random(7))
    header = ChunkHeader("w", 1, 1, 1, len(lines), 0.0, 10.0, {"w": len(lines)})
    plain = encode_chunk(header, lines)
    stored = encode_chunk(header, lines, codec=codec)
    read = parse_chunk(stored)
    if not isinstance(read, NegotiatedChunk) or list(read.lines) != lines:
        raise AssertionError(f"{content} by {codec} does not read as it was written")
    write_us = least(lambda: encode_chunk(header, lines, codec=codec), repeat)
    return Measured(content, codec, len(plain), len(stored), write_us, least(lambda: parse_chunk(stored), repeat))


def least(work: Callable[[], object], repeat: int) -> float:
    """Microseconds of processor time, the least of `repeat` rounds."""
    best = float("inf")
    for _ in range(repeat):
        began = time.process_time_ns()
        work()
        best = min(best, (time.process_time_ns() - began) / 1000)
    return best


@dataclass(frozen=True)
class FoldedHour:
    """An hour of chunks as an archive."""

    codec: str  # of the chunks
    objects_before: int
    bytes_before: int
    objects_after: int
    bytes_after: int
    requests: dict[str, int]  # that folding it took
    cpu_ms: float


def fold_an_hour(codec: str) -> FoldedHour:
    store, meter, chance = MemoryStore(), Meter(), random.Random(7)
    chunks = 360
    for number in range(1, chunks + 1):
        marks = flags(*([Flag.OPEN] if number == 1 else []), *([Flag.END] if number == chunks else []))
        header = ChunkHeader("w", 1, number, 50 * number - 49, 50, 10.0 * number, 10.0, {"w": 50 * number}, marks)
        store.put(chunk_key(number), encode_chunk(header, log_lines(50, chance), codec=codec))
    store.put(SESSION_KEY, SessionDescriptor(name="hour", created=0.0).encode())
    began = time.process_time()
    done = fold(MeteredStore(store, meter))
    spent = (time.process_time() - began) * 1000
    if done.bytes_after is None:
        raise AssertionError("nothing was folded")
    asked = {kind: count for kind, count in meter.snapshot().requests.items() if count}
    return FoldedHour(codec, done.objects_before, done.bytes_before, done.objects_after, done.bytes_after, asked, spent)


def show_folded(hours: Sequence[FoldedHour]) -> str:
    rows = [
        (
            each.codec,
            f"{each.objects_before:,}",
            f"{each.bytes_before:,}",
            f"{each.objects_after:,}",
            f"{each.bytes_after:,}",
            ", ".join(f"{count} {kind}" for kind, count in each.requests.items()),
            f"{each.cpu_ms:,.0f}",
        )
        for each in hours
    ]
    titles = ["an hour of chunks", "objects", "bytes", "archived: objects", "bytes", "requests to fold", "CPU: ms"]
    return table(titles, rows)


def show(results: Sequence[Measured]) -> str:
    rows = [
        (
            each.content,
            each.codec,
            f"{each.plain:,}",
            f"{each.stored:,}",
            f"{each.saved:.0%}",
            f"{each.write_us:,.0f}",
            f"{each.read_us:,.0f}",
        )
        for each in results
    ]
    return table(["chunk", "compression", "plain bytes", "stored", "saved", "cut: µs", "read: µs"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bytes", description=__doc__)
    parser.add_argument("--repeat", type=int, default=20, help="rounds of each (default: 20)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    codecs = ["off", *reversed(codecs_here())]
    measured = [measure(content, codec, options.repeat) for content in CONTENTS for codec in codecs]
    hours = [fold_an_hour(codec) for codec in codecs]
    if options.json:
        print(json.dumps({"chunks": [asdict(m) for m in measured], "hours": [asdict(h) for h in hours]}, indent=1))
    else:
        print(f"{show(measured)}\n\n{show_folded(hours)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
