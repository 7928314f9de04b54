"""An exception as the `closed` message carries it, and back into text that a person can read.

The sending form is the official package's: message with the qualified type and a closing newline, one
string per frame, the chain of causes and contexts, no members of exception groups. The reading form takes
what the other languages make of it.
"""

from __future__ import annotations

import sys
from traceback import TracebackException
from typing import Any, Final, TypedDict

from blobpipes.wire.jsonable import dumps

_LONGEST_CHAIN: Final = 100  # exceptions. Far more than people read, far less than JSON nesting can bear
_NAMELESS: Final = "unknown exception"


class PipesException(TypedDict):
    """One exception. All five keys are there at every level: an official reader breaks without them."""

    message: str
    stack: list[str]  # outermost frame first, each with its closing newline
    name: str | None  # the bare class name
    cause: PipesException | None  # `raise ... from` this
    context: PipesException | None  # raised while this was handled; null where it is the cause


def describe_exception(exc: BaseException) -> PipesException:
    """`exc` and the chain behind it, at most 100 deep. Source lines are looked up as a traceback does."""
    try:
        return _from_traceback(TracebackException(type(exc), exc, exc.__traceback__), 1)
    except Exception as error:  # noqa: BLE001 - an exception class whose own code fails must not hide that it was raised
        reason = f"<could not be described: {type(error).__name__}>"
        return _make(f"{type(exc).__qualname__}: {reason}\n", [], type(exc).__name__, None, None)


def _from_traceback(shown: TracebackException, depth: int) -> PipesException:
    behind = [
        _from_traceback(other, depth + 1) if other is not None and depth < _LONGEST_CHAIN else None
        for other in (shown.__cause__, shown.__context__)
    ]
    return _make("".join(shown.format_exception_only()), shown.stack.format(), _bare_name(shown), *behind)


def _bare_name(shown: TracebackException) -> str:
    if sys.version_info >= (3, 13):  # exc_type is deprecated there
        return shown.exc_type_str.rpartition(".")[2]
    return shown.exc_type.__name__


def _make(
    message: str, stack: list[str], name: str | None, cause: PipesException | None, context: PipesException | None
) -> PipesException:
    return {"message": message, "stack": stack, "name": name, "cause": cause, "context": context}


def parse_exception(raw: Any) -> PipesException:
    """What the other side sent as an exception, in full form. Never raises for decoded JSON.

    Missing keys, a null stack, an empty array for a cause and a bare string are taken: that a process
    failed is too important to be lost to the form in which it says so.
    """
    return _parse(raw, 1)


def _parse(raw: Any, depth: int) -> PipesException:
    if not isinstance(raw, dict):
        return _make(_text(raw) or _NAMELESS, [], None, None, None)
    name = raw.get("name")
    message = raw.get("message")
    cause, context = (
        _parse(raw[key], depth + 1) if raw.get(key) and depth < _LONGEST_CHAIN else None for key in ("cause", "context")
    )
    name = None if name is None else _text(name)
    return _make(_text(message) if message else (name or _NAMELESS), _lines(raw), name, cause, context)


def _lines(raw: dict[str, Any]) -> list[str]:
    stack = raw.get("stack")
    if not stack:
        return []
    return [_text(line) for line in stack] if isinstance(stack, list) else [_text(stack)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def format_exception_tree(exception: PipesException) -> str:
    """The exception as Python prints a traceback: what happened first comes first. Ends with a newline."""
    parts = [_format_one(exception)]
    shown: PipesException | None = exception
    while shown is not None:
        if shown["cause"] is not None:
            shown, joint = shown["cause"], "The above exception was the direct cause of the following exception:"
        else:
            shown, joint = shown["context"], "During handling of the above exception, another exception occurred:"
        if shown is not None:
            parts += [f"\n{joint}\n\n", _format_one(shown)]
    return "".join(reversed(parts))


def _format_one(exception: PipesException) -> str:
    name, message = exception["name"], exception["message"]
    stack = "".join(map(_closed_line, exception["stack"]))
    header = "Traceback (most recent call last):\n" if stack else ""
    named = message if name is None or _tells_its_type(message, name) else f"{name}: {message}"
    return header + stack + _closed_line(named)


def _tells_its_type(message: str, name: str) -> bool:
    """Whether one line starts with the type, qualified or not, as Python writes it and other languages may not."""
    types = (line.partition(":")[0] for line in message.splitlines())
    return name.rpartition(".")[2] in {shown.rpartition(".")[2] for shown in types}


def _closed_line(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
