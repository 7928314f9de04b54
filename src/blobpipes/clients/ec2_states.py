"""What EC2 says of a machine, as the state of the job that it was launched for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from blobpipes.clients.place import Cause, JobEnd, JobState

# The beginnings of state reason codes. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_CAUSES: Final[tuple[tuple[str, Cause, str | None], ...]] = (
    ("Server.Spot", Cause.PREEMPTED, "Allow more attempts, several instance types, or a machine on demand."),
    ("Server.InsufficientInstanceCapacity", Cause.NOT_STARTED, "Try another type or zone, or on demand."),
    ("Server.InternalError", Cause.MACHINE_LOST, "Try again; AWS had a fault."),
    ("Server.ScheduledStop", Cause.MACHINE_LOST, "AWS retired the machine's hardware: try again."),
    ("Client.VolumeLimitExceeded", Cause.NOT_STARTED, "Ask AWS for more room for disks, or remove unused ones."),
    ("Client.InternalError", Cause.NOT_STARTED, "Often the key that encrypts the disk may not be used: check it."),
    ("Client.InvalidSnapshot", Cause.NOT_STARTED, "The image's snapshot is gone: use another image."),
)


def state_of(machine: Mapping[str, Any], *, told: bool) -> JobState:
    """Of the job on it. `told`: we have asked for its end.

    How the program ended is said by its session; a machine only tells that it is gone.
    """
    name = machine.get("State", {}).get("Name", "")
    if name == "pending":
        return JobState("waiting", "the machine starts")
    if name in ("running", "stopping", "shutting-down"):
        return JobState("running", f"the machine is {name}")
    reason = machine.get("StateReason") or {}
    code, said = str(reason.get("Code", "")), str(reason.get("Message", "")).rstrip(".")
    for beginning, cause, remedy in _CAUSES:
        if code.startswith(beginning):
            return JobState.ended(JobEnd(cause, f"EC2 says: {said or code}", remedy=remedy))
    if told:
        return JobState.ended(JobEnd(Cause.CANCELLED, "the machine was ended by its launcher"))
    return JobState.ended(JobEnd(Cause.UNKNOWN, f"the machine has ended ({said or name})"))
