"""What Slurm's words mean. The lines are as its commands print them; integration_tests/clients has a real one."""

from __future__ import annotations

import pytest

from blobpipes.clients.place import Cause
from blobpipes.clients.slurm_states import TaskState, from_sacct, from_squeue, state_of


def one(state: str, code: int = 0, reason: str = "None", why: str | None = None) -> tuple[Cause, int | None]:
    end = state_of("job.py", [TaskState(0, state, code, reason)], {0: why} if why else {}).end
    assert end is not None
    return end.cause, end.exit_code


def test_squeue_tells_wait_statuses() -> None:
    lines = [
        "         N/A              FAILED         768                                NonZeroExitCode",
        "           1           CANCELLED          15                                           None",
        "           2             PENDING           0                          (Nodes required for job are DOWN)",
    ]
    assert from_squeue(lines) == [
        TaskState(0, "FAILED", 3, "NonZeroExitCode"),
        TaskState(1, "CANCELLED", -15, "None"),
        TaskState(2, "PENDING", 0, "(Nodes required for job are DOWN)"),
    ]


def test_sacct_tells_codes_and_signals() -> None:
    lines = [
        "17|COMPLETED|0:0|None",
        "18_2|FAILED|3:0|NonZeroExitCode",
        "19|CANCELLED by 1000|0:15|None",
        "20|TIMEOUT|0:0",
    ]
    assert from_sacct(lines) == [
        TaskState(0, "COMPLETED", 0, "None"),
        TaskState(2, "FAILED", 3, "NonZeroExitCode"),
        TaskState(0, "CANCELLED", -15, "None"),
        TaskState(0, "TIMEOUT", 0, ""),
    ]


@pytest.mark.parametrize(
    ("state", "code", "reason", "cause"),
    [
        ("COMPLETED", 0, "None", Cause.EXITED),
        ("FAILED", 3, "NonZeroExitCode", Cause.EXITED),
        ("FAILED", -9, "JobLaunchFailure", Cause.KILLED),
        ("FAILED", 1, "BadConstraints", Cause.NOT_STARTED),
        ("OUT_OF_MEMORY", 0, "OutOfMemory", Cause.OUT_OF_MEMORY),
        ("TIMEOUT", 0, "TimeLimit", Cause.TIME_LIMIT),
        ("CANCELLED", -15, "None", Cause.CANCELLED),
        ("PREEMPTED", 0, "None", Cause.PREEMPTED),
        ("NODE_FAIL", 0, "None", Cause.MACHINE_LOST),
    ],
)
def test_each_end_has_a_cause(state: str, code: int, reason: str, cause: Cause) -> None:
    assert one(state, code, reason)[0] is cause


def test_why_a_program_never_began_is_said_by_the_job_itself() -> None:
    assert one("FAILED", 127, "NonZeroExitCode", "no-program") == (Cause.NOT_STARTED, 127)
    assert one("FAILED", 127, "NonZeroExitCode") == (Cause.EXITED, 127)


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "A_NEW_STATE"])
def test_what_has_not_ended_runs(state: str) -> None:
    assert state_of("job.py", [TaskState(0, state, 0, "None")], {}).phase == "running"


def test_a_job_in_the_queue_says_for_what_it_waits() -> None:
    state = state_of("job.py", [TaskState(0, "PENDING", 0, "Resources")], {})
    assert (state.phase, state.detail) == ("waiting", "PENDING (Resources)")


def test_an_array_has_ended_when_all_of_it_has() -> None:
    tasks = [TaskState(0, "FAILED", 3, "NonZeroExitCode"), TaskState(1, "RUNNING", 0, "None")]
    assert state_of("job.py", tasks, {}).detail == "1 of 2 tasks have not ended"
    end = state_of("job.py", [tasks[0], TaskState(1, "COMPLETED", 0, "None")], {}).end
    assert end is not None
    assert (end.detail, end.exit_code) == ("1 of 2 tasks failed; task 0: job.py exited with code 3", 3)


def test_what_slurm_has_forgotten_is_unknown() -> None:
    end = state_of("job.py", [], {}).end
    assert end is not None
    assert end.cause is Cause.UNKNOWN
