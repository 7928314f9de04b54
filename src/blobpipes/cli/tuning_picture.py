"""Latency against dollars, drawn by matplotlib: the front, today's setting, the recommended one, the official pair."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from blobpipes.cli.tuning import Tuning
from blobpipes.cost.bill import dollars
from blobpipes.errors import MissingBackendError

if TYPE_CHECKING:
    from blobpipes.cost.tuner import Point

_BLUE, _GREY, _RED, _GREEN = "#2563a8", "#8a8f98", "#c2410c", "#15803d"


def as_png(tuning: Tuning) -> bytes:
    """For documents."""
    return _saved(tuning, "png")


def as_svg(tuning: Tuning) -> str:
    """For pages. Words in it stay words."""
    text = _saved(tuning, "svg").decode()
    return text[text.index("<svg") :]


def _saved(tuning: Tuning, kind: str) -> bytes:
    """Draw it.

    Raises:
        MissingBackendError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingBackendError(
            "a picture needs the package matplotlib, which cannot be imported",
            remedy='Run: pip install "blobpipes[plots]"; or ask for the table alone.',
        ) from error
    # The same numbers give the same bytes, so that a picture in a repository changes only when they do.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "blobpipes", "font.size": 10.5}):
        figure = Figure(figsize=(8.6, 5.2), dpi=120, layout="constrained")
        _draw(figure.subplots(), tuning)
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return out.getvalue()


def _draw(axes: Any, tuning: Tuning) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    beaten = [point for point in tuning.ours if point not in tuning.front]
    _line(axes, tuning, tuning.official, color=_GREY, marker="s", label="the official pair", style=":")
    if beaten:
        _line(axes, tuning, beaten, color=_BLUE, marker="o", label="blobpipes, beaten by another interval", style="")
    _line(axes, tuning, tuning.front, color=_BLUE, marker="o", label="blobpipes, the Pareto front", style="-")
    for point in tuning.ours:
        axes.annotate(
            f"{point.interval:g} s", (tuning.money(point), point.seconds), textcoords="offset points", xytext=(7, 5),
            color=_BLUE, fontsize=8.5,
        )  # fmt: skip
    if tuning.is_kept:
        _mark(axes, tuning, tuning.today, "today and recommended", _GREEN)
    else:
        _mark(axes, tuning, tuning.today, "today", _RED)
        _mark(axes, tuning, tuning.recommended, "recommended", _GREEN)
    axes.set_xlabel(f"US dollars {tuning.unit}, {tuning.prices.name}")
    axes.set_ylabel("seconds until 95 % of the messages are there")
    axes.xaxis.set_major_formatter(lambda value, _: dollars(value))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.minorticks_off()
    axes.grid(which="major", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(tuning.subject, loc="left", fontsize=11.5)
    axes.legend(frameon=False, loc="lower left")


def _line(axes: Any, tuning: Tuning, points: Any, *, color: str, marker: str, label: str, style: str) -> None:
    xs, ys = [tuning.money(point) for point in points], [point.seconds for point in points]
    hollow = style == ""  # beaten ones, unless the front is drawn over them
    axes.plot(
        xs, ys, linestyle=style or "none", marker=marker, color=color, markersize=5, linewidth=1.4, label=label,
        markerfacecolor="white" if hollow else color,
    )  # fmt: skip


def _mark(axes: Any, tuning: Tuning, point: Point, word: str, color: str) -> None:
    """A ring, and words on the side of the line where nothing else is."""
    at = (tuning.money(point), point.seconds)
    axes.plot(*at, marker="o", markersize=13, markerfacecolor="none", markeredgecolor=color, markeredgewidth=2)
    text = f"{word}: {point.interval:g} s, {dollars(at[0])}"
    axes.annotate(
        text, at, textcoords="offset points", xytext=(-14, -14), ha="right", color=color, fontweight="bold",
    )  # fmt: skip
