"""Has the kit lie under the storage URL when a machine comes for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from blobpipes.clients.boot.kit import Target, make_kit
from blobpipes.storage.open import open_store


class KitDelivery:
    """Makes the kit once for a process, and puts it once under a URL; called, it returns where it is.

    Raises:
        LaunchError: the kit cannot be made.
        StoreError: it cannot be stored.
    """

    def __init__(self, url: str, target: Target, *, storage_options: Mapping[str, Any] | None = None) -> None:
        self._url = url
        self._target = target
        self._options = storage_options
        self._lock = threading.Lock()
        self._at: str | None = None

    def __call__(self) -> str:
        with self._lock:  # steps of several threads share one client
            if self._at is None:
                store = open_store(self._url, storage_options=self._options)
                kit = make_kit(self._url.partition("://")[0], self._target)
                self._at = f"{store.url.rstrip('/')}/{kit.put(store)}"
            return self._at
