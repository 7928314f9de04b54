"""An AWS Batch queue as a place: machines come when jobs wait, and go when none does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from blobpipes.clients.aws import Client, LazyClient, aws_failures
from blobpipes.clients.aws_batch_states import REASON, state_of
from blobpipes.clients.place import Cause, JobEnd, JobSpec, JobState, Place, Urgency
from blobpipes.errors import LaunchError

MAX_OVERRIDES: Final = 8192  # bytes of a job's command and variables, which AWS Batch allows
TOKEN_TAG: Final = "blobpipes-job"
_WORDS: Final = {
    Urgency.INTERRUPT: "its launcher was interrupted",
    Urgency.TERMINATE: "its launcher asked for its end",
    Urgency.KILL: "its launcher did not want to wait any longer",
}


@dataclass(slots=True)
class BatchJob:
    """A job in a queue."""

    id: str
    program: str
    end: JobState | None = field(default=None, compare=False)  # AWS Batch forgets ended jobs after a day or so


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What a job asks for, beyond what its job definition says. None leaves it as it is there."""

    queue: str
    job_definition: str
    vcpus: float | None = None
    memory_mib: int | None = None
    gpus: int | None = None
    attempts: int | None = None  # in all; a restart continues the session with its next epoch
    timeout: float | None = None  # seconds of one attempt, at least 60
    supervisor: tuple[str, ...] = ()  # what stands in front of the command
    tags: Mapping[str, str] = field(default_factory=dict)


class AWSBatchPlace(Place[BatchJob]):
    """Runs containers by a queue. SubmitJob knows no token, so a job's name is its token, and is looked for first."""

    name = "AWS Batch"
    interval = 10.0
    first_interval = 2.0

    def __init__(self, settings: BatchSettings, *, region: str | None = None, client: Client | None = None) -> None:
        self.settings = settings
        self._client = LazyClient("batch", region, client)

    @property
    def client(self) -> Client:
        """boto3's, made when it is first needed."""
        return self._client()

    def launch(self, spec: JobSpec) -> BatchJob:
        """Submit the job, unless one with the same token is there."""
        found = self.find(spec.token)
        if found is not None:
            return BatchJob(found.id, spec.program)
        request = submission(spec, self.settings)
        with aws_failures(f"submitting to the queue {self.settings.queue}"):
            return BatchJob(self.client.submit_job(**request)["jobId"], spec.program)

    def poll(self, handle: BatchJob) -> JobState:
        """One request; after a failure that says no exit code a second one, for the task that failed."""
        if handle.end is not None:
            return handle.end
        with aws_failures("looking at the job"):
            found = self.client.describe_jobs(jobs=[handle.id])["jobs"]
            if not found:
                return JobState.ended(JobEnd(Cause.UNKNOWN, "AWS Batch knows nothing of the job"))
            state = state_of(found[0], handle.program)
            if state.phase == "ended":
                if found[0]["status"] == "FAILED" and "exitCode" not in (found[0].get("container") or {}):
                    state = self._failure(handle, found[0]) or state
                handle.end = state
        return state

    def terminate(self, handle: BatchJob, urgency: Urgency) -> None:
        """AWS Batch knows one way: SIGTERM, and SIGKILL half a minute later."""
        with aws_failures("ending the job"):
            self.client.terminate_job(jobId=handle.id, reason=REASON + _WORDS[urgency])

    def describe(self, handle: BatchJob) -> Mapping[str, Any]:
        """Its id, and where the console shows it and its log."""
        region = self.client.meta.region_name
        with aws_failures("looking at the job"):
            found = self.client.describe_jobs(jobs=[handle.id])["jobs"]
        told: dict[str, Any] = {
            "job_id": handle.id,
            "queue": self.settings.queue,
            "console": _link(
                f"https://{region}.console.aws.amazon.com/batch/home?region={region}#jobs/detail/{handle.id}"
            ),
        }
        stream = ((found[0].get("container") or {}) if found else {}).get("logStreamName")
        if stream:
            log = f"$252Faws$252Fbatch$252Fjob/log-events/{stream.replace('/', '$252F')}"
            page = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            told["log"] = _link(f"{page}#logsV2:log-groups/log-group/{log}")
        return told

    def preview(self, spec: JobSpec) -> str:
        """What SubmitJob would be asked."""
        return f"SubmitJob of AWS Batch, with:\n{json.dumps(submission(spec, self.settings), indent=2)}"

    def find(self, token: str) -> BatchJob | None:
        """The newest job of this name; AWS Batch remembers ended ones for a day or so."""
        with aws_failures(f"looking into the queue {self.settings.queue}"):
            pages = self.client.get_paginator("list_jobs").paginate(
                jobQueue=self.settings.queue, filters=[{"name": "JOB_NAME", "values": [token]}]
            )
            jobs = [job for page in pages for job in page["jobSummaryList"] if job["jobName"] == token]
        jobs = [job for job in jobs if ":" not in job["jobId"]]  # an array's tasks have its name too
        newest = max(jobs, key=lambda job: job.get("createdAt", 0), default=None)
        return BatchJob(newest["jobId"], "the job") if newest else None

    def _failure(self, handle: BatchJob, job: Mapping[str, Any]) -> JobState | None:
        """By the summaries: of the first task of an array that failed, or of a job whose details are gone."""
        among: dict[str, Any]
        if "size" in (job.get("arrayProperties") or {}):
            among = {"arrayJobId": handle.id, "jobStatus": "FAILED"}
        else:
            among = {"jobQueue": job["jobQueue"], "filters": [{"name": "JOB_NAME", "values": [job["jobName"]]}]}
        for summary in self.client.list_jobs(**among)["jobSummaryList"]:
            parent, _, index = summary["jobId"].partition(":")
            if parent == handle.id and summary["status"] == "FAILED":
                return state_of(summary, f"{handle.program} (task {index})" if index else handle.program)
        return None


def submission(spec: JobSpec, settings: BatchSettings) -> dict[str, Any]:
    """What SubmitJob is asked.

    Raises:
        LaunchError: it asks for what AWS Batch does not do.
    """
    command = [*settings.supervisor, *spec.command]
    if spec.cwd is not None:  # a container's folder is its image's
        command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', spec.cwd, *command]
    overrides: dict[str, Any] = {
        "command": command,
        "environment": [{"name": name, "value": value} for name, value in spec.env.items() if value],
    }
    size = sum(len(text.encode()) for text in (*command, *spec.env, *spec.env.values()))
    if size > MAX_OVERRIDES:
        raise LaunchError(
            f"the command and variables are {size} bytes, and AWS Batch takes {MAX_OVERRIDES}",
            remedy="Put what is large into the image, the session's extras, or a file that the job fetches.",
        )
    wanted = {"VCPU": settings.vcpus, "MEMORY": settings.memory_mib, "GPU": settings.gpus}
    resources = [{"type": kind, "value": f"{value:g}"} for kind, value in wanted.items() if value is not None]
    if resources:
        overrides["resourceRequirements"] = resources
    request: dict[str, Any] = {
        "jobName": spec.token,
        "jobQueue": settings.queue,
        "jobDefinition": settings.job_definition,
        "containerOverrides": overrides,
        "tags": {**settings.tags, TOKEN_TAG: spec.token},
        "propagateTags": True,
    }
    if spec.tasks > 1:
        request["arrayProperties"] = {"size": spec.tasks}
    if settings.attempts is not None:
        request["retryStrategy"] = {"attempts": settings.attempts, "evaluateOnExit": _RETRIED}
    if settings.timeout is not None:
        request["timeout"] = {"attemptDurationSeconds": int(settings.timeout)}
    return request


# A machine that was taken away is worth another attempt; a program that failed would fail again.
_RETRIED: Final[Sequence[Mapping[str, str]]] = (
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
)


def _link(url: str) -> dict[str, str]:
    return {"raw_value": url, "type": "url"}
