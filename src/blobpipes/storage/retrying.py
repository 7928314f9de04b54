"""A store that tries again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from blobpipes.errors import StoreUnavailableError
from blobpipes.storage.background import run_in_background
from blobpipes.storage.store import ObjectInfo, Store

if TYPE_CHECKING:  # who has a policy has loaded tenacity; who has none need not
    from blobpipes.retry import RetryPolicy


class RetryingStore:
    """`inner`, but what may pass is tried again by the policy. As safe for threads as `inner` is."""

    def __init__(self, inner: Store, policy: RetryPolicy) -> None:
        self.inner = inner
        self._policy = policy
        self._call = policy.call

    @property
    def url(self) -> str:
        return self.inner.url

    def __repr__(self) -> str:
        return f"RetryingStore({self.inner!r}, {self._policy})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """True when the object now holds these bytes: ours, unless somebody else wrote the very same.

        "There is one already" may be the echo of a try whose reply was lost, ours or one that aiohttp repeated
        without telling. So it is looked at once, at the price of one get.
        """
        return self._call(lambda: self.inner.put_if_absent(key, data)) or self.get(key) == data

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda: self.inner.put(key, data))

    def get(self, key: str) -> bytes | None:
        return self._call(lambda: self.inner.get(key))

    def start_get(self, key: str) -> Future[bytes | None]:
        """The first try costs no thread where the inner store's does not; the others share a few."""
        outcome: Future[bytes | None] = Future()
        outcome.set_running_or_notify_cancel()  # it cannot be cancelled: somebody else completes it

        def after_first(first: Future[bytes | None]) -> None:
            if isinstance(first.exception(), StoreUnavailableError):
                run_in_background(lambda: self.get(key)).add_done_callback(lambda last: _copy(last, outcome))
            else:
                _copy(first, outcome)

        self.inner.start_get(key).add_done_callback(after_first)
        return outcome

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        return self._call(lambda: self.inner.list(prefix))

    def delete(self, key: str) -> None:
        self._call(lambda: self.inner.delete(key))


def _copy(source: Future[bytes | None], target: Future[bytes | None]) -> None:
    error = source.exception()
    if error is None:
        target.set_result(source.result())
    else:
        target.set_exception(error)
