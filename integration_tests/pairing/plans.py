"""What a caller is asked to do, and what it tells of it: the text between the tests and the processes they start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """One pairing for one calling process."""

    name: str
    orchestration: str  # ours, adapter or official
    flavour: str  # file, dir, s3, gs or az
    url: str  # of an empty place; for `file` unused
    command: tuple[str, ...]  # the job; a scene is appended
    job_env: Mapping[str, str]  # what the job needs on top of the caller's environment
    scenes: tuple[str, ...] = ("whole", "several")
    interval: float = 0  # seconds between two looks of an official reader

    def encode(self) -> str:
        return json.dumps(asdict(self))


def decode_plan(text: str) -> Plan:
    raw = json.loads(text)
    return Plan(**{**raw, "command": tuple(raw["command"]), "scenes": tuple(raw["scenes"])})


@dataclass
class Arrived:
    """What came out of one scene, in the same shape for every orchestration side."""

    results: list[Any] = field(default_factory=list)  # in order of arrival
    custom: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)  # [level number, text]
    streams: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)  # the context
    exception: list[str] = field(default_factory=list)  # messages, outermost first, then causes and contexts
    complaints: list[str] = field(default_factory=list)  # warnings and problems; none is expected
    verdict: str = ""  # ours alone: of the report
    opened_extras: dict[str, Any] = field(default_factory=dict)
    chunks: dict[str, str] = field(default_factory=dict)  # name to text: the bytes in the place, if they can be read
