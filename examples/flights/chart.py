"""One picture of one month: which days went wrong, at which hours delays build up, and who is on time.

Drawn with matplotlib's object interface, which needs no display and shares no state between threads.
"""

from __future__ import annotations

import calendar
import io

import polars as pl
from delays import LATE, MonthSummary, by_day, by_weekday_and_hour
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

INK, FAINT, PAPER = "#22303c", "#7b8794", "#ffffff"
OUTCOMES = (  # column of by_day, what it is called, colour: from good to bad
    ("on_time", "on time", "#c9d8e4"),
    ("late", "15 to 59 minutes late", "#f6c35c"),
    ("very_late", "an hour or more", "#e2733a"),
    ("diverted", "diverted", "#8e5ea2"),
    ("cancelled", "cancelled", "#7c1d2f"),
)
HEAT = LinearSegmentedColormap.from_list("delay", ["#eef3f7", "#f9dc9c", "#ee9b4f", "#c2452d", "#6b1026"])
WORST_COLOUR_AT = 60  # minutes of mean delay; the same in every month, so that pictures can be compared


def draw_month(summary: MonthSummary, flights: pl.DataFrame, airlines: pl.DataFrame) -> bytes:
    """A PNG of 1680 x 1080 pixels. `airlines` is what `by_airline` gives for these flights."""
    figure = Figure(figsize=(14, 9), dpi=120, facecolor=PAPER)
    grid = figure.add_gridspec(2, 2, left=0.06, right=0.965, top=0.83, bottom=0.055, hspace=0.36, wspace=0.36)
    year, month = (int(part) for part in summary.month.split("-"))
    _title(figure, f"Flights from New York in {calendar.month_name[month]} {year}", _subtitle(summary))
    _draw_days(figure.add_subplot(grid[0, :]), by_day(flights), year, month)
    _draw_hours(figure.add_subplot(grid[1, 0]), by_weekday_and_hour(flights))
    _draw_airlines(figure.add_subplot(grid[1, 1]), airlines)
    png = io.BytesIO()
    FigureCanvasAgg(figure)  # becomes the figure's canvas
    figure.savefig(png, format="png")
    return png.getvalue()


def _subtitle(summary: MonthSummary) -> str:
    return (
        f"{summary.flights:,} scheduled, {summary.on_time_share:.0%} on time (arrived less than {LATE} minutes late), "
        f"{summary.cancelled:,} cancelled; departures {summary.mean_departure_delay:.0f} minutes late on average"
    )


def _title(figure: Figure, title: str, subtitle: str) -> None:
    figure.text(0.06, 0.945, title, fontsize=22, fontweight="bold", color=INK)
    figure.text(0.06, 0.905, subtitle, fontsize=13, color=FAINT)


def _draw_days(axes: Axes, days: pl.DataFrame, year: int, month: int) -> None:
    """Stacked bars, one per day, of what became of its flights; weekends are marked below."""
    bottom = pl.zeros(days.height, eager=True)
    for column, label, colour in OUTCOMES:
        share = days[column] / days["flights"]
        axes.bar(days["day"], share, bottom=bottom, width=0.82, color=colour, label=label)
        bottom = bottom + share
    names = [f"{day}\n{calendar.day_abbr[calendar.weekday(year, month, day)]}" for day in days["day"]]
    axes.set_xticks(days["day"].to_list(), names, fontsize=9.5)
    axes.set_xlim(0.4, days.height + 0.6)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    _heading(axes, "How the day's flights arrived")
    axes.legend(loc="lower right", bbox_to_anchor=(1.005, 1.0), ncols=5, frameon=False, fontsize=10.5, labelcolor=INK)


def _draw_hours(axes: Axes, hours: pl.DataFrame) -> None:
    """Weekday by hour of departure, coloured by the mean delay."""
    first, last = 5, 23
    grid = [[float("nan")] * (last - first + 1) for _ in range(7)]
    for weekday, hour, delay in hours.drop_nulls().filter(pl.col("hour").is_between(first, last)).iter_rows():
        grid[weekday - 1][hour - first] = delay
    image = axes.imshow(grid, aspect="auto", cmap=HEAT, vmin=0, vmax=WORST_COLOUR_AT)
    axes.set_yticks(range(7), list(calendar.day_abbr))
    named = range(6, last + 1, 3)
    axes.set_xticks([hour - first for hour in named], [f"{hour}:00" for hour in named])
    axes.set_xticks([column + 0.5 for column in range(last - first)], minor=True)
    axes.set_yticks([row + 0.5 for row in range(6)], minor=True)
    axes.grid(which="minor", color=PAPER, linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    _heading(axes, "Mean delay at departure, minutes")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02, extend="both", shrink=0.98)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=FAINT, length=0)


def _draw_airlines(axes: Axes, airlines: pl.DataFrame) -> None:
    """Share of flights on time, best airline on top; those with fewer than a flight a day are left out."""
    shown = airlines.filter(pl.col("flights") >= 28).sort("on_time_percent")
    bars = axes.barh(shown["airline"], shown["on_time_percent"] / 100, color="#8fb3cc", height=0.72)
    axes.bar_label(bars, [f"{value:.0f}%" for value in shown["on_time_percent"]], padding=4, fontsize=9.5, color=INK)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_visible(False)
    _heading(axes, "Flights on time, by airline")


def _heading(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=13, fontweight="bold", color=INK, pad=10)
    axes.tick_params(colors=FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
