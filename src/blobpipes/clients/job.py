"""One job in a place, as its launcher sees it: looked at when that is due, waited for, ended step by step."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic

from blobpipes.clients.pace import Pace, firmness
from blobpipes.clients.place import WAITING, Cause, Handle, JobEnd, JobState, Place, Urgency
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import JobStillRunningError, LaunchError, PlaceError, PlaceUnavailableError
from blobpipes.retry import RetryPolicy

_FORGOTTEN: Final = JobState.ended(JobEnd(Cause.UNKNOWN, "the place knows nothing of the job"))
_LAUNCH_RETRY: Final = RetryPolicy(attempts=5, deadline=120.0, first_delay=1.0, max_delay=20.0)


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """How patient a run is. Times are seconds."""

    forward_termination: bool = True  # end the job if this process is interrupted; else it is left to run
    termination_timeout: float = 20.0  # from the first word to the kill
    kill_timeout: float = 60.0  # from the kill until the place must say that the job is gone
    patience: float = 600.0  # for which a place may be out of reach while the job runs
    boot_timeout: float | None = None  # within which something must be heard of the job; None: it may take any time
    launch_retry: RetryPolicy = _LAUNCH_RETRY  # while the place is out of reach


class Job(Generic[Handle]):
    """One thread owns it; `nudge` may be called by any."""

    def __init__(
        self, place: Place[Handle], handle: Handle | None, policy: RunPolicy, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.place = place
        self.state = WAITING if handle is not None else _FORGOTTEN  # as of the last look
        self.metadata: Mapping[str, Any] = {}  # what the place tells of it
        self._handle = handle
        self._policy = policy
        self._clock = clock
        self._pace = Pace(place.first_interval, place.interval)
        self._nudged = threading.Event()
        self._lost_at: float | None = None  # since when the place is out of reach
        self._launched_at = clock.monotonic()
        self._is_heard_of: bool | None = None  # None: nobody listens

    def is_running(self) -> bool:
        """Whether it has not ended yet. Looks only if a look is due, so it may be asked at any rate.

        Raises:
            PlaceUnavailableError: the place has been out of reach for longer than the policy's patience.
            PlaceError: the place refuses to tell.
        """
        if self._nudged.is_set():
            self._nudged.clear()
            self._pace.hurry()
        if not self._has_ended and self._pace.is_due(self._clock.monotonic()):
            self._look()
            self._require_word()
        return not self._has_ended

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, or for `timeout` seconds. Whether it has ended. Raises as `is_running` does."""
        deadline = math.inf if timeout is None else self._clock.monotonic() + timeout
        while self.is_running():
            now, until = self._clock.monotonic(), min(deadline, self._pace.due)
            if now >= deadline:
                return False
            assert self._handle is not None  # or it would have ended
            self.place.wait(self._handle, None if math.isinf(until) else max(0.0, until - now), self._nudged)
        return True

    def listen(self) -> None:
        """From now on `heard` is called with each message, so silence means something."""
        self._is_heard_of = bool(self._is_heard_of)

    def heard(self) -> None:
        """A message of it has come: its machine is up. From any thread."""
        self._is_heard_of = True

    def nudge(self) -> None:
        """Something was heard of the job: look at once. From any thread."""
        self._nudged.set()

    def end(self) -> None:
        """Tell it to end, more and more firmly. Returns when it has.

        Raises:
            JobStillRunningError: it is not known that it has.
        """
        steps = firmness(self._policy.termination_timeout, self._policy.kill_timeout)
        trouble: PlaceError | None = None
        try:
            for urgency, seconds in steps:
                trouble = self._tell_to_end(urgency, seconds)
                if self._has_ended:
                    return
        except BaseException:  # somebody does not want to wait for the gentle ways
            self._tell_to_end(Urgency.KILL, self._policy.kill_timeout)
            raise
        why = f": {trouble.message}" if trouble is not None else ", though it was killed"
        raise JobStillRunningError(
            f"the job may still run in {self.place.name}{self._shown()}{why}",
            remedy=trouble.remedy if trouble is not None else None,
        )

    def describe(self) -> None:
        """Ask the place what it tells of the job; if it does not answer, what it told before stays."""
        if self._handle is not None:
            with suppress(PlaceError):
                self.metadata = dict(self.place.describe(self._handle))

    def release(self) -> None:
        """Let go of what the place holds for it."""
        if self._handle is not None:
            self.place.release(self._handle)

    # --- inside ---------------------------------------------------------------------------------------

    @property
    def _has_ended(self) -> bool:
        return self.state.phase == "ended"

    def _look(self) -> None:
        assert self._handle is not None
        now = self._clock.monotonic()
        try:
            state = self.place.poll(self._handle)
        except PlaceUnavailableError as error:
            self._bear(error, now)
            state = self.state
        else:
            self._lost_at = None
        self._pace.looked(self._clock.monotonic(), changed=state != self.state)
        self.state = state

    def _require_word(self) -> None:
        """A machine that never comes up must not be waited for as long as a job that works.

        Raises:
            LaunchError: no message came within the policy's time; says what the place knows of the reason.
        """
        limit = self._policy.boot_timeout
        if limit is None or self._is_heard_of is not False or self._has_ended or self._handle is None:
            return
        if self._clock.monotonic() - self._launched_at <= limit:
            return
        said = ""
        with suppress(PlaceError):
            said = self.place.explain(self._handle)
        detail = f"; it is {self.state.detail}" if self.state.detail else ""
        shown = f"\nthe machine's console ends with:\n{said}" if said else ""
        raise LaunchError(
            f"no message of the job came within {limit:g} s of its launch{detail}{shown}",
            remedy="Check that the machine may read and write under the storage URL, or allow more time: boot_timeout.",
        )

    def _bear(self, error: PlaceUnavailableError, now: float) -> None:
        """The place is out of reach, which says nothing about the job."""
        self._lost_at = now if self._lost_at is None else self._lost_at
        if now - self._lost_at > self._policy.patience:
            raise PlaceUnavailableError(
                f"{self.place.name} has been out of reach for {now - self._lost_at:.0f} s: {error.message}",
                reason=error.reason,
                remedy=error.remedy,
            ) from error

    def _tell_to_end(self, urgency: Urgency, seconds: float) -> PlaceError | None:
        """Tell it once, and wait so many seconds for that. What went wrong, if something did."""
        deadline = self._clock.monotonic() + seconds
        while not self._has_ended and self._handle is not None:
            left = deadline - self._clock.monotonic()
            try:
                self.place.terminate(self._handle, urgency)
                self._pace.hurry()
                self.wait(left)
                break
            except PlaceUnavailableError as error:
                if left <= 0:
                    return error
                self._nudged.clear()
                self.place.wait(self._handle, min(left, self.place.first_interval), self._nudged)
            except PlaceError as error:
                return error
        return None

    def _shown(self) -> str:
        """Its metadata, for whoever has to find it."""
        known = ", ".join(f"{name} {value}" for name, value in self.metadata.items())
        return f" ({known})" if known else ""
