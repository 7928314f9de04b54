"""How large the page of `show --html` is, and how fast it opens: `python -m benchmarks.page`.

A session of log messages is written to a temporary folder, made a page, and opened in Chromium without a window, if one
is installed. What is measured there: until the first rows are drawn, and until a filter over all rows has been applied.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.tables import table
from blobpipes.chunklog.header import ChunkHeader, Flag, encode_chunk, flags
from blobpipes.chunklog.layout import chunk_key
from blobpipes.cli.main import main as blobpipes
from blobpipes.wire.messages import closed, encode_message, log, opened
from integration_tests.browser.chromium import Browser, browser_program


@dataclass(frozen=True)
class Measured:
    """One page. Times are seconds; None where no browser is installed."""

    messages: int
    page_bytes: int
    made_in: float
    opened_in: float | None
    filtered_in: float | None


def write_session(folder: Path, messages: int, each: int = 1000) -> None:
    """A log of `messages` messages, `each` to a chunk."""
    lines = [encode_message(log(f"step {number:,} of {messages:,}: all is well", "INFO")) for number in range(messages)]
    lines = [encode_message(opened()), *lines, encode_message(closed())]
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, len(lines), each), 1):
        part = lines[start : start + each]
        is_last = start + each >= len(lines)
        marks = flags(*([Flag.OPEN] if number == 1 else []), *([Flag.END] if is_last else []))
        last = start + len(part)
        header = ChunkHeader("w", 1, number, start + 1, len(part), 10.0 * number, 10.0, {"w": last}, marks)
        (folder / chunk_key(number)).write_bytes(encode_chunk(header, part))


def measure(messages: int) -> Measured:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_session(root / "jobs" / "s", messages)
        page = root / "page.html"
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            code = blobpipes(["show", str(root / "jobs"), "s", "--html", str(page)])
        if code != 0:
            raise AssertionError("the session is not complete")
        made = time.perf_counter() - began
        return Measured(messages, page.stat().st_size, made, *open_in_browser(page, root))


def open_in_browser(page: Path, scratch: Path) -> tuple[float | None, float | None]:
    """Seconds until rows are drawn, and until a filter has been applied to all of them."""
    program = browser_program()
    if program is None:
        return None, None
    with Browser(program, scratch) as browser:
        began = time.perf_counter()
        browser.open(page.as_uri())
        browser.wait_until("document.querySelectorAll('.row').length > 0")
        opened_in = time.perf_counter() - began
        began = time.perf_counter()
        browser.type("#filter", "step 7,")
        browser.wait_until("document.querySelector('#count').textContent.includes(' of ')")
        return opened_in, time.perf_counter() - began


def show(results: Sequence[Measured]) -> str:
    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f}"

    rows = [
        (f"{r.messages:,}", f"{r.page_bytes / (1 << 20):.2f}", *map(seconds, (r.made_in, r.opened_in, r.filtered_in)))
        for r in results
    ]
    return table(["log messages", "page: MiB", "made in: s", "opened in: s", "filtered in: s"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--messages", type=int, nargs="+", default=[1000, 10_000, 100_000], metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results = [measure(messages) for messages in options.messages]
    print(json.dumps([asdict(result) for result in results], indent=1) if options.json else show(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
