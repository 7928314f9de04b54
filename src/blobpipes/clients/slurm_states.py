"""What Slurm says of a job, and what that means. Pure. https://slurm.schedmd.com/job_state_codes.html"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from blobpipes.clients.endings import process_end, signal_name
from blobpipes.clients.place import Cause, JobEnd, JobState

_WAITING: Final = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_CAUSES: Final[Mapping[str, tuple[Cause, str, str | None]]] = {
    "OUT_OF_MEMORY": (Cause.OUT_OF_MEMORY, "ran out of memory", "Ask for more: --mem."),
    "TIMEOUT": (Cause.TIME_LIMIT, "ran into its time limit", "Ask for more: --time."),
    "DEADLINE": (Cause.TIME_LIMIT, "ran into its deadline", "Give a later one: --deadline."),
    "CANCELLED": (Cause.CANCELLED, "was cancelled", None),
    "REVOKED": (Cause.CANCELLED, "was revoked", None),
    "PREEMPTED": (Cause.PREEMPTED, "was preempted by another job", "Run it again, or in a partition without that."),
    "NODE_FAIL": (Cause.MACHINE_LOST, "lost its node", "Run it again."),
    "BOOT_FAIL": (Cause.MACHINE_LOST, "had a node that did not start", "Run it again."),
    "LAUNCH_FAILED": (Cause.NOT_STARTED, "could not be launched on its node", "Look at the node's slurmd log."),
}
_NEVER: Final = {
    "no-program": ("no such program", "Check its spelling and the PATH on the nodes, or give its path."),
    "no-folder": ("its working directory does not exist there", "Give a folder that the nodes have."),
}


@dataclass(frozen=True, slots=True)
class TaskState:
    """One line of squeue or sacct."""

    index: int
    state: str
    code: int  # below 0 the signal that killed it
    reason: str


def from_squeue(lines: Sequence[str]) -> list[TaskState]:
    """Index, state, wait status and reason of each task."""
    tasks = []
    for line in lines:
        index, state, status, *reason = line.split(None, 3)
        low = int(status) & 0x7F if status.isdigit() else 0
        code = -low if low else int(status) >> 8 if status.isdigit() else 0
        tasks.append(TaskState(int(index) if index.isdigit() else 0, state, code, " ".join(reason)))
    return tasks


def from_sacct(lines: Sequence[str]) -> list[TaskState]:
    """Id (with `_INDEX`), state (`CANCELLED by 0`), `CODE:SIGNAL` and reason of each task."""
    tasks = []
    for line in lines:
        number, state, codes, reason = [*line.split("|"), "", "", ""][:4]
        code, _, signal = codes.partition(":")
        index = number.partition("_")[2]
        ended = -int(signal) if signal.isdigit() and int(signal) else int(code or 0)
        tasks.append(TaskState(int(index) if index.isdigit() else 0, state.split()[0], ended, reason))
    return tasks


def state_of(program: str, tasks: Sequence[TaskState], whys: Mapping[int, str]) -> JobState:
    """How the whole job stands: it has ended when all of its tasks have, and as badly as the first bad one."""
    if not tasks:
        return JobState.ended(JobEnd(Cause.UNKNOWN, "Slurm knows nothing of the job any more"))
    ends = [_end_of(program, task, whys.get(task.index)) for task in tasks]
    if all(end is not None for end in ends):
        return JobState.ended(_worst([(task.index, end) for task, end in zip(tasks, ends, strict=True) if end]))
    waiting = [task for task, end in zip(tasks, ends, strict=True) if end is None and task.state in _WAITING]
    left = sum(end is None for end in ends)
    if len(waiting) < left:
        return JobState("running", "" if len(tasks) == 1 else f"{left} of {len(tasks)} tasks have not ended")
    return JobState("waiting", f"{waiting[0].state} ({waiting[0].reason})")


def _worst(ends: Sequence[tuple[int, JobEnd]]) -> JobEnd:
    index, first = next(((index, end) for index, end in sorted(ends) if not end.is_success), ends[0])
    bad = sum(not end.is_success for _, end in ends)
    if len(ends) == 1 or not bad:
        return first
    detail = f"{bad} of {len(ends)} tasks failed; task {index}: {first.detail}"
    return JobEnd(first.cause, detail, first.exit_code, first.remedy)


def _end_of(program: str, task: TaskState, why: str | None) -> JobEnd | None:
    """How one task ended; None if it has not."""
    if why in _NEVER and task.state == "FAILED":
        said, advice = _NEVER[why]
        return JobEnd(Cause.NOT_STARTED, f"cannot start {program!r} under Slurm: {said}", task.code, advice)
    if task.state == "COMPLETED":
        return process_end(program, 0)
    if task.state == "FAILED":
        if task.reason in ("BadConstraints", "JobHeldUser") or (task.code == 0 and task.reason != "NonZeroExitCode"):
            return JobEnd(Cause.NOT_STARTED, f"Slurm did not run {program}: {task.reason}", None)
        return process_end(program, task.code)
    if task.state in _CAUSES:
        cause, words, remedy = _CAUSES[task.state]
        by = f" (by {signal_name(-task.code)})" if task.code < 0 and cause is Cause.CANCELLED else ""
        return JobEnd(cause, f"{program} {words}{by}", task.code or None, remedy)
    return None
