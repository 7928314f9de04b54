"""Which request goes wrong, and how: by scripts, or by chance from a seed.

Chance is drawn for each request by itself, from the seed, the verb, the object's name without its folders and how
often that was asked before. So a seed means the same faults in every session and however threads take turns, and what
failed once may work the next time.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from blobpipes.errors import InvalidOptionError

REQUEST_FAULTS: Final[Mapping[str, str]] = {
    "request lost": "the connection breaks; nothing was done",
    "reply lost": "it was done; then the connection breaks",
    "late": "a timeout; a put or delete is done later, just before one of the next few requests, or never",
    "slow": "works, after `delay` seconds",
    "duplicated": "done twice, as by a library that repeats without telling; the second answer counts",
    "throttled": "503, slow down; nothing was done",
    "conflict": "409; nothing was done",
    "denied": "403; nothing was done",
    "place missing": "there is no such bucket; nothing was done",
    "false exists": "a put is told that something is there; nothing was done",
    "false absent": "a get or list finds nothing, whatever is there",
    "torn": "a get answers the first half",
}
"""What can happen to one request, besides None: it works."""

VERBS: Final = ("put", "get", "list", "delete")

_ONLY: Final = {"late": ("put", "delete"), "false exists": ("put",), "false absent": ("get", "list"), "torn": ("get",)}
_PASSING: Final = ("request lost", "reply lost", "late", "slow", "duplicated", "throttled", "conflict")
_OUTAGE: Final = "request lost"


class Faults:
    """A plan of what goes wrong, and a record of what did. Safe for threads.

    `struck` counts the faults that happened, as {"put: reply lost": 3}: a test without any has tested nothing.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        rates: Mapping[str, float] | None = None,
        outage: tuple[int, int] | None = None,
        puts: Iterable[str | None] = (),
        gets: Iterable[str | None] = (),
        lists: Iterable[str | None] = (),
        deletes: Iterable[str | None] = (),
        delay: float = 1.0,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        """A request takes the next entry of its verb's script; when that is used up, chance decides by `rates`.

        Args:
            seed: of all chance.
            rates: how often each fault happens, from 0 to 1, as {"reply lost": 0.1}. "any" shares its rate among all
                that pass by themselves and do not lie.
            outage: the requests from the one number to the other (the first is 1) are all lost.
            delay: seconds that "slow" takes.
            log: a file to which each fault is appended as a line; several processes may share it.

        Raises:
            InvalidOptionError: no such fault, or rates that are none.
        """
        self.struck: Counter[str] = Counter()
        self.delay = delay
        self._seed = seed
        self._rates = _checked_rates(rates or {})
        self._outage = outage or (0, -1)
        self._scripts = {verb: iter(script) for verb, script in zip(VERBS, (puts, gets, lists, deletes), strict=True)}
        self._log = Path(log) if log is not None else None
        self._asked: Counter[tuple[str, str]] = Counter()
        self._total = 0
        self._lock = threading.Lock()

    @classmethod
    def parse(cls, text: str) -> Faults:
        """From a URL's `seed=7,reply-lost=0.1,any=0.2,outage=5-12,delay=0.5,log=%2Ftmp%2Ffaults`.

        Raises:
            InvalidOptionError: says which part cannot be understood, and what can.
        """
        options: dict[str, object] = {}
        rates: dict[str, float] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            try:
                _parse_option(name.strip(), unquote(value.strip()), options, rates)
            except ValueError:
                raise InvalidOptionError(
                    f"{part!r} is no fault", remedy="Write name=value,name=value with " + ", ".join(_known_options())
                ) from None
        return cls(rates=rates, **options)  # type: ignore[arg-type]

    def next(self, verb: str, path: str) -> str | None:
        """What happens to this request.

        Raises:
            InvalidOptionError: a script names no fault, or one that this verb cannot have.
        """
        with self._lock:
            self._total += 1
            fault = self._draw(verb, "" if verb == "list" else path.rpartition("/")[2])
            if fault is not None:
                self.struck[f"{verb}: {fault}"] += 1
        if fault is not None:
            _check_fault(fault, verb)
            self.note(f"{verb} {path}: {fault}")
        return fault

    def patience(self, path: str) -> int:
        """How many requests later a late one is done."""
        return random.Random(f"{self._seed} late {path.rpartition('/')[2]}").randint(1, 4)

    def note(self, text: str) -> None:
        """A line for `log`."""
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:  # one short write: lines of processes do not mix
                file.write(text + "\n")

    def _draw(self, verb: str, name: str) -> str | None:
        self._asked[verb, name] += 1
        if self._outage[0] <= self._total <= self._outage[1]:
            return _OUTAGE
        for fault in self._scripts[verb]:
            return fault
        point = random.Random(f"{self._seed} {verb} {name} {self._asked[verb, name]}").random()
        for fault, rate in self._of(verb):
            point -= rate
            if point < 0:
                return fault
        return None

    def _of(self, verb: str) -> Iterator[tuple[str, float]]:
        for fault, rate in self._rates.items():
            if fault == "any":
                passing = [each for each in _PASSING if _can_happen(each, verb)]
                yield from ((each, rate / len(passing)) for each in passing)
            elif _can_happen(fault, verb):
                yield fault, rate


def _parse_option(name: str, value: str, options: dict[str, object], rates: dict[str, float]) -> None:
    fault = name.replace("-", " ").replace("_", " ")
    if fault in REQUEST_FAULTS or fault == "any":
        rates[fault] = float(value)
    elif name == "seed":
        options["seed"] = int(value)
    elif name == "delay":
        options["delay"] = float(value)
    elif name == "outage":
        first, _, last = value.partition("-")
        options["outage"] = (int(first), int(last))
    elif name == "log" and value:
        options["log"] = value
    else:
        raise ValueError(name)


def _known_options() -> list[str]:
    return ["seed", "outage", "delay", "log", "any", *(fault.replace(" ", "-") for fault in REQUEST_FAULTS)]


def _checked_rates(rates: Mapping[str, float]) -> dict[str, float]:
    for fault, rate in rates.items():
        if fault != "any":
            _check_fault(fault)
        if not 0 <= rate <= 1:
            raise InvalidOptionError(f"the rate of {fault!r} is {rate}", remedy="Give a number from 0 to 1.")
    return dict(rates)


def _check_fault(fault: str, verb: str | None = None) -> None:
    if fault not in REQUEST_FAULTS:
        known = ", ".join(REQUEST_FAULTS)
        raise InvalidOptionError(f"unknown fault {fault!r}", remedy=f"Choose among: {known}.")
    if verb is not None and not _can_happen(fault, verb):
        raise InvalidOptionError(f"{fault!r} cannot happen to a {verb}", remedy=f"Use it for: {_ONLY[fault]}.")


def _can_happen(fault: str, verb: str) -> bool:
    return verb in _ONLY.get(fault, VERBS)
