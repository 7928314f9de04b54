"""What blobpipes asks of a store: whole objects by key, under one root.

The verbs are an object store's, not a file system's. Whatever a backend raises is mapped, once, to
the three answers that the rest of the code tells apart: absent (`None` or `False`), refused
(`StoreDeniedError`, `StorePlaceMissingError`) and unreachable (`StoreUnavailableError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One line of a listing."""

    key: str  # relative to the store's root, as given to `get`
    size: int  # bytes
    modified: float | None = None  # seconds since 1970 by the store's clock, where it tells
    version: str | None = None  # ETag, generation or the like: changes when the object is rewritten


class Store(Protocol):
    """Atomic objects by key, under one root URL.

    Keys are relative and use `/`. No reader ever sees a part of an object. All methods may be called
    from several threads at once. Every method may raise `StoreUnavailableError` (may pass),
    `StoreDeniedError` or `StorePlaceMissingError` (will not).
    """

    @property
    def url(self) -> str:
        """The root, without secrets and without options, for people and for other processes."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` under a free `key`. False when there was an object already; it is untouched.

        False is a question, not an answer: after an earlier try whose reply was lost, the object
        may be our own. On `StoreUnavailableError` it may or may not have been stored.
        """

    def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, replacing what was there."""

    def get(self, key: str) -> bytes | None:
        """The whole object by exactly one request, never from a cache; None where there is none."""

    def start_get(self, key: str) -> Future[bytes | None]:
        """Begin `get` without waiting for it. Raises nothing itself; the future does."""

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """All objects whose key begins with `prefix`, sorted by key, asked afresh (never cached)."""

    def delete(self, key: str) -> None:
        """Remove the object. Removing what is not there is no error."""
