"""Compression between the two sides of a session, each with what it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blobpipes.chunklog import compressing
from blobpipes.errors import InvalidOptionError
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
from blobpipes.orchestration.blob_store_reader import PipesBlobStoreMessageReader
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.messages import closed, custom, opened

TEXT = "the same words again and again, as jobs say them"


def job(params: Mapping[str, Any], count: int = 500) -> None:
    """What a job does, in this process."""
    with PipesBlobStoreMessageWriter().open(params) as channel:
        channel.write_message(opened())
        for number in range(count):
            channel.write_message(custom({"number": number, "text": TEXT}))
        channel.write_message(closed())


def stored(root: Path) -> tuple[set[str | None], int]:
    """How the chunks are compressed, and their bytes."""
    chunks = [path.read_bytes() for path in root.glob("*/*.json")]
    heads = [json.loads(chunk.split(b"\n")[0]) for chunk in chunks]
    return {head["blobpipes"].get("z") for head in heads if "blobpipes" in head}, sum(map(len, chunks))


def session(root: Path, **options: Any) -> list[object]:
    with open_pipes_session(RunContext(), url=f"file://{root}?interval=50ms", **options) as opened_session:
        job(opened_session.message_reader_params)
    return list(opened_session.get_custom_messages())


EXPECTED = [{"number": number, "text": TEXT} for number in range(500)]


def test_by_default_the_best_that_both_sides_have_is_used(tmp_path: Path) -> None:
    assert session(tmp_path) == EXPECTED
    codecs, size = stored(tmp_path)
    assert "zstd" in codecs
    assert size < 12_000


@pytest.mark.parametrize(("compression", "codec"), [("gzip", "gzip"), ("zstd", "zstd")])
def test_one_can_be_chosen(tmp_path: Path, compression: str, codec: str) -> None:
    assert session(tmp_path, compression=compression) == EXPECTED
    assert codec in stored(tmp_path)[0]


def test_it_can_be_off(tmp_path: Path) -> None:
    assert session(tmp_path, compression="off") == EXPECTED
    codecs, size = stored(tmp_path)
    assert codecs == {None}
    assert size > 50_000


def test_a_reader_without_zstd_is_written_gzip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as old:
        old.setattr(compressing, "_zstd", lambda: None)
        reader = PipesBlobStoreMessageReader(f"file://{tmp_path}?interval=50ms")
        with reader.get_params() as params:
            assert params["blobpipes"]["z"] == ["gzip"]
    job(params)
    codecs, _ = stored(tmp_path)
    assert codecs <= {"gzip", None}
    assert "gzip" in codecs


def test_a_reader_that_cannot_read_what_it_asks_for_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressing, "_zstd", lambda: None)
    with pytest.raises(InvalidOptionError, match="cannot read it") as refused:
        session(tmp_path, compression="zstd")
    assert "compression=gzip" in refused.value.remedy


def test_a_reader_of_an_earlier_version_is_written_plain_chunks(tmp_path: Path) -> None:
    reader = PipesBlobStoreMessageReader(f"file://{tmp_path}?interval=50ms")
    with reader.get_params() as params:
        job({**params, "blobpipes": {key: value for key, value in params["blobpipes"].items() if key != "z"}})
    assert stored(tmp_path)[0] == {None}


def test_an_official_reader_never_sees_a_compressed_byte(tmp_path: Path) -> None:
    job({"path": str(tmp_path / "s")})
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "s").glob("*.json")]
    lines = [json.loads(line) for text in texts for line in text.split("\n")]
    assert len(lines) == 502
    assert all("__dagster_pipes_version" in line for line in lines)
