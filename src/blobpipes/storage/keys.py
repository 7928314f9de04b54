"""Which names an object may have under a store's root."""

from __future__ import annotations


def check_key(key: str) -> str:
    """`key` itself, if it names one object below the root.

    Raises:
        ValueError: empty, absolute, with an empty, `.` or `..` part, or with a NUL.
    """
    if not key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError(f"{key!r} is not a key: relative, parts divided by one '/', none of them '.' or '..'")
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself, if keys may begin with it; empty means all keys.

    Raises:
        ValueError: as for `check_key`, except that it may end in `/` or in the middle of a name.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix
