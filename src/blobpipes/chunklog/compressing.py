"""Compress what a chunk holds, where that pays, and expand it again within bounds. Pure.

The reader says what it can expand, and the writer takes the best that it has, too: zstd where Python has it (3.14, or
the package backports.zstd), else gzip. What a chunk expands to stands in its header and is bounded, so that damage or
malice costs a named error and no memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, Final

GZIP: Final = "gzip"
ZSTD: Final = "zstd"
OFF: Final = "off"
AUTO: Final = "auto"

MIN_BODY: Final = (
    4096  # bytes: below, there is nothing to save, as stores bill requests, and plain text is easy to read
)
WORTH: Final = 0.875  # of the size before: what saves less is left plain
MAX_BODY: Final = 64 << 20  # bytes: twice the largest message
GZIP_LEVEL: Final = 1  # the fastest: 86 % of log lines are saved, in 9 ms a MiB (`python -m benchmarks.bytes`)
_GZIP_FORMAT: Final = 31  # zlib's word for a gzip header and trailer
_ZSTD_WINDOW: Final = 26  # log2 of bytes: as much memory as the largest body


def codecs_here() -> tuple[str, ...]:
    """What this Python can expand, the best first."""
    return (ZSTD, GZIP) if _zstd() is not None else (GZIP,)


def agreed(wanted: str, offered: Collection[str]) -> str:
    """What a writer with this option uses for a reader that can expand `offered`: a codec, or off."""
    if wanted == OFF or not offered:
        return OFF  # and nothing is loaded
    usable = [codec for codec in codecs_here() if codec in offered and wanted in (codec, ZSTD, AUTO)]
    return usable[0] if usable else OFF


def compress(body: bytes, codec: str) -> bytes | None:
    """The body, smaller; None where that does not pay."""
    if codec not in (GZIP, ZSTD) or len(body) < MIN_BODY:
        return None
    smaller = _gzipped(body) if codec == GZIP else bytes(_zstd().compress(body))
    return smaller if len(smaller) <= WORTH * len(body) else None


def expand(data: bytes, codec: str, size: int) -> bytes:
    """What was compressed, which has `size` bytes. Never takes more memory than that.

    Raises:
        ValueError: it cannot be expanded here, or is not what its header says. Says why.
    """
    if codec not in codecs_here():
        needs = "needs Python 3.14 or the package backports.zstd" if codec == ZSTD else "is not known here"
        raise ValueError(f"it is compressed by {codec}, which {needs}")
    if not 0 < size <= MAX_BODY:
        raise ValueError(f"it claims to expand to {size:,} bytes")
    try:
        body, is_whole = _expand_gzip(data, size) if codec == GZIP else _expand_zstd(data, size)
    except _broken() as error:
        raise ValueError(f"it cannot be expanded: {error}") from None
    if len(body) > size:
        raise ValueError(f"it expands to more than the {size:,} bytes that its header says")
    if len(body) < size or not is_whole:
        raise ValueError(f"it expands to {len(body):,} bytes of {size:,}")
    return body


def _gzipped(body: bytes) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    return compressor.compress(body) + compressor.flush()


def _expand_gzip(data: bytes, size: int) -> tuple[bytes, bool]:
    expander = zlib.decompressobj(_GZIP_FORMAT)
    return expander.decompress(data, size + 1), expander.eof


def _expand_zstd(data: bytes, size: int) -> tuple[bytes, bool]:
    zstd = _zstd()
    limits = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
    expander = zstd.ZstdDecompressor(options=limits)
    return expander.decompress(data, size + 1), expander.eof


def _broken() -> tuple[type[Exception], ...]:
    zstd = _zstd()
    return (zlib.error, EOFError) if zstd is None else (zlib.error, EOFError, zstd.ZstdError)


@cache
def _zstd() -> Any:
    """The module, from the standard library or its backport; None without."""
    with suppress(ImportError):
        return import_module("compression.zstd")
    with suppress(ImportError):
        return import_module("backports.zstd")
    return None
