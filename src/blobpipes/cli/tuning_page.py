"""A tuning as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from html import escape

from blobpipes.cli.tuning import Tuning
from blobpipes.cli.tuning_picture import as_svg
from blobpipes.cost.bill import dollars
from blobpipes.cost.tuner import Point


def as_page(tuning: Tuning) -> str:
    """The whole page.

    Raises:
        MissingBackendError: matplotlib is not installed.
    """
    rows = "\n".join(_row(tuning, point) for point in tuning.ours)
    theirs = "\n".join(_row(tuning, point) for point in tuning.official)
    recalled = (
        f" Not read on the provider's page: {', '.join(tuning.prices.recalled)}." if tuning.prices.recalled else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(tuning.subject)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(tuning.subject)}</h1>
<p class="verdict">{escape(tuning.verdict())}</p>
<p>The line to paste: <code>{escape(tuning.line)}</code></p>
<figure>{as_svg(tuning)}</figure>
<h2>blobpipes</h2>
<table><thead>{_head(tuning)}</thead><tbody>
{rows}
</tbody></table>
<h2>The official pair</h2>
<table><thead>{_head(tuning)}</thead><tbody>
{theirs}
</tbody></table>
<footer>{escape(tuning.prices.name)}, {escape(tuning.prices.region)}: list prices of {escape(tuning.collected)}, without
storage and free tiers.{escape(recalled)} Forecast by the engine's own decisions on a clock that jumps.</footer>
</body>
</html>
"""


def _head(tuning: Tuning) -> str:
    titles = ("interval", "95 % within", "on average", "requests", escape(tuning.unit), "")
    return "<tr>" + "".join(f"<th>{title}</th>" for title in titles) + "</tr>"


def _row(tuning: Tuning, point: Point) -> str:
    marks = tuning.marks(point) if point.pair == "blobpipes" else ""
    kind = "recommended" if point is tuning.recommended else "today" if point is tuning.today else ""
    cells = (
        f"{point.interval:g} s",
        f"{point.seconds:.1f} s",
        f"{point.forecast.latency.mean:.1f} s",
        f"{point.forecast.requests:,}",
        dollars(tuning.money(point)),
        escape(marks),
    )
    return f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.verdict { font-size: 1.1rem; }
code { background: #f3f4f6; padding: .15rem .4rem; border-radius: .3rem; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #e5e7eb; }
th { font-weight: 600; } td:last-child { text-align: left; }
tr.recommended td { color: #15803d; font-weight: 600; } tr.today td { color: #c2410c; font-weight: 600; }
footer { color: #6b7280; font-size: .85rem; margin-top: 2rem; }
"""
