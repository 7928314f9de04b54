"""Finding the job again that an earlier try of the same step has launched, instead of launching a second one.

From Dagster 1.13 on a launch can be written into the event log as a handle, which a retry of the step finds, also in
the run that a failed run is executed again as. The handle names our session; whether its job lives is asked of the
place. With an older Dagster, or a place that cannot find jobs, every try launches anew.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from blobpipes.clients.place import Cause, JobSpec, Place, token_of
from blobpipes.dagster.official import Context, op_context

_PROCESS: Final = secrets.token_hex(8)  # tells this process' launches from an earlier one's
_DIGITS: Final = 16  # hexadecimal

_counts: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()  # launches so far, by step and client
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Launch:
    """What a handle says of a job, besides its name in the place."""

    session: str
    url: str  # of the session, without secrets
    fingerprint: str  # of what was launched, so that another job is never taken for it
    attempt: str  # which try of the step launched it


class Launches:
    """The launches of one client in one try of a step: the first, the second, ... each find their own counterpart.

    A step that launches several jobs at once has no first and second: it names them by `launch_key`.
    """

    def __init__(self, context: Context, client_name: str, launch_key: str | None) -> None:
        self._context = op_context(context)
        step = self._context.get_step_execution_context()
        self._attempt = f"{_PROCESS}-{id(step):x}-{self._context.retry_number}"
        self._name = f"{client_name}:{launch_key or _next_number(step, client_name)}"

    def still_running(self, place: Place[Any], spec: JobSpec, base: str) -> tuple[Launch, Any] | None:
        """The earlier try's job and its handle, if it runs or has succeeded; None if one is to be launched.

        Args:
            base: the URL under which sessions live, without secrets.
        """
        handle = _official().find_latest_launch_handle(self._context, client_name=self._name)
        launch = _parse(handle.extras) if handle is not None else None
        if launch is None or launch.attempt == self._attempt or launch.fingerprint != fingerprint(spec):
            return None
        if launch.url != f"{base.rstrip('/')}/{launch.session}":
            return None
        job = place.find(token_of(launch.session, launch.url))
        if job is None:
            return None
        end = place.poll(job).end
        if end is not None and not (end.is_success or end.cause is Cause.UNKNOWN):
            return None  # it has failed: that is what the retry is for
        return launch, handle

    def record(self, spec: JobSpec, session: str, url: str, metadata: Mapping[str, Any]) -> None:
        """A job was launched."""
        console = next((value for value in metadata.values() if str(value).startswith("https://")), None)
        _official().record_external_launch(
            self._context,
            client_name=self._name,
            external_run_id=spec.token,
            external_run_url=console,
            extras=asdict(Launch(session, url, fingerprint(spec), self._attempt)),
        )

    def record_again(self, handle: Any) -> None:
        """The job of an earlier try was found."""
        _official().record_external_reattach(self._context, handle)


def can_reattach(place: Place[Any]) -> bool:
    """Whether this Dagster keeps handles and this place finds jobs."""
    return type(place).find is not Place.find and _official() is not None


def fingerprint(spec: JobSpec) -> str:
    """The same for the same program and arguments; tells nothing else."""
    return hashlib.sha256(json.dumps([spec.command, spec.cwd, spec.tasks]).encode()).hexdigest()[:_DIGITS]


def _next_number(step: Any, client_name: str) -> int:
    with _lock:
        counts = _counts.setdefault(step, {})
        counts[client_name] = counts.get(client_name, 0) + 1
        return counts[client_name]


def _parse(extras: Mapping[str, Any]) -> Launch | None:
    try:
        return Launch(**extras)
    except TypeError:  # written by another version
        return None


def _official() -> Any:
    """Dagster's module of launch handles; None before 1.13."""
    try:
        from dagster._core.pipes import reattach
    except ImportError:
        return None
    return reattach
