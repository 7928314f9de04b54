"""AWS Batch by a simulation (moto): it schedules, and runs what was submitted as processes of this machine."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from blobpipes.clients.aws_batch import PipesAWSBatchClient
from blobpipes.clients.aws_batch_place import AWSBatchPlace, BatchSettings
from blobpipes.clients.place import JobSpec, Place
from blobpipes.errors import JobFailedError, LaunchError, PlaceDeniedError, PlaceMissingError, PlaceUnavailableError
from blobpipes.orchestration.run_context import RunContext
from blobpipes.testing import PlaceContract
from integration_tests.servers.clouds import Cloud, CloudServer, s3_env
from integration_tests.servers.containers import MISSING, Containers
from integration_tests.servers.process import ServerProcess, free_port

JOB = """
import sys
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    pipes.log.info("hello from a container")
    pipes.report_asset_materialization(asset_key="flights", metadata={"rows": int(sys.argv[1])})
"""


@dataclass(frozen=True)
class Batch:
    url: str
    queue: str = "jobs"
    definition: str = "python"

    def client(self, service: str = "batch") -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1")


@pytest.fixture(scope="module")
def batch(s3: CloudServer) -> Iterator[Batch]:
    """A queue and a job definition on a server of its own, whose containers reach the store of the other tests."""
    base = {**os.environ, **s3_env(s3.process.url), "PYTHONPATH": os.pathsep.join(sys.path)}
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with Containers(base) as containers, pytest.MonkeyPatch.context() as patch:
        env = {"PYTHONWARNINGS": "ignore", "DOCKER_HOST": containers.docker_host}
        with ServerProcess("moto", command, port=port, path="/moto-api/", env=env) as server:
            for name, value in s3_env(server.url).items():
                patch.setenv(name, value)
            made = Batch(server.url)
            set_up(made)
            yield made


def set_up(batch: Batch) -> None:
    at_once = {"model_name": "batch::job", "transition": {"progression": "immediate"}}
    request = urllib.request.Request(
        f"{batch.url}/moto-api/state-manager/set-transition",
        json.dumps(at_once).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()
    iam, aws = batch.client("iam"), batch.client()
    role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    environment = aws.create_compute_environment(
        computeEnvironmentName="none", type="UNMANAGED", state="ENABLED", serviceRole=role
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    aws.create_job_queue(jobQueueName=batch.queue, state="ENABLED", priority=1, computeEnvironmentOrder=order)
    for name, image in (("python", "python:3.12"), ("absent", f"{MISSING}:1")):
        aws.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties={"image": image, "vcpus": 1, "memory": 128, "command": ["true"]},
        )


@pytest.fixture
def queue(batch: Batch) -> AWSBatchPlace:
    place = AWSBatchPlace(BatchSettings(batch.queue, batch.definition), client=batch.client())
    place.interval = place.first_interval = 0.5  # the simulation charges nothing for a look
    return place


class TestAWSBatchPlace(PlaceContract):
    tells_signals = False  # a container's end is an exit code

    @pytest.fixture
    def place(self, queue: AWSBatchPlace) -> Place[Any]:
        return queue

    def test_a_program_that_does_not_exist_was_not_started(self, place: Place[Any]) -> None:
        pytest.skip("the simulation says FAILED and no reason; the words of the service are in tests/clients")


@pytest.fixture
def place_in_s3(s3: CloudServer) -> Cloud:
    return s3.fresh()


@pytest.fixture
def client(batch: Batch, place_in_s3: Cloud) -> PipesAWSBatchClient:
    options = {"endpoint_url": place_in_s3.env["AWS_ENDPOINT_URL"]}
    made = PipesAWSBatchClient(
        batch.queue,
        batch.definition,
        client=batch.client(),
        url=f"{place_in_s3.url}?interval=200ms",
        storage_options=options,
    )
    made.place.interval = made.place.first_interval = 0.5
    return made


def test_a_job_in_a_container_is_told_of_completely(client: PipesAWSBatchClient) -> None:
    done = client.run(context=RunContext(asset_keys=["flights"]), command=[sys.executable, "-c", JOB, "7"])
    result = done.get_materialize_result()
    assert result.metadata["rows"]["raw_value"] == 7
    assert done.metadata["job_id"]["raw_value"] in done.metadata["console"]["raw_value"]
    assert done.report.verdict == "complete"


def test_a_job_that_fails_says_its_exit_code(client: PipesAWSBatchClient) -> None:
    with pytest.raises(JobFailedError, match="exited with code 5"):
        client.run(context=RunContext(), command=["/bin/sh", "-c", "exit 5"])


def test_an_image_that_cannot_be_had_ends_the_run(batch: Batch, place_in_s3: Cloud) -> None:
    options = {"endpoint_url": place_in_s3.env["AWS_ENDPOINT_URL"]}
    client = PipesAWSBatchClient(
        batch.queue, "absent", client=batch.client(), url=place_in_s3.url, storage_options=options
    )
    client.place.interval = client.place.first_interval = 0.5
    with pytest.raises(JobFailedError, match="AWS Batch says"):
        client.run(context=RunContext(), command="true")


def test_an_unknown_queue_and_job_definition_are_named(batch: Batch) -> None:
    spec = JobSpec(("true",), token="bp-a-token")
    with pytest.raises(PlaceMissingError, match="no-queue"):
        AWSBatchPlace(BatchSettings("no-queue", batch.definition), client=batch.client()).launch(spec)
    with pytest.raises(PlaceMissingError, match="no-definition"):
        AWSBatchPlace(BatchSettings(batch.queue, "no-definition"), client=batch.client()).launch(spec)


def test_a_command_that_is_too_large_is_refused_before_anything_is_submitted(queue: AWSBatchPlace) -> None:
    with pytest.raises(LaunchError, match="takes 8192"):
        queue.launch(JobSpec(("true", "x" * 9000), token="large"))
    assert queue.find("large") is None


def test_without_credentials_or_region_the_remedy_says_what_to_set(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(PlaceDeniedError, match="credentials"):
        AWSBatchPlace(BatchSettings("jobs", "python"), region="us-east-1").find("t")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(PlaceMissingError, match="no region"):
        AWSBatchPlace(BatchSettings("jobs", "python")).find("t")


def test_a_service_that_is_out_of_reach_may_be_asked_again(batch: Batch) -> None:
    nowhere = boto3.client("batch", endpoint_url=f"http://127.0.0.1:{free_port()}", region_name="us-east-1")
    with pytest.raises(PlaceUnavailableError):
        AWSBatchPlace(BatchSettings("jobs", "python"), client=nowhere).find("t")
