"""How the other side's JSON is named in errors: its types in JSON's words, its text clipped to one line."""

from __future__ import annotations

from typing import Any, Final

_CLIP: Final = 60  # characters of the other side's text that an error may show


def json_type(value: Any) -> str:
    """What a decoded JSON value is, in words that also fit a program not written in Python."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "an array"
    return "a number" if isinstance(value, (int, float)) else type(value).__name__


def clip(value: Any) -> str:
    """`value` as one short line: a literal of at most some 60 characters."""
    text = ascii(value)
    return text if len(text) <= _CLIP else f"{text[:_CLIP]}..."
