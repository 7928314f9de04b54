"""The bytes of a chunk: golden, round, and whatever else may stand in a store."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blobpipes.chunklog.header import (
    ChunkHeader,
    CorruptChunk,
    LegacyChunk,
    NegotiatedChunk,
    encode_chunk,
    encode_compatible,
    parse_chunk,
)
from blobpipes.chunklog.layout import SessionDescriptor, chunk_number, decode_descriptor, lane_names
from blobpipes.errors import MalformedMessageError
from tests.chunklog.world import message

HEADER = ChunkHeader(
    stream="5f1d0c3a9be24471", epoch=1, number=7, first=120, count=2, elapsed=61.25, next_within=10.0,
    high_water={"5f1d0c3a9be24471": 121}, flags=frozenset({"term"}),
)  # fmt: skip
LINES = [b'{"a": 1}', b'{"b": 2}']


def test_a_negotiated_chunk_has_exactly_these_bytes() -> None:
    assert encode_chunk(HEADER, LINES) == (
        b'{"blobpipes":{"v":1,"w":"5f1d0c3a9be24471","e":1,"n":7,"s":120,"c":2,"t":61.25,'
        b'"hw":{"5f1d0c3a9be24471":121},"iv":10.0,"fl":["term"],"b":17,"h":"668821b2dbf365d4"}}\n'
        b'{"a": 1}\n{"b": 2}'
    )


def test_a_compatible_chunk_differs_by_one_envelope_key() -> None:
    assert encode_compatible(HEADER, LINES, strict=True) == b'{"a": 1}\n{"b": 2}'
    assert encode_compatible(HEADER, LINES, strict=False) == (
        b'{"a": 1, "__blobpipes": {"w": "5f1d0c3a9be24471", "e": 1, "n": 7, "s": 120, '
        b'"hw": {"5f1d0c3a9be24471": 121}}}\n{"b": 2}'
    )


lines = st.lists(st.text().map(lambda text: json.dumps({"t": text}).encode()), max_size=5)


@given(lines)
def test_what_is_written_is_read_back(given_lines: list[bytes]) -> None:
    header = ChunkHeader("w", 3, 9, 4, len(given_lines), 1.5, 10.0, {"w": 3 + len(given_lines)}, frozenset({"hb"}))
    assert parse_chunk(encode_chunk(header, given_lines)) == NegotiatedChunk(header, given_lines)
    if given_lines:
        legacy = parse_chunk(encode_compatible(header, given_lines, strict=False))
        assert isinstance(legacy, LegacyChunk)
        assert legacy.marks is not None
        assert (legacy.marks.stream, legacy.marks.first, legacy.marks.count) == ("w", 4, len(given_lines))


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_goes_unnoticed(position: int, value: int) -> None:
    whole = encode_chunk(HEADER, [message("log", n) for n in range(2)])
    position %= len(whole)
    damaged = whole[:position] + bytes([value]) + whole[position + 1 :]
    chunk = parse_chunk(damaged)
    if damaged != whole and isinstance(chunk, NegotiatedChunk):
        # only a field of the header can differ, which the next chunks contradict; never a message
        assert chunk.lines == parse_chunk(whole).lines  # type: ignore[union-attr]


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_part_of_a_chunk_is_never_taken_for_the_whole(cut: int) -> None:
    whole = encode_chunk(HEADER, [message("log", n) for n in range(2)])
    assert isinstance(parse_chunk(whole[:-cut]), CorruptChunk)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*"vwensctb", "hw", "iv", "fl", "h"]), inner)
    ),
    max_leaves=12,
)


@given(st.binary() | json_values.map(lambda value: json.dumps({"blobpipes": value}).encode()))
@example(b"[" * 100_000)
@example(b'{"blobpipes":{"v":1e999}}')
@example(b'{"blobpipes":{"v":1,"w":"a","e":1e999}}')
@example(b'{"__blobpipes":{"w":"a","e":1e999,"n":1,"s":1,"hw":{}}}')
@example(b'{"blobpipes":{"v":1,"w":"a","e":1,"n":1,"s":1,"c":0,"t":0,"iv":1,"hw":[],"fl":[],"b":0,"h":""}}')
@example(b'{"blobpipes":{"v":2}}')
def test_reading_never_raises(data: bytes) -> None:
    assert isinstance(parse_chunk(data), (NegotiatedChunk, LegacyChunk, CorruptChunk))


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"name": "x", "created": 1e999}')
def test_a_descriptor_is_read_or_refused_by_name(data: bytes) -> None:
    with contextlib.suppress(MalformedMessageError):
        assert isinstance(decode_descriptor(data), SessionDescriptor)


def test_a_descriptor_survives_the_store_and_a_newer_version() -> None:
    descriptor = SessionDescriptor("a/b", 12.5, "run", "job", "2013-01", "me", {"interval": 2.0})
    assert decode_descriptor(descriptor.encode()) == descriptor
    newer = {**json.loads(descriptor.encode()), "colour": "blue"}
    assert decode_descriptor(json.dumps(newer).encode()) == descriptor


@pytest.mark.parametrize(
    ("key", "number"), [("1.json", 1), ("10.json", 10), ("0.json", None), ("01.json", None), ("_bp/1.json", None)]
)
def test_only_unpadded_numbers_name_chunks(key: str, number: int | None) -> None:
    assert chunk_number(key) == number


def test_lanes_are_found_by_their_keys() -> None:
    assert lane_names(["1.json", "lanes/3/1.json", "lanes/gpu/2.json", "_bp/session.json"]) == {"0", "3", "gpu"}
