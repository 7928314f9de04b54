"""A core as an automaton: its states by number, each step computed once, on a copy.

A core decides by its fields, the event and the time alone. Here the time always reads 0 (see `pieces.py`),
so two cores with equal fields behave alike for ever. `freeze` makes that equality hashable; a search over
millions of states of the whole system then needs only some thousand steps of the real cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any, Final, Generic, TypeVar

Core = TypeVar("Core")
Event = tuple[Any, ...]

# Fields that can only decide *when* something is asked, or how often it was. Anything due is possible here.
TIMES: Final = frozenset({"_due", "_not_before", "_failures", "_tries", "_since", "_urgent"})
# Fields that never change.
CONSTANTS: Final = frozenset({"_pacing", "_options", "_settings"})

_PLAIN: Final = frozenset({int, float, str, bytes, bool, frozenset, type(None)})


def freeze(value: Any) -> Hashable:
    """What `value` is, for comparison: equal results behave equally."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind in (list, deque):
        return tuple([freeze(each) for each in value])
    if kind is dict:
        return tuple([(key, freeze(value[key])) for key in sorted(value)])
    if kind is set:
        return frozenset(value)
    if _is_value(kind):
        return value  # type: ignore[no-any-return]
    if hasattr(value, "__dict__"):
        return (kind.__name__, *[freeze(each) for name, each in vars(value).items() if name not in _IGNORED])
    names, is_frozen = _slots(kind)
    known = _frozen.get(id(value))
    if known is None:
        known = value, (kind.__name__, *[freeze(getattr(value, name)) for name in names if name not in _IGNORED])
        if is_frozen:
            _frozen[id(value)] = known
    return known[1]


_frozen: dict[int, tuple[Any, Hashable]] = {}  # what was computed for objects that never change; keeps them alive


def clone(value: Any) -> Any:
    """A copy that shares nothing that ever changes."""
    kind: Any = type(value)
    if kind in _PLAIN or _is_value(kind):
        return value
    if kind in (list, deque, set):
        return kind(value)  # of values that never change
    if kind is dict:
        return dict(value)
    names, is_frozen = ((), False) if hasattr(value, "__dict__") else _slots(kind)
    if is_frozen:
        return value
    copy = object.__new__(kind)
    for name in names or vars(value):
        each = getattr(value, name)
        object.__setattr__(copy, name, each if type(each) in _PLAIN or name in CONSTANTS else clone(each))
    return copy


_IGNORED: Final = TIMES | CONSTANTS


@cache
def _slots(kind: Any) -> tuple[tuple[str, ...], bool]:
    """The attributes of objects of this kind, and whether they never change."""
    return tuple(each.name for each in fields(kind)), kind.__dataclass_params__.frozen


@cache
def _is_value(kind: Any) -> bool:
    return issubclass(kind, (Enum, tuple))


class Automaton(Generic[Core]):
    """All states of one kind of core that were reached so far."""

    def __init__(self, apply: Callable[[Core, Event], Any]) -> None:
        self._apply = apply
        self._cores: list[Core] = []
        self._numbers: dict[Hashable, int] = {}
        self._steps: dict[tuple[int, Event], tuple[int, Any]] = {}

    def add(self, core: Core) -> int:
        """The number of this core's state. The core belongs to the automaton from here on."""
        key = freeze(core)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._cores)
            self._cores.append(core)
        return number

    def step(self, number: int, event: Event) -> tuple[int, Any]:
        """The state after `event` in state `number`, and what the core answered."""
        found = self._steps.get((number, event))
        if found is None:
            core = clone(self._cores[number])
            output = self._apply(core, event)
            found = self._steps[(number, event)] = (self.add(core), output)
        return found

    def __getitem__(self, number: int) -> Core:
        """The core in state `number`, to look at."""
        return self._cores[number]

    def __len__(self) -> int:
        return len(self._cores)
