"""One loop for all places: launch, look until the end, pass on an interruption, judge.

It needs little of a session, so it runs inside any: ours, Dagster's own, or one of the caller's making.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from blobpipes.clients.job import Job, RunPolicy
from blobpipes.clients.place import Cause, Handle, JobSpec, Place
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import JobFailedError, JobStillRunningError, LaunchError, PlaceError, PlaceUnavailableError

Warn = Callable[[str], None]


class LaunchSession(Protocol):
    """What the loop needs of a session."""

    def get_bootstrap_env_vars(self) -> Mapping[str, str]:
        """The variables that the job must be given."""

    def report_launched(self, launched_payload: Any, /) -> None:
        """The job was launched; `extras` in the payload has what the place tells of it."""


@contextmanager
def running(
    place: Place[Handle],
    spec: JobSpec,
    session: LaunchSession,
    *,
    policy: RunPolicy | None = None,
    attach: bool = False,
    warn: Warn | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Job[Handle]]:
    """Launch a job; the block waits for it, for instance by `job.wait()`.

    However the block is left, the job has ended before this returns or raises, or it is said that it has not.

    Args:
        attach: do not launch, but find the job that somebody has launched with the same token. If the place has
            forgotten it, the job counts as ended, and what its session says of it is all there is.
        warn: told what does not fit into an exception that is on its way already.

    Raises:
        LaunchError: it could not be started; nothing runs.
        JobFailedError: it ended with a failure.
        PlaceUnavailableError: the place is out of reach.
        JobStillRunningError: it was to be ended, and may still run.
    """
    policy = policy or RunPolicy()
    warn = warn or logging.getLogger("blobpipes.run").warning
    spec = spec.with_env(session.get_bootstrap_env_vars())
    handle = place.find(spec.token) if attach else _launched(place, spec, policy, warn, clock)
    job = Job(place, handle, policy, clock=clock)
    try:
        job.describe()
        session.report_launched({"extras": dict(job.metadata)})
        yield job
        job.wait()
        job.describe()
    except BaseException as error:
        if policy.forward_termination:
            _end(job, error, warn)
        raise
    finally:
        job.release()
    require_success(job, spec.program)


def require_success(job: Job[Any], program: str) -> None:
    """Raise unless the job ended well, or nobody knows how."""
    end = job.state.end
    if end is None or end.is_success or end.cause is Cause.UNKNOWN:
        return
    if end.cause is Cause.NOT_STARTED:
        raise LaunchError(end.detail or f"{program} was not started", remedy=end.remedy)
    raise JobFailedError(end.detail, exit_code=end.exit_code, cause=end.cause.value, remedy=end.remedy)


def _launched(place: Place[Handle], spec: JobSpec, policy: RunPolicy, warn: Warn, clock: Clock) -> Handle:
    """Launch, as often as it may help. Whatever else comes of it, no job is left behind."""
    try:
        return policy.launch_retry.call(lambda: place.launch(spec), retried=PlaceUnavailableError, clock=clock)
    except BaseException as error:
        if isinstance(error, PlaceUnavailableError) or not isinstance(error, LaunchError):
            _end_unseen(place, spec, policy, error, warn, clock)
        raise


def _end_unseen(
    place: Place[Handle], spec: JobSpec, policy: RunPolicy, error: BaseException, warn: Warn, clock: Clock
) -> None:
    """A launch was interrupted, or its answer did not come: end what it may have begun."""
    try:
        handle = place.find(spec.token)
    except PlaceError as unknown:
        _tell(error, f"a job called {spec.token} may run in {place.name}: {unknown.message}", warn)
        return
    if handle is not None:
        job = Job(place, handle, policy, clock=clock)
        try:
            _end(job, error, warn)
        finally:
            job.release()


def _end(job: Job[Any], error: BaseException, warn: Warn) -> None:
    """End the job because of `error`, which goes on afterwards."""
    try:
        job.end()
    except JobStillRunningError as still:
        if isinstance(error, Exception):
            raise still from error
        _tell(error, str(still), warn)  # a Ctrl-C stays one


def _tell(error: BaseException, text: str, warn: Warn) -> None:
    warn(text)
    if hasattr(error, "add_note"):  # Python 3.11
        error.add_note(f"[pipes] {text}")
