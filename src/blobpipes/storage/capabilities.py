"""What a store really does, found out by trying: two puts and two gets, once per process and place."""

from __future__ import annotations

from dataclasses import dataclass

from blobpipes.errors import StoreDeniedError, StoreUnavailableError
from blobpipes.storage.store import Store

_SECOND = b"\n"  # what the second writer's bytes have more; no harm to the JSON that is there, should it win


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The two answers that decide how a chunk log can be written and read."""

    atomic_create: bool  # `put_if_absent` has exactly one winner; false: only single-writer guarantees hold
    hides_absence: bool  # `get` of an absent key is refused (S3 without s3:ListBucket), so refused may mean absent


def probe(store: Store, key: str, data: bytes, absent_key: str) -> Capabilities:
    """Create `key` with `data` (it stays there), try to create it again, read it, and look for `absent_key`.

    Judged by what can be read afterwards, not by what the store claims: some accept the condition and ignore it.
    An object that was there already is left as it is.

    Raises:
        StoreDeniedError: `key` cannot be written, or cannot be read.
        StorePlaceMissingError, StoreUnavailableError: as any call of a store.
    """
    created = store.put_if_absent(key, data)
    if created:
        store.put_if_absent(key, data + _SECOND)
    found = store.get(key)
    if found is None:
        raise StoreUnavailableError(
            f"{key} was put into {store.url} and is not there", reason="not visible", remedy="Use a consistent store."
        )
    overwritten = created and found == data + _SECOND
    if overwritten:
        store.put(key, data)
    return Capabilities(not overwritten and promises_atomic_create(store), _hides_absence(store, absent_key))


def promises_atomic_create(store: Store) -> bool:
    """False for stores that check first and write then: a probe alone cannot catch those."""
    while (inner := getattr(store, "inner", None)) is not None:
        store = inner
    return bool(getattr(store, "atomic_create", True))


def _hides_absence(store: Store, absent_key: str) -> bool:
    try:
        store.get(absent_key)
    except StoreDeniedError:
        return True
    return False
