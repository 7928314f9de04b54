"""Chunks are compressed where both sides can and it pays, and never expand beyond their bounds."""

from __future__ import annotations

import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.chunklog import compressing
from blobpipes.chunklog.compressing import agreed, codecs_here, compress, expand
from blobpipes.chunklog.header import (
    HEADER_KEY,
    ChunkHeader,
    CorruptChunk,
    NegotiatedChunk,
    _digest,
    encode_chunk,
    parse_chunk,
)
from blobpipes.chunklog.writer_core import State
from blobpipes.wire.messages import closed, custom, encode_message, log
from tests.chunklog.world import Reading, World

BOTH = ("zstd", "gzip")


def header(count: int) -> ChunkHeader:
    return ChunkHeader("w", 1, 1, 1, count, 0.0, 10.0, {"w": count})


def log_lines(count: int = 200) -> list[bytes]:
    return [encode_message(log(f"step {number} of 200 took {number * 7 % 13} ms", "INFO")) for number in range(count)]


# --- who compresses, and how --------------------------------------------------------------------------


def test_this_machine_can_test_both() -> None:
    """The development environment installs the extra `zstd` where Python has none of its own."""
    assert codecs_here() == BOTH


@pytest.mark.parametrize(
    ("wanted", "offered", "used"),
    [
        ("auto", BOTH, "zstd"),
        ("auto", ("gzip",), "gzip"),
        ("auto", (), "off"),  # an official reader, or one of an earlier version
        ("auto", ("brotli", "gzip"), "gzip"),
        ("gzip", BOTH, "gzip"),
        ("gzip", ("zstd",), "off"),
        ("zstd", ("gzip",), "gzip"),
        ("off", BOTH, "off"),
    ],
)
def test_the_best_that_both_sides_have_is_used(wanted: str, offered: tuple[str, ...], used: str) -> None:
    assert agreed(wanted, offered) == used


def test_without_zstd_gzip_is_used_and_a_chunk_of_zstd_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = encode_chunk(header(200), log_lines(), codec="zstd")
    monkeypatch.setattr(compressing, "_zstd", lambda: None)
    assert codecs_here() == ("gzip",)
    assert agreed("auto", BOTH) == "gzip"
    read = parse_chunk(chunk)
    assert isinstance(read, CorruptChunk)
    assert read.reason == "it is compressed by zstd, which needs Python 3.14 or the package backports.zstd"
    assert read.header is not None


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_small_chunks_and_such_that_do_not_shrink_stay_plain(codec: str) -> None:
    small = log_lines(20)
    assert encode_chunk(header(20), small, codec=codec) == encode_chunk(header(20), small)
    noise = bytes(zlib.crc32(bytes([n % 251, n // 251])) % 255 + 1 for n in range(20_000)).replace(b"\n", b"")
    assert compress(noise, codec) is None


@given(st.lists(st.binary(max_size=2000).filter(lambda line: b"\n" not in line and line), max_size=30))
def test_whatever_is_compressed_is_read_back(lines: list[bytes]) -> None:
    for codec in ("off", "gzip", "zstd"):
        chunk = parse_chunk(encode_chunk(header(len(lines)), lines, codec=codec))
        assert isinstance(chunk, NegotiatedChunk)
        assert list(chunk.lines) == lines


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_log_lines_become_a_fifth(codec: str) -> None:
    lines = log_lines(2000)
    plain, smaller = encode_chunk(header(2000), lines), encode_chunk(header(2000), lines, codec=codec)
    assert len(smaller) < len(plain) / 5
    head = json.loads(smaller.split(b"\n")[0])[HEADER_KEY]
    assert (head["z"], head["u"]) == (codec, len(plain) - len(plain.split(b"\n")[0]) - 1)


# --- bounds ------------------------------------------------------------------------------------------


def forged(body: bytes, codec: str, claimed: int, count: int = 1) -> bytes:
    """A chunk with a right hash and a size of our choice."""
    head = json.loads(encode_chunk(header(count), [b"x"]).split(b"\n")[0])[HEADER_KEY]
    head |= {"z": codec, "u": claimed, "b": len(body), "h": _digest(body)}
    return json.dumps({HEADER_KEY: head}).encode() + b"\n" + body


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def zstded(data: bytes) -> bytes:
    return bytes(compressing._zstd().compress(data))


BOMB = bytes(48 << 20)


@pytest.mark.parametrize(("codec", "pack"), [("gzip", gzipped), ("zstd", zstded)])
def test_a_bomb_is_named_damage_and_takes_no_memory(codec: str, pack: object) -> None:
    bomb = pack(BOMB)  # type: ignore[operator]
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        small = parse_chunk(forged(bomb, codec, 1000))
        large = parse_chunk(forged(bomb, codec, 1 << 30))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(small, CorruptChunk)
    assert isinstance(large, CorruptChunk)
    assert small.reason == "it expands to more than the 1,000 bytes that its header says"
    assert large.reason == "it claims to expand to 1,073,741,824 bytes"
    assert peak < 16 << 20


@pytest.mark.parametrize(("codec", "pack"), [("gzip", gzipped), ("zstd", zstded)])
def test_what_is_cut_short_garbled_or_of_another_size_is_named(codec: str, pack: object) -> None:
    whole = pack(b"x" * 5000)  # type: ignore[operator]
    assert expand(whole, codec, 5000) == b"x" * 5000
    for body, size, text in (
        (whole[:-3], 5000, "of 5,000"),
        (whole, 6000, "5,000 bytes of 6,000"),
        (whole, 0, "claims to expand to 0"),
        (b"garbage" * 20, 5000, "cannot be expanded"),
        (b"", 5000, "0 bytes of 5,000"),
    ):
        with pytest.raises(ValueError, match=text):
            expand(body, codec, size)
        assert isinstance(parse_chunk(forged(body, codec, size)), CorruptChunk)
    with pytest.raises(ValueError, match="brotli, which is not known here"):
        expand(whole, "brotli", 5000)


# --- in a log ----------------------------------------------------------------------------------------


def test_a_reader_takes_plain_and_compressed_chunks_of_one_log_as_they_come() -> None:
    codecs = ["off", "zstd", "gzip", "off", "zstd"]
    chunks = [encode_chunk(header(200), log_lines(), codec=codec) for codec in codecs]
    assert len(set(map(len, chunks))) == 3
    assert [list(parse_chunk(chunk).lines) for chunk in chunks] == [log_lines()] * 5  # type: ignore[union-attr]


@pytest.mark.parametrize("codec", ["off", "gzip", "zstd"])
def test_whatever_the_compression_a_log_arrives_whole_though_replies_are_lost(codec: str) -> None:
    world = World()
    writer = world.writer(compression=codec, max_messages=100)
    for number in range(300):
        writer.accept(encode_message(custom({"number": number, "text": "the same words again and again"})), world.now)
    writer.close(encode_message(closed()), world.now, failed=False)
    for _ in range(4):
        world.serve_writer(writer, "reply lost")
        world.run_writer_to(writer, world.now + 60)
    reading = Reading(world)
    reading.run_to(world.now + 60)
    assert writer.state is State.CLOSED
    assert reading.end is not None
    assert (reading.end.verdict, reading.end.messages) == ("complete", 302)
    assert (sum(map(len, world.objects.values())) < 10_000) == (codec != "off")


def test_a_chunk_counts_as_much_memory_as_its_messages() -> None:
    world = World()
    writer = world.writer(compression="gzip", max_buffer=64 * 1024)
    for _ in range(40):
        writer.accept(encode_message(log("a" * 2000, "INFO")), world.now)
    assert writer.poll(world.now) is not None  # frozen, and as good as nothing once compressed
    assert not writer.has_room(1)
