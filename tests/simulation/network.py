"""The store between the processes, and the weather on the way to it.

A request is on its way by itself: whether it takes effect, and when, no longer depends on who sent it. So a put of
a process that was killed, or has given it up, may land later. The store is strongly consistent, as S3, Google Cloud
Storage, Azure and local disks are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from blobpipes.errors import StoreDeniedError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.storage.store import ObjectInfo
from tests.simulation.kernel import Simulation

T = TypeVar("T")
Reach = Callable[[str], None]

LATENCIES: Final = (0.0, 0.01, 0.05, 0.2)  # seconds
SLOW: Final = (3.0, 40.0, 170.0)
LATE: Final = (0.5, 20.0, 300.0)  # seconds after its sender was told that there is no answer
CALM_AFTER: Final = 1500.0  # seconds, from which on nothing fails any more

FAULTS: Final = ("request lost", "reply lost", "late", "false exists", "denied", "place missing", "slow", "bug")
REFUSALS: Final = ("denied", "place missing")


@dataclass(frozen=True)
class Spell:
    """A time in which every request of one side, or of one verb of it, ends the same way."""

    begins: float
    ends: float
    side: str  # "job", "reader"
    verbs: frozenset[str]
    fault: str


@dataclass
class Weather:
    """What goes wrong, as the seed decides. Times are seconds from the start."""

    chance: random.Random
    flaky: float = 0.0  # how many of the requests go wrong
    spells: list[Spell] = field(default_factory=list)

    @classmethod
    def drawn(cls, chance: random.Random) -> Weather:
        weather = cls(chance, flaky=chance.choice((0.0, 0.0, 0.1, 0.4)))
        if not weather.flaky and chance.random() < 0.2:
            weather.spells.append(Spell(0.0, CALM_AFTER, "job", frozenset({"get", "list"}), "denied"))
            return weather
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            weather.spells.append(_spell(chance))
        return weather

    @property
    def is_calm(self) -> bool:
        return not self.flaky and not self.spells

    def fault(self, verb: str, side: str, now: float) -> str | None:
        """How a request that is sent now goes wrong."""
        for spell in self.spells:
            if spell.begins <= now < spell.ends and side == spell.side and verb in spell.verbs:
                return spell.fault
        if now >= CALM_AFTER or self.chance.random() >= self.flaky:
            return None
        fault = self.chance.choice(FAULTS)
        may_not_be = fault in REFUSALS and side == "job" and verb != "put"  # see `_spell`
        may_not_be = may_not_be or (fault == "bug" and self.chance.random() < 0.9)
        return "request lost" if may_not_be or (fault == "false exists" and verb != "put") else fault


def _spell(chance: random.Random) -> Spell:
    """A bad time of one side. A job that may write but not read is refused *only* reading, and loses no answer:
    with an answer lost as well it cannot know what is its own, and what it does then is documented, no fault."""
    begins, side = chance.choice((0.0, 1.0, 30.0)), chance.choice(("job", "reader"))
    fault = chance.choice(("request lost", "denied", "place missing", "slow"))
    verbs = ("put", "get", "list")
    if side == "reader" or fault not in REFUSALS:
        verbs = chance.choice((("put",), ("get",), ("list",), ("get", "list"), verbs, verbs, verbs))
    return Spell(begins, begins + chance.choice((5.0, 60.0, 300.0, 1300.0)), side, frozenset(verbs), fault)


class StoreBugError(Exception):
    """What no store should raise, and one may."""


class Bucket:
    """The objects of one log, and when each was stored."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.stored_at: dict[str, float] = {}
        self.looks: list[float] = []  # when a reader asked for a chunk


class Answer(Generic[T]):
    """What comes back from the store, in time."""

    def __init__(self) -> None:
        self.has_come = False
        self.value: T | None = None
        self.error: Exception | None = None

    def come(self) -> None:
        self.has_come = True

    def get(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class SimulatedStore:
    """One process' way to a bucket. A `Store`."""

    def __init__(self, simulation: Simulation, bucket: Bucket, weather: Weather, side: str, reach: Reach) -> None:
        self._simulation = simulation
        self._bucket = bucket
        self._weather = weather
        self._side = side
        self._reach = reach
        self._answers_inline = simulation.chance.random() < 0.3  # as the local disk does
        self._expected: list[tuple[Answer[bytes | None], Future[bytes | None]]] = []
        self._listens = False

    @property
    def url(self) -> str:
        return "sim://bucket"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        def put() -> bool:
            if key in self._bucket.objects:
                return False
            self._bucket.objects[key] = data
            self._bucket.stored_at[key] = self._simulation.now
            return True

        return self._wait_for(self._send("put", key, put, otherwise=False))

    def put(self, key: str, data: bytes) -> None:
        raise AssertionError("neither a writer nor a reader overwrites")

    def delete(self, key: str) -> None:
        raise AssertionError("neither a writer nor a reader deletes")

    def get(self, key: str) -> bytes | None:
        return self._wait_for(self._send("get", key, lambda: self._bucket.objects.get(key)))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        def look() -> Sequence[ObjectInfo]:
            return [ObjectInfo(key, len(data)) for key, data in sorted(self._bucket.objects.items())]

        return self._wait_for(self._send("list", prefix, look))

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        answer = self._send("get", key, lambda: self._bucket.objects.get(key))
        self._bucket.looks.append(self._simulation.now)
        if self._answers_inline:
            self._simulation.wait(lambda: answer.has_come)
            _settle(future, answer)
            return future
        self._expected.append((answer, future))
        if not self._listens:
            self._listens = True
            self._simulation.start("store", self._simulation.current.process, self._listen)
        return future

    # --- the way -----------------------------------------------------------------------------------

    def _send(self, verb: str, key: str, work: Callable[[], T], *, otherwise: T | None = None) -> Answer[T]:
        """Put a request on its way: when it takes effect and when its answer comes, if ever, is settled here."""
        simulation = self._simulation
        simulation.switch()
        now, chance, answer = simulation.now, simulation.chance, Answer[T]()
        fault = self._weather.fault(verb, self._side, now - 1000)
        if fault is not None:
            self._reach(f"fault: {fault}")
        effect = now + chance.choice(SLOW if fault == "slow" else LATENCIES)
        reply = effect + chance.choice(LATENCIES)
        where = f"cannot {verb} {key}"
        if fault in ("request lost", "reply lost", "late"):
            answer.error = StoreUnavailableError(f"{where}: no answer", reason=fault)
        elif fault == "denied":
            answer.error = StoreDeniedError(f"{where}: denied", reason="denied")
        elif fault == "place missing":
            answer.error = StorePlaceMissingError(f"{where}: no such bucket", reason="NoSuchBucket")
        elif fault == "bug":
            answer.error = StoreBugError(where)
        answer.value = otherwise

        def take_effect() -> None:
            if fault in ("request lost", "denied", "place missing", "false exists", "bug"):
                return
            result = work()
            if verb == "put":
                simulation.say(f"the store: {key} " + ("is stored" if result else "stands already"))
            if fault == "late":
                self._reach("store: a late put is stored" if result else "store: a late put is too late")
            answer.value = result

        simulation.say(f"{verb} {key}" + (f": {fault}" if fault else ""))
        late = chance.choice(LATE) if fault == "late" and verb == "put" else 0.0
        simulation.at(effect + late, take_effect)
        simulation.at(reply, answer.come)
        return answer

    def _wait_for(self, answer: Answer[T]) -> T:
        self._simulation.wait(lambda: answer.has_come)
        self._simulation.switch()
        return answer.get()

    def _listen(self) -> None:
        """Hand over the answers as they come, in a thread that belongs to the process."""
        while True:
            self._simulation.wait(lambda: any(answer.has_come for answer, _ in self._expected))
            come = [pair for pair in self._expected if pair[0].has_come]
            pair = self._simulation.chance.choice(come)
            self._expected.remove(pair)
            _settle(pair[1], pair[0])


def _settle(future: Future[T], answer: Answer[T]) -> None:
    if answer.error is not None:
        future.set_exception(answer.error)
    else:
        future.set_result(answer.get())
