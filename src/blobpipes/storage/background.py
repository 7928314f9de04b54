"""A few threads for stores that can only wait by blocking one.

Shared by all stores of the process, so that threads do not grow with sessions. Stores whose file system
is asynchronous do not come here: their own loop does the waiting.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

MAX_THREADS = 8  # looks at slow disks and servers overlap; more would only queue behind the same disk


def run_in_background(work: Callable[[], T]) -> Future[T]:
    """Start `work` on a shared thread. At interpreter exit, when no thread can start, it runs at once."""
    try:
        return _pool().submit(work)
    except RuntimeError:  # "cannot schedule new futures after interpreter shutdown"
        return _run_now(work)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="blobpipes-store")


def _run_now(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again where the future is asked
        future.set_exception(error)
    return future


if hasattr(os, "register_at_fork"):  # the parent's threads do not exist in a forked child
    os.register_at_fork(after_in_child=_pool.cache_clear)
