from __future__ import annotations

from typing import Any

import pytest

from blobpipes.clients.aws_batch_place import BatchSettings, submission
from blobpipes.clients.aws_batch_states import REASON, state_of
from blobpipes.clients.place import Cause, JobEnd, JobSpec
from blobpipes.errors import LaunchError


def failed(reason: str = "", *, why: str = "Essential container in task exited", code: int | None = None) -> JobEnd:
    container: dict[str, Any] = {
        **({"reason": reason} if reason else {}),
        **({} if code is None else {"exitCode": code}),
    }
    end = state_of({"status": "FAILED", "statusReason": why, "container": container}, "job.py").end
    assert end is not None
    return end


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING"])
def test_a_job_waits_until_its_container_runs(status: str) -> None:
    assert state_of({"status": status}, "job.py").phase == "waiting"


def test_a_job_that_waits_says_what_for() -> None:
    why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - the resources are larger than any machine has"
    assert why in state_of({"status": "RUNNABLE", "statusReason": why}, "job.py").detail


def test_a_job_runs_while_it_runs() -> None:
    assert state_of({"status": "RUNNING"}, "job.py").phase == "running"


def test_a_job_that_succeeded_has_exited_with_0() -> None:
    end = state_of({"status": "SUCCEEDED", "container": {"exitCode": 0}}, "job.py").end
    assert end is not None
    assert end.is_success


@pytest.mark.parametrize(
    ("reason", "why", "code", "cause"),
    [
        (
            "OutOfMemoryError: Container killed due to memory usage",
            "Essential container in task exited",
            137,
            Cause.OUT_OF_MEMORY,
        ),
        ("", "Host EC2 (instance i-0123456789abcdef0) terminated.", None, Cause.PREEMPTED),
        ("", "Job attempt duration exceeded timeout", None, Cause.TIME_LIMIT),
        ("CannotPullContainerError: no such image", "Task failed to start", None, Cause.NOT_STARTED),
        ("CannotStartContainerError: no such program", "Task failed to start", None, Cause.NOT_STARTED),
        ("", "Task failed to start", None, Cause.NOT_STARTED),
        ("", "Essential container in task exited", 3, Cause.EXITED),
        ("", "Essential container in task exited", 143, Cause.KILLED),
        ("", REASON + "its launcher was interrupted", 143, Cause.CANCELLED),
        ("", "somebody said so", None, Cause.KILLED),
    ],
)
def test_the_services_words_become_a_cause(reason: str, why: str, code: int | None, cause: Cause) -> None:
    end = failed(reason, why=why, code=code)
    assert end.cause is cause
    assert end.exit_code == code
    assert not end.is_success


def test_an_end_of_the_services_making_has_a_remedy() -> None:
    assert "memory_mib" in (failed("OutOfMemoryError: Container killed due to memory usage", code=137).remedy or "")
    assert "attempts" in (failed(why="Host EC2 (instance i-01) terminated.").remedy or "")


def test_a_submission_names_the_job_by_its_token_and_asks_only_for_what_was_set() -> None:
    spec = JobSpec(("python", "job.py"), token="bp-a-1", env={"A": "1", "EMPTY": ""})
    assert submission(spec, BatchSettings("jobs", "python")) == {
        "jobName": "bp-a-1",
        "jobQueue": "jobs",
        "jobDefinition": "python",
        "containerOverrides": {"command": ["python", "job.py"], "environment": [{"name": "A", "value": "1"}]},
        "tags": {"blobpipes-job": "bp-a-1"},
        "propagateTags": True,
    }


def test_a_submission_with_everything() -> None:
    settings = BatchSettings("jobs", "python", 0.5, 2048, 1, 3, 3600.0, ("blobpipes", "exec", "--"), {"team": "a"})
    request = submission(JobSpec(("job",), token="bp-a-1", cwd="/work", tasks=4), settings)
    assert request["containerOverrides"]["command"][3:] == ["/work", "blobpipes", "exec", "--", "job"]
    assert request["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "0.5"},
        {"type": "MEMORY", "value": "2048"},
        {"type": "GPU", "value": "1"},
    ]
    assert request["arrayProperties"] == {"size": 4}
    assert request["retryStrategy"]["attempts"] == 3
    assert request["retryStrategy"]["evaluateOnExit"][0] == {"onStatusReason": "Host EC2*", "action": "RETRY"}
    assert request["timeout"] == {"attemptDurationSeconds": 3600}


def test_a_submission_that_is_too_large_shows_its_size_and_none_of_its_text() -> None:
    with pytest.raises(LaunchError, match="8192") as caught:
        submission(JobSpec(("job", "geheim" * 2000), token="bp-a-1"), BatchSettings("jobs", "python"))
    assert "geheim" not in str(caught.value)
