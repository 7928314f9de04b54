"""The five log levels of the protocol, and what else a reader understands.

Senders write DEBUG, INFO, WARNING, ERROR or CRITICAL and nothing else, because an official reader stops
for good at any other name. Readers also take lower case, WARN, FATAL, integers, and the `Level 25` that
Python's logging calls a level without a name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.checks import clip, json_type

LEVELS: Final[Mapping[str, int]] = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}

_NAMES: Final = tuple(LEVELS)
_STARTS: Final = tuple(LEVELS.values())
_KNOWN: Final = {**LEVELS, "WARN": 30, "FATAL": 50}
_UNNAMED: Final = re.compile(r"level (-?[0-9]{1,9})", re.IGNORECASE)


def level_name(levelno: int) -> str:
    """The highest of the five names that is not above `levelno`; DEBUG for everything below it."""
    return _NAMES[max(0, bisect_right(_STARTS, levelno) - 1)]


def parse_level(level: str | int) -> int:
    """A level as Python's logging counts it (DEBUG is 10, CRITICAL is 50).

    Raises:
        DagsterPipesError: an unknown name, or neither text nor an integer.
    """
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    if not isinstance(level, str):
        raise _unknown(json_type(level))
    known = _KNOWN.get(level.upper())
    if known is not None:
        return known
    unnamed = _UNNAMED.fullmatch(level)
    if unnamed is None:
        raise _unknown(clip(level))
    return int(unnamed[1])


def _unknown(level: str) -> DagsterPipesError:
    return DagsterPipesError(f"unknown log level: {level}", remedy=f"Use one of {', '.join(_NAMES)}, or an integer.")
