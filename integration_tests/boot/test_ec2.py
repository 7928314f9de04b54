"""EC2 by a simulation (moto); what it launches is run for real, from the user data that it was given."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from blobpipes.clients.boot.code import Files
from blobpipes.clients.boot.script import BootSettings
from blobpipes.clients.ec2 import PipesEC2Client
from blobpipes.clients.ec2_place import EC2Place, EC2Settings
from blobpipes.clients.place import Cause, JobSpec, Urgency
from blobpipes.errors import LaunchError, PlaceDeniedError, PlaceMissingError
from blobpipes.orchestration.run_context import RunContext
from integration_tests.boot.hypervisor import PYTHON, Hypervisor
from integration_tests.boot.metadata_service import MetadataService
from integration_tests.servers.clouds import Cloud, CloudServer

pytestmark = pytest.mark.timeout(400)  # seconds: a kit is downloaded and installed
IMAGE = "ami-12c6146b"  # one that the simulation knows

JOB = """
import sys
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization(asset_key="flights", metadata={"rows": int(sys.argv[1])})
"""


@pytest.fixture
def cloud(s3: CloudServer, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    place = s3.fresh()
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def ec2(cloud: Cloud) -> Any:
    client = boto3.session.Session().client("ec2", region_name="us-east-1", endpoint_url=cloud.env["AWS_ENDPOINT_URL"])
    names = {t["LaunchTemplateName"] for t in client.describe_launch_templates()["LaunchTemplates"]}
    if "blobpipes-job" not in names:
        data = {"ImageId": IMAGE, "InstanceType": "t3.micro"}
        client.create_launch_template(LaunchTemplateName="blobpipes-job", LaunchTemplateData=data)
    return client


@pytest.fixture
def metadata() -> Iterator[MetadataService]:
    with MetadataService() as service:
        yield service


def environment(cloud: Cloud, metadata: MetadataService) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": cloud.env["AWS_ENDPOINT_URL"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url,
        "AWS_REGION": "us-east-1",
    }


def client_for(cloud: Cloud, ec2: Any, tmp_path: Path, env: dict[str, str], **options: Any) -> PipesEC2Client:
    made = PipesEC2Client(
        "blobpipes-job",
        url=f"{cloud.url}?interval=200ms",
        client=ec2,
        region="us-east-1",
        python=PYTHON.removeprefix("python"),
        env=env,
        code=Files({"job.py": JOB}),
        max_lifetime=300,
        spot=False,
        root=str(tmp_path / "root"),
        **options,
    )
    made.place.interval = made.place.first_interval = 0.5  # the simulation charges nothing for a look
    return made


def test_a_job_runs_on_a_machine_of_its_own_that_is_gone_afterwards(
    cloud: Cloud, ec2: Any, metadata: MetadataService, tmp_path: Path
) -> None:
    client = client_for(cloud, ec2, tmp_path, environment(cloud, metadata))
    with Hypervisor(ec2, tmp_path / "machines", {}) as hypervisor:
        done = client.run(context=RunContext(asset_keys=["flights"]), command=[PYTHON, "job.py", "7"])
        assert done.get_materialize_result().metadata["rows"]["raw_value"] == 7
        machine = done.metadata["instance_id"]["raw_value"]
        assert machine in done.metadata["console"]["raw_value"]
        assert done.report.verdict == "complete"
        assert "shuts down" in hypervisor.console(machine)
    assert metadata.asked_for_credentials > 0  # no key was sent to the machine


def test_a_machine_that_never_comes_up_is_explained_and_ended(cloud: Cloud, ec2: Any, tmp_path: Path) -> None:
    client = client_for(cloud, ec2, tmp_path, {}, boot_timeout=1.0)
    with (
        Hypervisor(ec2, tmp_path / "machines", {}, boots=False),
        pytest.raises(LaunchError, match="no message of the job"),
    ):
        client.run(context=RunContext(), command=[PYTHON, "job.py", "7"])
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    assert ec2.describe_instances(Filters=alive)["Reservations"] == []


@pytest.fixture
def place(ec2: Any) -> EC2Place:
    settings = EC2Settings("blobpipes-job", spot=False, boot=BootSettings())
    return EC2Place(settings, lambda spec: "s3://bucket/kit.tar.gz", client=ec2)


@pytest.fixture
def spec() -> JobSpec:
    return JobSpec(("true",), token=f"bp-a-{id(object()):016x}")


def test_a_second_launch_with_the_same_token_launches_no_second_machine(place: EC2Place, spec: JobSpec) -> None:
    first = place.launch(spec)
    try:
        assert place.launch(spec) == first
        assert place.find(spec.token) == first
    finally:
        place.terminate(first, Urgency.KILL)
    end = place.poll(first).end
    assert end is not None
    assert end.cause is Cause.CANCELLED
    assert place.find(spec.token) is None


def test_what_does_not_exist_is_named(ec2: Any, spec: JobSpec) -> None:
    with pytest.raises(PlaceMissingError, match="no-template"):
        EC2Place(EC2Settings("no-template", spot=False), lambda spec: "s3://b/k", client=ec2).launch(spec)
    settings = EC2Settings("blobpipes-job", subnet_ids=("subnet-0123",), spot=False)
    with pytest.raises(PlaceMissingError, match="subnet-0123"):
        EC2Place(settings, lambda spec: "s3://b/k", client=ec2).launch(spec)


def test_without_credentials_the_remedy_says_what_to_set(
    spec: JobSpec, monkeypatch: pytest.MonkeyPatch, cloud: Cloud
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PlaceDeniedError, match="credentials"):
        EC2Place(EC2Settings("t"), lambda spec: "s3://b/k", region="us-east-1").launch(spec)


def test_a_script_that_is_too_large_is_refused_before_anything_is_launched(ec2: Any, spec: JobSpec) -> None:
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=40_000))
    settings = EC2Settings("blobpipes-job", spot=False, boot=BootSettings(code=Files({"job.py": noise})))
    with pytest.raises(LaunchError, match="takes 16384"):
        EC2Place(settings, lambda spec: "s3://b/k", client=ec2).launch(spec)
    assert EC2Place(settings, lambda spec: "s3://b/k", client=ec2).find(spec.token) is None
