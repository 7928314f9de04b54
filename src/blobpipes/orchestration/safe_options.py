"""Which connection settings may travel to the external process: those that are no credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from blobpipes.errors import InvalidOptionError
from blobpipes.storage.url import redact

_SECRET: Final = re.compile(
    r"key|secret|token|passw|pwd|passphrase|credential|auth|sas|signature|connection_?string|cookie|cert|private|user"
    r"|header",
    re.IGNORECASE,
)


def checked_hints(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """`options` as the part of the params that carries them; empty if there are none.

    Raises:
        InvalidOptionError: something in it is named or written like a credential. The value is not shown.
    """
    if not options:
        return {}
    for path, value in _leaves(options, ""):
        anonymous = path == "token" and value == "anon"  # how gcsfs spells "without credentials"
        if (_SECRET.search(path) and not anonymous) or (isinstance(value, str) and redact(value) != value):
            raise InvalidOptionError(
                f"pass_storage_options has {path!r}, which looks like a credential",
                remedy="Pass only what is no secret (endpoint_url, region, anon); the external process takes its "
                "credentials from its own environment.",
            )
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise InvalidOptionError(f"pass_storage_options has {path!r}, a {type(value).__name__}: not plain data")
    return {"storage_options": dict(options)}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part, path)
    else:
        yield path, value
