"""The proxy between a pair and its store, which spoils requests by what they are and when they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.plan import WRONG_KEY
from integration_tests.servers.proxy import REQUEST_LOST, Canned, Fault, Proxy

SLOW_DOWN = Canned(503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
BAD_KEY = Canned(403, b"<Error><Code>InvalidAccessKeyId</Code><Message>No such key.</Message></Error>")

Rule = Callable[["FaultyProxy", str, str, Mapping[str, str]], Fault]


class FaultyProxy(Proxy):
    """Forwards, unless its rule says otherwise. Time counts from the first chunk that is put."""

    def __init__(self, port: int, rule: Rule) -> None:
        super().__init__(port)
        self._rule = rule
        self._began: float | None = None
        self.spoiled = 0  # requests

    @property
    def elapsed(self) -> float:
        """Seconds since the first chunk."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def next_fault(self, method: str, target: str, headers: Mapping[str, str]) -> Fault:
        if self._began is None and is_chunk(method, target):
            self._began = time.monotonic()
        fault = self._rule(self, method, target, headers)
        self.spoiled += fault is not None
        return fault


def is_chunk(method: str, target: str) -> bool:
    """A chunk is being put: `.../7.json`."""
    name = target.partition("?")[0].rpartition("/")[2]
    return method == "PUT" and name.endswith(".json") and name[:-5].isdigit()


def none(proxy: FaultyProxy, method: str, target: str, headers: Mapping[str, str]) -> Fault:
    return None


def answers_503(times: int) -> Rule:
    """The second chunk is answered 503 so many times."""

    def rule(proxy: FaultyProxy, method: str, target: str, headers: Mapping[str, str]) -> Fault:
        hit = is_chunk(method, target) and target.partition("?")[0].endswith("/2.json") and proxy.spoiled < times
        return SLOW_DOWN if hit else None

    return rule


def outage(begin: float, end: float) -> Rule:
    """Every connection is cut between these seconds after the first chunk."""

    def rule(proxy: FaultyProxy, method: str, target: str, headers: Mapping[str, str]) -> Fault:
        return REQUEST_LOST if begin <= proxy.elapsed < end else None

    return rule


def wrong_key(proxy: FaultyProxy, method: str, target: str, headers: Mapping[str, str]) -> Fault:
    """Whoever signs with the wrong key is refused."""
    return BAD_KEY if WRONG_KEY in headers.get("Authorization", "") else None
