"""Pictures of a session as inline SVG: its timeline, and the plots of rate, lag and requests. Pure.

Everything is placed by numbers and coloured by classes, so that the page's style decides how it looks, in light and in
dark. Text is escaped. However many messages there are, a picture has at most a few hundred shapes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timezone
from html import escape
from typing import Final, NamedTuple

from blobpipes.cli.page.collecting import ChunkFact, Mark
from blobpipes.cli.wording import counted, size

BINS: Final = 120  # points of a plot; a timeline has five times as many places
WIDTH: Final = 1000
LABELS: Final = 108  # for the names of the lanes
LANE: Final = 26
MARGIN: Final = 8

_LANES: Final = (
    ("chunks", ()),
    ("results", ("result",)),
    ("checks", ("check", "failed check", "warned check")),
    ("warnings, errors", ("WARNING", "ERROR", "CRITICAL")),
    ("session", ("session", "problem")),
)
_WORST: Final = (
    *("CRITICAL", "ERROR", "problem", "failed check", "warned check", "WARNING"),
    *("check", "result", "session"),
)


class Span(NamedTuple):
    """From when to when, in seconds since 1970."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        return max(self.end - self.begin, 1e-3)


def span_of(created: float | None, chunks: Sequence[ChunkFact]) -> Span | None:
    """The time that the session took; None where the store tells no times."""
    times = [chunk.stored_at for chunk in chunks if chunk.stored_at is not None]
    if not times:
        return None
    begin = min([*times, *([created] if created is not None and created <= min(times) else [])])
    return Span(begin, max(times))


def timeline(span: Span, chunks: Sequence[ChunkFact], marks: Collection[Mark]) -> str:
    """What happened when, a lane for each kind."""
    height = LANE * len(_LANES) + 28
    parts = []
    for number, (name, kinds) in enumerate(_LANES):
        y = LANE * number + LANE // 2 + 2
        parts.append(f'<text class="lane" x="0" y="{y + 4}">{name}</text>')
        parts.append(f'<line class="grid" x1="{LABELS}" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
        parts += _chunk_ticks(span, chunks, y) if not kinds else _dots(span, marks, kinds, y)
    parts += _time_labels(span, LABELS, WIDTH, height - 6)
    return (
        f'<svg id="timeline" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="what happened when" '
        f'data-begin="{span.begin:.3f}" data-end="{span.end:.3f}" data-left="{LABELS / WIDTH}">{"".join(parts)}</svg>'
    )


def rate_plot(span: Span, chunks: Sequence[ChunkFact]) -> str:
    """Messages a second, spread over the time since the chunk before."""
    bins = _bins(span)
    width = span.length / bins
    values, before = [0.0] * bins, span.begin
    for chunk, at in _in_time(chunks):
        for index in range(_bin(span, before, bins), _bin(span, at, bins) + 1):
            low, high = span.begin + index * width, span.begin + (index + 1) * width
            share = (min(high, at) - max(low, before)) / (at - before) if at > before else 1.0
            values[index] += chunk.messages * max(0.0, share)
        before = at
    return _plot("rate", "messages a second", span, [value / width for value in values], area=True)


def lag_plot(span: Span, chunks: Sequence[ChunkFact]) -> str | None:
    """Seconds from cutting a chunk until the store had it, beyond the quickest. None where chunks do not tell."""
    quickest: dict[str, float] = {}
    delays = [(chunk.stream, at, at - chunk.elapsed) for chunk, at in _in_time(chunks) if chunk.elapsed is not None]
    for stream, _, delay in delays:
        quickest[stream] = min(delay, quickest.get(stream, delay))
    if not delays:
        return None
    bins = _bins(span)
    values: list[float | None] = [None] * bins
    for stream, at, delay in delays:
        index = _bin(span, at, bins)
        values[index] = max(values[index] or 0.0, delay - quickest[stream])
    return _plot("lag", "delay of chunks beyond the quickest, seconds", span, values, least=1.0)


def requests_plot(span: Span, chunks: Sequence[ChunkFact]) -> str:
    """What the job has asked of its store so far, by its own ledger; without one, a put for each chunk."""
    by_job = [(chunk, at) for chunk, at in _in_time(chunks) if chunk.by_job]
    has_ledger = bool(by_job) and all(chunk.asked is not None for chunk, _ in by_job)
    bins = _bins(span)
    values, asked = [0.0] * bins, dict[str, int]()
    for chunk, at in by_job:
        so_far = chunk.asked if has_ledger and chunk.asked is not None else asked.get(chunk.stream, 0) + 1
        asked[chunk.stream] = max(so_far, asked.get(chunk.stream, 0))
        values[_bin(span, at, bins)] = sum(asked.values())
    for index in range(1, bins):
        values[index] = max(values[index], values[index - 1])
    title = "requests by the job so far" if has_ledger else "puts by the job so far"
    return _plot("requests", title, span, values, area=True, least=2.0)


def clock(at: float) -> str:
    """The time of day in UTC."""
    return f"{datetime.fromtimestamp(at, timezone.utc):%H:%M:%S}"


# --- parts of pictures --------------------------------------------------------------------------------


def _in_time(chunks: Sequence[ChunkFact]) -> list[tuple[ChunkFact, float]]:
    return sorted(
        ((chunk, chunk.stored_at) for chunk in chunks if chunk.stored_at is not None), key=lambda each: each[1]
    )


def _bins(span: Span) -> int:
    """Not many in a short session: some stores tell whole seconds only."""
    return max(2, min(BINS, math.ceil(4 * span.length)))


def _bin(span: Span, at: float, bins: int) -> int:
    return min(bins - 1, max(0, int((at - span.begin) / span.length * bins)))


def _x(span: Span, at: float, left: float, right: float) -> float:
    return left + MARGIN + (at - span.begin) / span.length * (right - left - 2 * MARGIN)


def _chunk_ticks(span: Span, chunks: Sequence[ChunkFact], y: int) -> Iterable[str]:
    """One tick for all chunks that would cover each other."""
    places: dict[int, list[ChunkFact]] = {}
    for chunk, at in _in_time(chunks):
        places.setdefault(round(_x(span, at, LABELS, WIDTH) / 2), []).append(chunk)
    for place, found in places.items():
        messages, total = sum(chunk.messages for chunk in found), sum(chunk.size for chunk in found)
        numbers = f"chunk {found[0].number}" if len(found) == 1 else f"chunks {found[0].number} to {found[-1].number}"
        title = f"{numbers}: {counted(messages, 'message')}, {size(total)}"
        style = "tick" if messages else "tick quiet"
        yield _shape(f'<rect class="{style}" x="{place * 2 - 1}" y="{y - 8}" width="2" height="16"', "rect", title)


def _dots(span: Span, marks: Collection[Mark], kinds: Sequence[str], y: int) -> Iterable[str]:
    """One dot for all marks that would cover each other, in the colour of the worst."""
    places: dict[int, list[Mark]] = {}
    for mark in marks:
        if mark.kind in kinds:
            places.setdefault(round(_x(span, mark.at, LABELS, WIDTH) / 9), []).append(mark)
    for place, found in places.items():
        worst = min(found, key=lambda mark: _WORST.index(mark.kind))
        count = sum(mark.messages for mark in found)
        title = f"{clock(worst.at)} {worst.text}" + (f" (and {count - 1:,} more)" if count > 1 else "")
        radius = 4 if count == 1 else 5.5
        style = "dot k-" + worst.kind.replace(" ", "-")
        yield _shape(f'<circle class="{style}" cx="{place * 9}" cy="{y}" r="{radius}"', "circle", title)


def _shape(start: str, tag: str, title: str) -> str:
    return f"{start}><title>{escape(title)}</title></{tag}>"


def _time_labels(span: Span, left: int, right: int, y: int) -> list[str]:
    middle = (span.begin + span.end) / 2
    return [
        f'<text class="axis" x="{left + MARGIN}" y="{y}">{clock(span.begin)}</text>',
        f'<text class="axis middle" x="{(left + right) / 2}" y="{y}">{clock(middle)}</text>',
        f'<text class="axis end" x="{right - MARGIN}" y="{y}">{clock(span.end)} UTC</text>',
    ]


def _plot(
    name: str, title: str, span: Span, values: Sequence[float | None], *, area: bool = False, least: float = 0.0
) -> str:
    """A line over time, on a scale from 0 to at least `least`."""
    width, height, top, bottom, left = 360, 180, 14, 26, 44
    ceiling = _nice(max([least, *(value for value in values if value is not None)]))
    step = (width - left - 2 * MARGIN) / max(1, len(values) - 1)

    def point(index: int, value: float) -> str:
        y = height - bottom - value / ceiling * (height - top - bottom)
        return f"{left + MARGIN + index * step:.1f},{y:.1f}"

    points = [point(index, value) for index, value in enumerate(values) if value is not None]
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = height - bottom - share * (height - top - bottom)
        parts.append(f'<line class="grid" x1="{left}" x2="{width}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="axis end" x="{left - 6}" y="{y + 4}">{ceiling * share:,.4g}</text>')
    if area:
        last = len(values) - 1
        parts.append(f'<polygon class="area" points="{point(0, 0)} {" ".join(points)} {point(last, 0)}"/>')
    parts.append(f'<polyline class="curve" points="{" ".join(points)}"/>')
    if not area:
        parts += [f'<circle class="sample" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2.2"/>' for p in points]
    parts += [
        f'<text class="axis" x="{left + MARGIN}" y="{height - 8}">{clock(span.begin)}</text>',
        f'<text class="axis end" x="{width - MARGIN}" y="{height - 8}">{clock(span.end)} UTC</text>',
    ]
    return (
        f'<figure><figcaption>{title}</figcaption><svg id="plot-{name}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{title}">{"".join(parts)}</svg></figure>'
    )


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10, 20, ... at or above `value`, so that its half is short, too; 1 for nothing."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= value * 0.999_999)
