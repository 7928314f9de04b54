"""What compression saves, and what it costs: `python -m benchmarks.bytes`. Chunks as a job makes them, no store.

Each row is one kind of chunk and one way to compress it: how many bytes go to the store, in per cent of the plain ones,
and the processor time that cutting the chunk takes the job, and reading it the orchestration side. Processor time is
this process's own, which other programs on a busy machine do not change; the least of all repetitions counts.
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
from blobpipes.chunklog.header import ChunkHeader, NegotiatedChunk, encode_chunk, parse_chunk
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
    print(json.dumps([asdict(each) for each in measured], indent=1) if options.json else show(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
