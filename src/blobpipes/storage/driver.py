"""Calls one file system's verbs, whether it is asynchronous or not, and never waits for ever on one that is.

fsspec's asynchronous file systems live on a loop in a thread of their own. A call is scheduled there with a
deadline; should the loop itself be stuck, the caller stops waiting a little later. Other file systems are called
directly, one call at a time, because few of them are safe for threads; their own timeouts apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

T = TypeVar("T")

_GRACE: Final = 2.0  # seconds beyond the deadline for a loop that is busy


class Driver:
    """Owns nothing: the file system is the store's. Safe for threads."""

    def __init__(self, fs: Any, *, timeout: float, lock: AbstractContextManager[Any]) -> None:
        self.fs = fs
        self.is_async = _is_async(fs)
        self._timeout = timeout
        self._lock = lock

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """The file system's `verb`, by its fsspec name."""
        if self.is_async:
            return self.run(lambda: getattr(self.fs, "_" + verb)(*args, **kwargs))
        with self._lock:
            return getattr(self.fs, verb)(*args, **kwargs)

    def run(self, start: Callable[[], Awaitable[T]]) -> T:
        """Start asynchronous work on the loop and wait for it, within the deadline.

        Raises:
            TimeoutError: the deadline passed. What was asked may still happen.
        """
        return self.wait(self.submit(self.limit(start)))

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work that limits itself. The future has all errors, that of a loop which is not ours included."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self.fs.loop)
        except RuntimeError as error:  # a forked child has the parent's loop, but not its thread
            work.close()
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed

    async def limit(self, start: Callable[[], Awaitable[T]]) -> T:
        """The result of work, within the deadline. Begun here, so that what is given up before leaves nothing open."""
        return await asyncio.wait_for(start(), self._timeout)

    def wait(self, future: Future[T], *, calls: int = 1) -> T:
        """The result of submitted work that makes so many calls."""
        try:
            return future.result(calls * self._timeout + _GRACE)
        finally:
            future.cancel()  # without effect on what is done


def _is_async(fs: Any) -> bool:
    """Whether coroutines can be used; a layer such as `dir::` claims so even over a file system that has none."""
    while fs.async_impl and hasattr(fs, "fs"):
        fs = fs.fs
    return bool(fs.async_impl) and not fs.asynchronous
