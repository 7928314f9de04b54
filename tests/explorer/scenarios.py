"""A1 to A12, as the protocol lists them, and B1 to B5: what must hold.

`QUICK` are the bounds of every day, `SMALL` those of the unit tests, `DEEP` those of a night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tests.explorer.state import Faults, Scenario

QUICK: Final[Sequence[Scenario]] = (
    Scenario(
        "A1", "one process, lost and late answers, one false 'exists', closing at any point",
        Faults(requests=1, replies=1, late=1, exists=1, timeouts=1, answers=2),
        closes_early=True, may_fail=True, stale=True,
    ),
    Scenario(
        "A2", "SIGKILL anywhere, restart with the same parameters, no spool",
        Faults(replies=1, late=1, kills=1, answers=1), processes=2, starts="restart", may_fail=True,
    ),
    Scenario(
        "A3", "SIGKILL twice, three processes, spool replayed",
        Faults(late=1, kills=2), processes=3, starts="restart", says=0, spool="unstored",
    ),
    Scenario(
        "A4", "spool replay against late requests of the dead process, one message per chunk",
        Faults(replies=1, late=2, kills=1), processes=2, starts="restart", spool="all", per_chunk=1,
    ),
    Scenario(
        "A5", "zombie: the first process still writes while a second starts",
        Faults(requests=1, replies=1, late=1, answers=1), processes=2, starts="zombie",
    ),
    Scenario(
        "A6", "zombie, and SIGKILL of either",
        Faults(late=1, kills=1), processes=2, starts="zombie",
    ),
    Scenario(
        "A7", "three processes start at once",
        processes=3, starts="together", says=0,
    ),
    Scenario(
        "A8", "the reader crashes twice, a new handler each time; chunks arrive in waves, in any order",
        Faults(late=1, crashes=2), says=2, in_waves=True,
    ),
    Scenario(
        "A9", "the reader crashes twice between any two messages, one sink that keeps their ids",
        Faults(late=1, crashes=2), says=2, sink="ids",
    ),
    Scenario(
        "A10", "clean-up leaves a tombstone, and the writer looks before `close` returns",
        Faults(replies=1, late=1, answers=1), processes=2, starts="zombie", says=0, cleaning="tombstone",
    ),
    Scenario(
        "A11", "the platform says gone while a process lives",
        Faults(replies=1, late=1, lies=1, answers=1), processes=2, starts="restart", may_fail=True,
    ),
    Scenario(
        "A12", "an official reader, which drops no duplicates: restart, spool replayed",
        Faults(replies=1, late=1, kills=1), processes=2, starts="restart", says=2, spool="all", official=True,
    ),
    Scenario(
        "B1", "a restart is announced, so a failure does not end the session",
        Faults(late=1, kills=1), processes=2, starts="restart", may_fail=True, restarts=1,
    ),
    Scenario(
        "B2", "official bytes read by our reader: restart, spool replayed, lost answers",
        Faults(requests=1, replies=1, kills=1, answers=1), processes=2, starts="restart", spool="unstored",
        compatible=True,
    ),
    Scenario(
        "B3", "clean-up while a restarted process replays its spool",
        Faults(replies=1, kills=1), processes=2, starts="restart", spool="all", cleaning="tombstone",
    ),
    Scenario(
        "B4", "the store refuses two requests though the credentials are good: clean-up, zombie",
        Faults(refusals=2), processes=2, starts="zombie", says=0, cleaning="tombstone",
    ),
    Scenario(
        "B5", "the store refuses two requests though the credentials are good: SIGKILL, failure, restart",
        Faults(late=1, kills=1, refusals=2), processes=2, starts="restart", says=0, may_fail=True,
    ),
)  # fmt: skip

_SMALLER: Final[Mapping[str, Mapping[str, Any]]] = {
    "A1": {"faults": Faults(requests=1, replies=1, late=1, exists=1, timeouts=1, answers=1), "stale": False},
    "A2": {"faults": Faults(late=1, kills=1), "may_fail": False},
    "A3": {"faults": Faults(kills=2)},
    "A4": {"faults": Faults(late=1, kills=1)},
    "A5": {"faults": Faults(replies=1, late=1, answers=1), "says": 0},
    "A6": {"faults": Faults(late=1, kills=1), "says": 0},
    "A8": {"faults": Faults(crashes=1), "says": 1},
    "A9": {"faults": Faults(crashes=2)},
    "A10": {"faults": Faults(replies=1)},
    "A11": {"faults": Faults(replies=1, lies=1), "says": 0},
    "A12": {"faults": Faults(late=1, kills=1), "says": 1},
    "B1": {"faults": Faults(late=1), "says": 0},
    "B2": {"faults": Faults(replies=1, kills=1), "says": 0},
    "B3": {"faults": Faults(kills=1)},
    "B5": {"faults": Faults(kills=1, refusals=2)},
}

_DEEPER: Final[Mapping[str, Mapping[str, Any]]] = {
    "A1": {"faults": Faults(requests=2, replies=2, late=3, exists=1, timeouts=1, answers=4), "says": 2, "stale": False},
    "A2": {"faults": Faults(requests=1, replies=1, late=2, kills=2, answers=2), "processes": 3},
    "A3": {"says": 1, "faults": Faults(replies=1, late=1, kills=2, answers=1)},
    "A4": {"faults": Faults(requests=1, replies=1, late=3, kills=2, answers=3), "processes": 3},
    "A5": {"faults": Faults(requests=1, replies=1, late=2, exists=1, answers=2), "says": 2},
    "A6": {"faults": Faults(late=2, kills=2), "says": 2},
    "A7": {"says": 1},
    "A8": {"faults": Faults(requests=1, replies=1, late=2, crashes=2), "may_fail": True},
    "A9": {"faults": Faults(requests=1, replies=1, late=2, crashes=2), "may_fail": True},
    "A10": {"says": 1},
    "A11": {"faults": Faults(requests=1, replies=1, late=2, lies=2, answers=2), "says": 2},
    "A12": {"faults": Faults(replies=1, late=2, kills=2), "processes": 3, "per_chunk": 2},
    "B1": {"faults": Faults(replies=1, late=2, kills=2, answers=2), "processes": 3},
    "B2": {"faults": Faults(requests=2, replies=2, kills=2, answers=2), "processes": 3},
    "B3": {"faults": Faults(replies=1, late=1, kills=2, answers=1), "processes": 3},
    "B4": {"faults": Faults(replies=1, late=1, refusals=2, answers=2), "says": 1},
    "B5": {"faults": Faults(replies=1, late=1, kills=1, refusals=2, answers=3), "says": 1},
}

SMALL: Final[Sequence[Scenario]] = tuple(replace(each, **_SMALLER.get(each.name, {})) for each in QUICK)
DEEP: Final[Sequence[Scenario]] = tuple(replace(each, **_DEEPER[each.name]) for each in QUICK)
