"""What AWS Batch says of a job, as the state of a job in a place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from blobpipes.clients.endings import process_end
from blobpipes.clients.place import Cause, JobEnd, JobState

REASON: Final = "blobpipes: "  # what a job that we ended has as its reason begins so

_WAITING: Final = frozenset({"SUBMITTED", "PENDING", "RUNNABLE", "STARTING"})
# Words of the service, in its reasons; the first that fits.
_CAUSES: Final[tuple[tuple[str, Cause, str | None], ...]] = (
    ("OutOfMemory", Cause.OUT_OF_MEMORY, "Give the job more memory: memory_mib=."),
    ("timeout", Cause.TIME_LIMIT, "Give the job more time: timeout=."),
    ("exceeded the configured attemptDuration", Cause.TIME_LIMIT, "Give the job more time: timeout=."),
    ("Host EC2", Cause.PREEMPTED, "The machine was taken away: allow more attempts, or use a queue on demand."),
    ("CannotPullContainer", Cause.NOT_STARTED, "Check the job definition's image, and that the machine may pull it."),
    ("CannotStartContainer", Cause.NOT_STARTED, "Check the command: the image must have that program."),
    ("CannotCreateContainer", Cause.NOT_STARTED, "Check the job definition."),
    ("Task failed to start", Cause.NOT_STARTED, "Look at the job in the console: the machine may lack a role."),
    ("ResourceInitializationError", Cause.NOT_STARTED, "Check secrets and log settings of the job definition."),
)


def state_of(job: Mapping[str, Any], program: str) -> JobState:
    """Of one job, as DescribeJobs has it; of an array's parent, a failed child's end is asked for apart."""
    status, why = str(job.get("status", "")), str(job.get("statusReason") or "")
    if status in _WAITING:
        return JobState("waiting", f"{status} ({why})" if why else status)
    if status not in ("SUCCEEDED", "FAILED"):
        return JobState("running", status)
    container = job.get("container") or {}
    code = container.get("exitCode")
    if status == "SUCCEEDED":
        return JobState.ended(JobEnd(Cause.EXITED, f"{program} has ended", 0))
    return JobState.ended(_failure(program, code, why, str(container.get("reason") or "")))


def _failure(program: str, code: int | None, why: str, reason: str) -> JobEnd:
    said = ". ".join(part.rstrip(".") for part in dict.fromkeys((reason, why)) if part)
    if why.startswith(REASON):
        return JobEnd(Cause.CANCELLED, f"the job was ended: {why.removeprefix(REASON)}", code)
    for words, cause, remedy in _CAUSES:
        if words in said:
            return JobEnd(cause, f"AWS Batch says: {said}", code, remedy)
    if code is not None and code != 0:
        end = process_end(program, code)
        killed = code > 128  # the container's shell's word for a signal
        return JobEnd(Cause.KILLED if killed else Cause.EXITED, end.detail, code, end.remedy)
    return JobEnd(Cause.KILLED, f"AWS Batch says: {said or 'the job failed'}", code)
