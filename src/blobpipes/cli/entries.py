"""How each event reads: a margin with the time and what it is, and the text beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from blobpipes.cli.drawing import Line, Piece, Screen, Style
from blobpipes.cli.events import Event
from blobpipes.cli.wording import clipped, clock_time, counted, duration, harmless, metadata_value, requests
from blobpipes.wire.exceptions import format_exception_tree

TAG_WIDTH: Final = 8  # of the longest: CRITICAL

_LEVEL_STYLES: Final[Mapping[str, Style]] = {
    "DEBUG": "dim",
    "INFO": "info",
    "WARNING": "warning",
    "ERROR": "bad",
    "CRITICAL": "bad",
}
_STATE_STYLES: Final[Mapping[str, Style]] = {
    "complete": "good",
    "running": "info",
    "waiting": "info",
    "silent": "warning",
    "cleaned": "dim",
}


def state_style(state: str) -> Style:
    """How a state or verdict is drawn; whatever is not named is bad."""
    return _STATE_STYLES.get(state, "bad")


def draw_session(event: Event, screen: Screen) -> None:
    known = [f"{title} {event[name]}" for name, title in _KNOWN_OF_RUN.items() if event.fields.get(name)]
    screen.line([Piece("session ", "dim"), Piece(event["url"], "name")])
    if known:
        screen.line([Piece("        " + ", ".join(known), "dim")])
    screen.line([])


_KNOWN_OF_RUN: Final = {"job_name": "job", "partition_key": "partition", "run_id": "run"}


def draw_opened(event: Event, screen: Screen) -> None:
    _draw(event, screen, Piece("opened", "dim"), [Piece("the job has opened its messages", "dim")])


def draw_log(event: Event, screen: Screen) -> None:
    style = _LEVEL_STYLES[event["level"]]
    body: Style = style if style in ("bad", "warning", "dim") else "plain"
    _draw(event, screen, Piece(event["level"], style), [Piece(harmless(event["message"]), body)])


def draw_output(event: Event, line: str, screen: Screen) -> None:
    """One whole line of the job's output."""
    stream = event["stream"]
    _draw(event, screen, Piece(stream, "warning" if stream == "stderr" else "dim"), [Piece(line, "dim")])


def draw_materialization(event: Event, screen: Screen) -> None:
    values = counted(len(event["metadata"]), "value")
    said: Line = [Piece(harmless(event["asset_key"]), "strong"), f" materialized, {values}"]
    _draw(event, screen, Piece("result", "good"), said)


def draw_check(event: Event, screen: Screen) -> None:
    outcome, style = outcome_of(event)
    shown = evidence(event["metadata"])
    said: Line = [Piece(harmless(event["check_name"]), "strong"), " ", Piece(outcome, style)]
    _draw(event, screen, Piece("check", style), [*said, Piece(f"  {shown}" if shown else "", "dim")])


def draw_custom(event: Event, screen: Screen) -> None:
    _draw(event, screen, "custom", [clipped(json.dumps(event["payload"], ensure_ascii=False))])


def draw_closed(event: Event, screen: Screen, *, brief: bool) -> None:
    """How the job closed; with its traceback, unless `brief`."""
    exception = event["exception"]
    if exception is None:
        _draw(event, screen, Piece("closed", "dim"), [Piece("the job has closed its messages", "dim")])
        return
    _draw(event, screen, Piece("closed", "bad"), [Piece(f"with {clipped(exception['message'])}", "bad")])
    if not brief:
        screen.entry(["  "], [harmless(format_exception_tree(exception)).rstrip()])


def draw_problem(event: Event, screen: Screen) -> None:
    where = f" (chunk {event['chunk']})" if event["chunk"] is not None else ""
    _draw(
        event,
        screen,
        Piece("problem", "warning"),
        [Piece(f"{event['kind']}{where}: {clipped(event['text'])}", "warning")],
    )


def draw_waiting(event: Event, screen: Screen) -> None:
    _draw(event, screen, Piece("waiting", "dim"), [Piece(clipped(event["text"]), "dim")])


def draw_end(event: Event, screen: Screen) -> None:
    """The verdict in one line, what it rests on if it is not good, and where the session is."""
    state = event["state"]
    style = state_style(state)
    mark = "✔ " if style == "good" else "✘ " if style == "bad" else "· "
    screen.line([])
    screen.entry([Piece(mark, style), Piece(state, style), "  "], [", ".join(_counts(event))])
    for text in _remarks(event):
        screen.entry(["  "], [clipped(text, 1000)])
    screen.line([Piece("  session ", "dim"), Piece(event["url"], "name")])


def _counts(event: Event) -> list[str]:
    said = [counted(event["messages"], "message")]
    if event["materializations"]:
        said.append(counted(event["materializations"], "materialization"))
    if event["checks"]:
        failed = f" ({event['failed_checks']} failed)" if event["failed_checks"] else ""
        said.append(counted(event["checks"], "check") + failed)
    if event["problems"]:
        said.append(counted(event["problems"], "problem"))
    said.append(counted(event["chunks"], "chunk"))
    said.append(requests(event["requests"]))
    if event["seconds"] is not None:
        said.append(duration(event["seconds"]))
    return said


def _remarks(event: Event) -> list[str]:
    remarks = [event["detail"]] if event["state"] != "complete" else []
    return [remark for remark in (*remarks, event.fields.get("process"), event.fields.get("remedy")) if remark]


def outcome_of(check: Event) -> tuple[str, Style]:
    """`passed`, `failed`, or `failed (warning)`, and how to draw it."""
    if check["passed"]:
        return "passed", "good"
    return ("failed (warning)", "warning") if check["severity"] == "WARN" else ("failed", "bad")


def evidence(metadata: Mapping[str, Any]) -> str:
    """A check's metadata in one line."""
    return ", ".join(f"{clipped(label)} {metadata_value(value)}" for label, value in metadata.items())


def _draw(event: Event, screen: Screen, tag: str | Piece, body: Line) -> None:
    piece = tag if isinstance(tag, Piece) else Piece(tag)
    padded = Piece(piece.text.ljust(TAG_WIDTH), piece.style)
    screen.entry([Piece(clock_time(event.at), "dim"), "  ", padded, "  "], body)
