"""A session as one self-contained page of HTML: nothing is loaded from anywhere, and nothing in it can act. Pure.

Whatever a job said is text: it is escaped where it stands in the page, and the log travels as JSON in which no `<` is
left, so that no message can end the element. The page's own policy lets a browser run the one script that belongs to
it, by its hash, and reach no network.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from blobpipes.cli.entries import outcome_of
from blobpipes.cli.events import Event
from blobpipes.cli.page import plots
from blobpipes.cli.page.collecting import Collected, Row
from blobpipes.cli.wording import clipped, counted, duration, harmless, metadata_value, requests, size
from blobpipes.wire.exceptions import PipesException, format_exception_tree

MOST_RESULTS: Final = 500
MOST_CHECKS: Final = 1000
MOST_RECORDS: Final = 50  # of a table in the metadata
LONGEST_VALUE: Final = 20_000  # characters

_KINDS: Final = (
    *("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "stdout", "stderr"),
    *("result", "check", "custom", "session", "problem"),
)
_NO_LAG: Final = (
    '<figure><figcaption>delay of chunks</figcaption><p class="hint">Unknown: these chunks do not say when '
    "they were cut.</p></figure>"
)
_GOOD: Final = ("complete",)
_OPEN: Final = ("waiting", "running", "silent", "cleaned")
_MARKS: Final = {"good": "✔", "bad": "✘", "open": "·"}


def render(collected: Collected, *, version: str, made_at: float) -> bytes:
    """The page, in UTF-8. `made_at` is in seconds since 1970."""
    style, script = _own("page.css"), _own("page.js")
    name = escape(str(_session(collected, "name")))
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:"
    made = f"Made by blobpipes {escape(version)} on {_moment(made_at)}. All times are UTC, as the store told them."
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name} · {escape(_end(collected, "state"))}</title>
<style>{style}</style>
</head>
<body>
{_header(collected)}
<main>
{"".join(_sections(collected))}
</main>
<footer>{made}</footer>
<script type="application/json" id="log-data">{_log_data(collected)}</script>
<script>{script}</script>
</body>
</html>
"""
    return page.encode("utf-8", "replace")


def _sections(collected: Collected) -> Iterable[str]:
    span = plots.span_of(_created(collected), collected.chunks)
    if span is None:
        yield _section("timeline", "Timeline", '<p class="hint">The store tells no times.</p>')
    else:
        yield _section("timeline", "Timeline", _wide(plots.timeline(span, collected.chunks, collected.marks.values())))
        lag = plots.lag_plot(span, collected.chunks) or _NO_LAG
        pictures = plots.rate_plot(span, collected.chunks) + lag + plots.requests_plot(span, collected.chunks)
        yield f'<div class="plots">{pictures}</div>'
    if collected.price:
        yield _section("price", "Price", _pairs(collected.price))
    if collected.tally.materializations:
        yield _section("results", "Results", _results(collected.tally.materializations))
    if collected.tally.checks:
        yield _section("checks", "Checks", _checks(collected.tally.checks))
    if collected.problems:
        yield _section("problems", "Problems", _problems(collected.problems))
    yield _section("log", "Log", _log(collected))


def _header(collected: Collected) -> str:
    state, detail = _end(collected, "state"), _end(collected, "detail")
    tone = "good" if state in _GOOD else "open" if state in _OPEN else "bad"
    exception = collected.closed["exception"] if collected.closed is not None else None
    trace = _exception(exception) if exception else ""
    return (
        f'<header><p class="brand">blobpipes session</p><h1>{escape(str(_session(collected, "name")))}</h1>'
        f'<p class="verdict {tone}"><span class="badge" id="verdict">{_MARKS[tone]} {escape(state)}</span> '
        f"<span>{_text(detail)}</span></p>{trace}{_pairs(_facts(collected), 'facts')}</header>"
    )


def _exception(exception: PipesException) -> str:
    """What it was in one line, and the whole of it below."""
    return (
        f'<p class="error">{_text(clipped(exception["message"], 1000))}</p>'
        f'<pre class="trace">{_text(format_exception_tree(exception))}</pre>'
    )


def _facts(collected: Collected) -> list[tuple[str, str]]:
    """What is known of the session, for people."""
    end = collected.end
    known = [(title, _session(collected, key)) for key, title in _KNOWN.items()]
    facts = [(title, str(value)) for title, value in known if value]
    span = plots.span_of(_created(collected), collected.chunks)
    if span is not None:
        facts += [("began", _moment(span.begin)), ("last chunk", _moment(span.end)), ("took", duration(span.length))]
    if end is None:
        return facts
    failed = f", {end['failed_checks']} failed" if end["failed_checks"] else ""
    stored = sum(chunk.size for chunk in collected.chunks)
    return [
        *facts,
        ("messages", f"{end['messages']:,}" + (f", {end['missing']:,} missing" if end["missing"] else "")),
        *([("results", counted(end["materializations"], "materialization"))] if end["materializations"] else []),
        *([("checks", f"{end['checks']:,}{failed}")] if end["checks"] else []),
        ("chunks", f"{end['chunks']:,}, {size(stored)}"),
        ("to read this", requests(collected.requests)),
    ]


_KNOWN: Final = {"url": "URL", "job_name": "job", "partition_key": "partition", "run_id": "run"}


def _results(events: Sequence[Event]) -> str:
    rows = []
    for event in events[:MOST_RESULTS]:
        values = [(label, _value(value)) for label, value in event["metadata"].items()]
        if event["data_version"] is not None:
            values.insert(0, ("data version", _text(event["data_version"])))
        shown = "".join(f"<tr><th>{_text(label)}</th><td>{value}</td></tr>" for label, value in values)
        rows.append(f'<article><h3>{_text(event["asset_key"])}</h3><table class="values">{shown}</table></article>')
    return "".join(rows) + _rest(len(events), MOST_RESULTS, "result")


def _checks(events: Sequence[Event]) -> str:
    several = len({event["asset_key"] for event in events}) > 1
    rows = []
    for event in events[:MOST_CHECKS]:
        outcome, style = outcome_of(event)
        values = ", ".join(f"{clipped(label)} {metadata_value(value)}" for label, value in event["metadata"].items())
        asset = f"<td>{_text(event['asset_key'])}</td>" if several else ""
        rows.append(
            f"<tr><td>{_text(event['check_name'])}</td>{asset}"
            f'<td class="{style}">{_text(outcome)}</td><td>{_text(values)}</td></tr>'
        )
    head = f"<tr><th>check</th>{'<th>asset</th>' if several else ''}<th>outcome</th><th>evidence</th></tr>"
    table = f'<table class="rows"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
    return table + _rest(len(events), MOST_CHECKS, "check")


def _problems(events: Sequence[Event]) -> str:
    rows = "".join(f"<li><b>{_text(event['kind'])}</b> {_text(event['text'])}</li>" for event in events[:MOST_CHECKS])
    return f"<ul>{rows}</ul>{_rest(len(events), MOST_CHECKS, 'problem')}"


def _log(collected: Collected) -> str:
    """The controls; the rows are drawn by the script, only those that are seen."""
    counts = collected.rows.counts
    boxes = "".join(
        f'<label class="kind k-{kind}"><input type="checkbox" value="{kind}" checked> '
        f"{kind} <b>{counts[kind]:,}</b></label>"
        for kind in _KINDS
        if counts[kind]
    )
    return (
        '<div class="controls"><input type="search" id="filter" placeholder="show lines with this text" '
        f'aria-label="show lines with this text"><div class="kinds" id="kinds">{boxes}</div>'
        '<p id="count" role="status"></p></div>'
        '<div id="view" tabindex="0" aria-label="the log"><div id="all"><div id="seen"></div></div></div>'
        '<pre id="detail" hidden></pre>'
        "<noscript><p>The log needs JavaScript; <code>blobpipes show</code> prints it.</p></noscript>"
    )


def _log_data(collected: Collected) -> str:
    rows = collected.rows.all()
    begin = next((row.at for row in rows if row.at is not None), 0.0)
    data = {"begin": round(begin * 1000), "kinds": _KINDS, "rows": [_packed(row, begin) for row in rows]}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _packed(row: Row, begin: float) -> list[Any]:
    """Milliseconds since the first row, kind, text."""
    return [None if row.at is None else round((row.at - begin) * 1000), _KINDS.index(row.kind), row.text]


# --- values ------------------------------------------------------------------------------------------


def _value(value: Mapping[str, Any]) -> str:
    """One metadata value as HTML."""
    kind, raw = value.get("type"), value.get("raw_value")
    if kind == "table" and isinstance(raw, Mapping) and isinstance(raw.get("records"), list):
        return _records(raw["records"])
    if kind == "url" and isinstance(raw, str) and raw.startswith(("https://", "http://")):
        return f'<a href="{escape(raw)}" rel="noreferrer noopener">{_text(raw)}</a>'
    if isinstance(raw, (dict, list)) and kind != "table":
        return f"<pre>{_text(json.dumps(raw, ensure_ascii=False, indent=1)[:LONGEST_VALUE])}</pre>"
    if isinstance(raw, str) and ("\n" in raw or len(raw) > 200):
        return f"<pre>{_text(raw[:LONGEST_VALUE])}</pre>"
    return _text(metadata_value(value))


def _records(records: Sequence[Any]) -> str:
    shown = [record for record in records[:MOST_RECORDS] if isinstance(record, Mapping)]
    columns = list(dict.fromkeys(name for record in shown for name in record))
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(str(record.get(name, '')))}</td>" for name in columns) + "</tr>"
        for record in shown
    )
    table = f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return table + _rest(len(records), MOST_RECORDS, "row")


def _rest(count: int, most: int, noun: str) -> str:
    return f'<p class="hint">and {counted(count - most, noun)} more</p>' if count > most else ""


def _pairs(pairs: Iterable[tuple[str, str]], kind: str = "facts") -> str:
    items = "".join(f"<div><dt>{_text(title)}</dt><dd>{_text(value)}</dd></div>" for title, value in pairs)
    return f'<dl class="{kind}">{items}</dl>'


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}-section"><h2>{title}</h2>{body}</section>'


def _wide(picture: str) -> str:
    """What a narrow window scrolls instead of shrinking."""
    return f'<div class="wide">{picture}</div>'


def _text(value: object) -> str:
    """Text for the page, whatever it is."""
    return escape(harmless(str(value)))


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _session(collected: Collected, key: str) -> Any:
    event = collected.session
    return None if event is None else event.session if key == "name" else event.fields.get(key)


def _created(collected: Collected) -> float | None:
    return collected.session.at if collected.session is not None else None


def _end(collected: Collected, key: str) -> str:
    return str(collected.end[key]) if collected.end is not None else "unknown"


@cache
def _own(name: str) -> str:
    return (files("blobpipes.cli.page") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
