"""One stream of events: all that a command has to say, as JSON objects with stable keys (docs/cli.md).

People see the same events drawn. Every event has `event` (its kind), `time` and `session`; the rest depends on
the kind.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from blobpipes.cli.wording import iso_time
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.wire.log_levels import level_name
from blobpipes.wire.messages import (
    AssetCheck,
    AssetMaterialization,
    Closed,
    CustomMessage,
    ExternalStream,
    Log,
    Opened,
    Payload,
)

KINDS: Final = (
    *("session", "opened", "log", "output", "materialization", "check", "custom", "closed"),
    *("problem", "waiting", "end", "demo", "archived", "collected", "leftover", "page", "preview"),
    *("cost", "plan", "setting", "recommended"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to say."""

    kind: str  # one of KINDS
    session: str | None
    at: float | None  # seconds since 1970: when its chunk was stored, or when it came; None where nobody knows
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def encode(self) -> str:
        """One line of JSON for any parser: numbers that JSON does not have become the texts NaN and Infinity."""
        whole = {"event": self.kind, "time": iso_time(self.at), "session": self.session, **self.fields}
        try:
            return json.dumps(whole, allow_nan=False)
        except ValueError:
            return json.dumps(_without_specials(whole), allow_nan=False)


def event_of(payload: Payload, *, session: str | None, at: float | None) -> Event:
    """The event that a message is."""
    kind, fields = _described(payload)
    return Event(kind, session, at, fields)


def problem_event(problem: SessionProblem, *, session: str | None, at: float | None) -> Event:
    """The event that an isolated fault is."""
    return Event("problem", session, at, {"kind": problem.kind, "text": problem.text, "chunk": problem.chunk})


def _described(payload: Payload) -> tuple[str, dict[str, Any]]:
    match payload:
        case Opened():
            return "opened", {"extras": dict(payload.extras)}
        case Log():
            return "log", {"level": level_name(payload.level), "message": payload.message}
        case ExternalStream():
            return "output", {"stream": payload.stream, "text": payload.text}
        case AssetMaterialization():
            return "materialization", {
                "asset_key": payload.asset_key,
                "data_version": payload.data_version,
                "metadata": dict(payload.metadata),
            }
        case AssetCheck():
            return "check", {
                "asset_key": payload.asset_key,
                "check_name": payload.check_name,
                "passed": payload.passed,
                "severity": payload.severity,
                "metadata": dict(payload.metadata),
            }
        case CustomMessage():
            return "custom", {"payload": payload.payload}
        case Closed():
            return "closed", {"exception": payload.exception}


def _without_specials(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _without_specials(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_specials(each) for each in value]
    return value
