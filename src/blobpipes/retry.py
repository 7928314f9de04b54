"""Trying again, when that can help: the one place that knows tenacity.

Only what is unavailable is retried: what was refused stays refused. Pauses grow by full jitter, so that a
thousand processes which lost the same store do not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tenacity.nap import sleep as _sleep

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import PlaceUnavailableError, StoreUnavailableError

T = TypeVar("T")
Unavailable: TypeAlias = StoreUnavailableError | PlaceUnavailableError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. Times are seconds."""

    attempts: int = 8  # tries in all, the first included
    deadline: float = 120.0  # no try starts later than this after the first one
    first_delay: float = 0.2  # the first pause is at most this, each next one at most twice as long
    max_delay: float = 10.0  # and never longer than this

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.deadline < 0 or self.first_delay < 0 or self.max_delay < 0:
            raise ValueError(f"{self} needs at least one attempt and no negative time")

    def call(
        self,
        work: Callable[[], T],
        *,
        retried: type[Unavailable] = StoreUnavailableError,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = _sleep,
    ) -> T:
        """What `work` returns, at the latest try.

        Raises:
            StoreUnavailableError, or what `retried` says: every try failed so; says how many and in how many seconds,
                and has the last one's reason. Everything else is raised at once, as it is.
        """
        start = clock.monotonic()

        def is_over(state: RetryCallState) -> bool:
            too_late = clock.monotonic() - start + state.upcoming_sleep > self.deadline
            return state.attempt_number >= self.attempts or too_late

        def give_up(state: RetryCallState) -> T:
            assert state.outcome is not None
            last = state.outcome.exception()
            assert isinstance(last, retried)
            raise _exhausted(last, state.attempt_number, clock.monotonic() - start) from last

        retrying = Retrying(
            sleep=sleep,
            stop=is_over,
            wait=wait_random_exponential(multiplier=self.first_delay, max=self.max_delay),
            retry=retry_if_exception_type(retried),
            retry_error_callback=give_up,
        )
        return retrying(work)


def _exhausted(last: Unavailable, tries: int, seconds: float) -> Unavailable:
    count = "1 try" if tries == 1 else f"{tries} tries"
    text = f"{last.message}; gave up after {count} in {seconds:.1f} s"
    return type(last)(text, reason=last.reason, remedy=last.remedy)
