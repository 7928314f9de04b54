"""Asset keys as text: parts joined by `/`, with `\\` before a slash or backslash that belongs to a part."""

from __future__ import annotations

from collections.abc import Sequence

from blobpipes.errors import DagsterPipesError


def escape_asset_key(parts: Sequence[str]) -> str:
    """The parts of an asset key as the one string that names it on the wire.

    Raises:
        DagsterPipesError: `parts` is not a sequence of strings (one string is not one, either).
    """
    if isinstance(parts, str) or not all(isinstance(part, str) for part in parts):
        raise DagsterPipesError(
            f"an asset key is a sequence of strings, not {parts!r:.60}", remedy='Give the parts, as in ["a", "b"].'
        )
    return "/".join(part.replace("\\", "\\\\").replace("/", "\\/") for part in parts)


def parse_asset_key(text: str) -> list[str]:
    """The parts of an escaped asset key. As the official decoder does it, an empty last part vanishes."""
    parts: list[str] = []
    part = ""
    characters = iter(text)
    for character in characters:
        if character == "/":
            parts.append(part)
            part = ""
        else:  # a backslash at the very end escapes nothing and is dropped
            part += next(characters, "") if character == "\\" else character
    return [*parts, part] if part else parts
