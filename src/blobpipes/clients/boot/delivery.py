"""Has the kit lie under the storage URL when a machine comes for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from blobpipes.clients.boot.kit import Kit, Target, make_kit
from blobpipes.clients.place import JobSpec
from blobpipes.errors import LaunchError
from blobpipes.storage.open import open_store
from blobpipes.wire.params import MESSAGES_ENV_VAR, decode_params

SHOWN = "(the session's URL)/_bp/kits/(digest).tar.gz"  # where nothing is launched


class KitDelivery:
    """Makes the kit once for a process, and puts it once under each URL."""

    def __init__(self, target: Target, *, storage_options: Mapping[str, Any] | None = None) -> None:
        self._target = target
        self._options = storage_options
        self._lock = threading.Lock()
        self._kit: Kit | None = None
        self._delivered: dict[str, str] = {}

    def __call__(self, spec: JobSpec) -> str:
        """Where the kit for that job is.

        Raises:
            LaunchError: the kit cannot be made, or the session does not live in a store.
            StoreError: it cannot be stored.
        """
        root = sessions_root(spec)
        with self._lock:  # steps of several threads share one client
            if root not in self._delivered:
                store = open_store(root, storage_options=self._options)
                self._kit = self._kit or make_kit(root.partition("://")[0], self._target)
                self._delivered[root] = f"{store.url.rstrip('/')}/{self._kit.put(store)}"
            return self._delivered[root]


def sessions_root(spec: JobSpec) -> str:
    """The URL under which the job's session lives beside others, by the params that the job is given.

    Raises:
        LaunchError: they name none.
    """
    text = spec.env.get(MESSAGES_ENV_VAR)
    ours = decode_params(text).get("blobpipes") if text else None
    url = ours.get("url") if isinstance(ours, dict) else None
    if not url:
        raise LaunchError(
            "the session names no storage URL, by which the machine could get blobpipes",
            remedy="Read the messages with blobpipes' own reader, and give it the URL of a bucket.",
        )
    return str(url).rpartition("/")[0]
