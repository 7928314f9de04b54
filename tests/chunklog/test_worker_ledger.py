"""What the processes that wrote a log have asked of their store, by what their chunks say."""

from __future__ import annotations

import pytest

from blobpipes.chunklog.header import ChunkHeader, CorruptChunk, Flag, NegotiatedChunk, encode_chunk, flags, parse_chunk
from blobpipes.chunklog.worker_ledger import WorkerLedger
from blobpipes.storage.usage import Usage, decode_usage

BEFORE = Usage({"put": 3, "get": 1, "list": 0, "delete": 0}, bytes_up=900, bytes_down=260, errors=1)


def chunk(number: int, usage: Usage | None, *marks: Flag, stream: str = "w1", epoch: int = 1) -> NegotiatedChunk:
    header = ChunkHeader(
        stream=stream, epoch=epoch, number=number, first=number, count=1, elapsed=1.0, next_within=1.0,
        high_water={stream: number}, flags=flags(*marks), usage=usage,
    )  # fmt: skip
    found = parse_chunk(encode_chunk(header, [b"{}"]))
    assert isinstance(found, NegotiatedChunk)
    return found


def test_a_ledger_survives_the_header() -> None:
    assert chunk(4, BEFORE).header.usage == BEFORE
    assert chunk(4, None).header.usage is None


def test_figures_that_a_newer_version_adds_are_left_out() -> None:
    assert decode_usage([*BEFORE.encode(), 7, 8]) == BEFORE


@pytest.mark.parametrize("damaged", [[1, 2, 3], [-1, 0, 0, 0, 0, 0, 0], "1234567x", 5])
def test_damaged_figures_are_a_damaged_header(damaged: object) -> None:
    data = encode_chunk(chunk(1, BEFORE).header, [b"{}"])
    text = str(BEFORE.encode()).replace(" ", "").encode()
    assert text in data
    spoilt = data.replace(text, (f'"{damaged}"' if isinstance(damaged, str) else str(damaged)).encode())
    assert isinstance(parse_chunk(spoilt), CorruptChunk)


def test_a_chunks_own_put_is_added_because_it_is_there() -> None:
    ledger = WorkerLedger()
    ledger.add(chunk(4, BEFORE), size=300)
    assert ledger.usage is not None
    assert (ledger.usage.requests["put"], ledger.usage.bytes_up, ledger.usage.errors) == (4, 1200, 1)


def test_a_process_that_closes_looks_at_the_first_chunk_once_more() -> None:
    ledger = WorkerLedger()
    ledger.add(chunk(1, Usage(), Flag.OPEN), size=111)
    ledger.add(chunk(2, BEFORE, Flag.END), size=300)
    assert ledger.usage is not None
    assert (ledger.usage.requests["get"], ledger.usage.bytes_down) == (2, 260 + 111)


def test_a_log_of_a_single_chunk_needs_no_such_look() -> None:
    ledger = WorkerLedger()
    ledger.add(chunk(1, Usage(), Flag.OPEN, Flag.END), size=111)
    assert ledger.usage is not None
    assert ledger.usage.requests["get"] == 0


def test_processes_that_follow_one_another_are_added_up_even_with_one_stream() -> None:
    ledger = WorkerLedger()
    for number, epoch in ((1, 1), (2, 1), (3, 2)):
        ledger.add(chunk(number, BEFORE, epoch=epoch), size=100)
    assert ledger.usage is not None
    assert ledger.usage.requests["put"] == 2 * 4


def test_without_chunks_or_with_an_official_one_nothing_is_claimed() -> None:
    ledger = WorkerLedger()
    assert ledger.usage is None
    ledger.add(chunk(1, BEFORE), size=100)
    official = parse_chunk(b'{"__dagster_pipes_version": "0.1", "method": "closed", "params": null}')
    ledger.add(official, size=70)  # type: ignore[arg-type]
    assert ledger.usage is None
