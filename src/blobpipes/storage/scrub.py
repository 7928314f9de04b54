"""Keeps secrets out of what people read: the store's own credentials, wherever a backend quotes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from blobpipes.storage.url import redact

_HARMLESS: Final = (
    *("endpoint_url", "endpoint", "region", "region_name", "project", "account_name", "account_host"),
    *("anon", "host", "port", "protocol"),
)
"""Storage options that say where, not who: hiding them would only make errors useless."""

_SECRET_VARIABLES: Final = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
    *("AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
)
_SHORTEST: Final = 4  # shorter values would blot out innocent words
_LONGEST_LINE: Final = 300  # characters of a backend's text that an error quotes


class Scrubber:
    """Knows one store's secrets and removes them from text. Its repr shows none."""

    def __init__(self, base: str, storage_options: Mapping[str, Any]) -> None:
        found = {*_from_url(base), *_from_options(storage_options), *_from_environment()}
        found |= {part for secret in found for part in _parts(secret)}
        self._secrets = sorted((s for s in found if len(s) >= _SHORTEST), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Scrubber({len(self._secrets)} secrets)"

    def clean(self, text: str) -> str:
        """`text` without secrets, on one line, cut to a readable length."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = " ".join(redact(text).split())
        return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."

    def is_clean(self, error: BaseException | None) -> bool:
        """Whether neither the error nor anything that a traceback prints above it tells a secret."""
        while error is not None:
            text = str(error)
            if redact(text) != text or any(secret in text for secret in self._secrets):
                return False
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return True


def _from_url(base: str) -> Iterator[str]:
    for userinfo in re.findall(r"://([^/@]*)@", base):
        yield userinfo.partition(":")[2]


def _from_options(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _from_options(inner, str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _from_options(inner, name)
    elif isinstance(value, str) and name not in _HARMLESS:
        yield value


def _from_environment() -> Iterator[str]:
    yield from (value for name in _SECRET_VARIABLES if (value := os.environ.get(name)))


def _parts(secret: str) -> Iterator[str]:
    """A connection string is quoted in parts, too."""
    for part in secret.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() in ("accountkey", "sharedaccesssignature"):
            yield value
