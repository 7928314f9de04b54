"""The AWS module on a simulated AWS: applied, planned again, used by a session, and destroyed.

The server checks who may do what (actions and resources; it does not know conditions), so the job's role is tried out
with credentials of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from integration_tests.servers.clouds import no_aws_profile
from integration_tests.servers.process import ServerProcess, free_port
from integration_tests.terraform.program import MODULES, Terraform, environment, provider_mirror

pytestmark = pytest.mark.timeout(900)  # seconds; the provider waits a minute each for a lifecycle rule and a queue

SERVICES = ("s3", "iam", "sts", "ec2", "batch", "ecs", "ssm", "kms")
# Amazon's own policies, such as those of the batch service, are loaded on request only.
MOTO = {"PYTHONWARNINGS": "ignore", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
ROOT = """
provider "aws" {{
  region                      = "eu-central-1"
  access_key                  = "AKIATESTTESTTESTTEST"
  secret_key                  = "test-secret-key-of-nobody"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  endpoints {{
{endpoints}
  }}
}}

module "blobpipes" {{
  source                    = "{module}"
  name                      = "bp-test"
  bucket                    = "sessions-of-a-test"
  prefix                    = "team/pipes"
  force_destroy             = true
  image                     = "ami-12c6146b" # one that the simulation knows
  instance_type             = "t3.micro"
  orchestrator_trusted_arns = ["arn:aws:iam::123456789012:root"]
}}

{outputs}
"""
OUTPUTS = ("url", "region", "bucket", "job_role_arn", "orchestrator_role_arn", "ec2", "aws_batch")


@dataclass(frozen=True)
class Aws:
    url: str

    def client(self, service: str, **credentials: str) -> Any:
        given = credentials or {"aws_access_key_id": "AKIATESTTESTTESTTEST", "aws_secret_access_key": "nobody"}
        return boto3.client(service, endpoint_url=self.url, region_name="eu-central-1", **given)

    def check_permissions(self, *, after_calls: float) -> None:
        """Ask for permissions from that many requests on."""
        body = str(after_calls).encode()
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", body, {"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=30).close()

    def credentials_of(self, role: str) -> dict[str, str]:
        given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="a-test")["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with ServerProcess("moto", command, port=port, path="/moto-api/", env=MOTO) as server:
        yield Aws(server.url)


@pytest.fixture(scope="module")
def applied(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """The module, applied; destroyed after the tests, which must leave nothing behind."""
    if provider_mirror("hashicorp/aws") is None:
        pytest.skip("no mirror holds the provider hashicorp/aws; name one in TF_PLUGIN_DIR")
    folder = tmp_path_factory.mktemp("root")
    endpoints = "\n".join(f'    {service} = "{aws.url}"' for service in SERVICES)
    outputs = "\n".join(f'output "{name}" {{ value = module.blobpipes.{name} }}' for name in OUTPUTS)
    text = ROOT.format(endpoints=endpoints, outputs=outputs, module=MODULES / "aws")
    (folder / "main.tf").write_text(text, encoding="utf-8")
    terraform = Terraform(folder, environment(no_aws_profile()))
    terraform.init("hashicorp/aws")
    terraform.apply()
    yield terraform
    terraform.destroy()
    left = aws.client("s3").list_buckets()["Buckets"], aws.client("ec2").describe_launch_templates()["LaunchTemplates"]
    assert left == ([], [])


@pytest.fixture
def open_to_http(applied: Terraform, aws: Aws) -> str:
    """The bucket's name; without its policy, because the simulation takes "deny without TLS" for "deny"."""
    bucket: str = applied.outputs()["bucket"]
    aws.client("s3").delete_bucket_policy(Bucket=bucket)
    return bucket


def test_an_applied_module_has_nothing_left_to_change(applied: Terraform, aws: Aws) -> None:
    assert applied.changes() == ""
    policy = json.loads(aws.client("s3").get_bucket_policy(Bucket=applied.outputs()["bucket"])["Policy"])
    assert policy["Statement"][0]["Effect"] == "Deny"
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_session_lives_at_the_url_that_the_module_gives(
    applied: Terraform, open_to_http: str, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": aws.url, **no_aws_profile()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody")
    outputs = applied.outputs()
    assert outputs["url"] == "s3://sessions-of-a-test/team/pipes"
    with open_pipes_session(RunContext(), url=f"{outputs['url']}?interval=100ms") as session:
        job = "from blobpipes import open_dagster_pipes as o\nwith o() as p: p.report_custom_message(1)"
        env = {**environment({}), **session.get_bootstrap_env_vars(), "AWS_ENDPOINT_URL": aws.url}
        env |= {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "nobody"}
        subprocess.run([sys.executable, "-c", job], env=env, check=True, timeout=120)
    assert session.get_custom_messages() == (1,)


def test_a_job_creates_and_reads_under_the_prefix_and_nothing_else(
    applied: Terraform, open_to_http: str, aws: Aws
) -> None:
    outputs = applied.outputs()
    job = aws.client("s3", **aws.credentials_of(outputs["job_role_arn"]))
    bucket = open_to_http
    aws.client("s3").put_object(Bucket=bucket, Key="secret/plans", Body=b"x")
    aws.check_permissions(after_calls=0)
    try:
        job.put_object(Bucket=bucket, Key="team/pipes/s/1.json", Body=b"{}", IfNoneMatch="*")
        assert job.get_object(Bucket=bucket, Key="team/pipes/s/1.json")["Body"].read() == b"{}"
        for refused in (
            lambda: job.delete_object(Bucket=bucket, Key="team/pipes/s/1.json"),
            lambda: job.put_object(Bucket=bucket, Key="secret/1.json", Body=b"{}", IfNoneMatch="*"),
            lambda: job.get_object(Bucket=bucket, Key="secret/plans"),
            lambda: job.put_bucket_policy(Bucket=bucket, Policy="{}"),
        ):
            with pytest.raises(ClientError, match="AccessDenied|Forbidden"):
                refused()
    finally:
        aws.check_permissions(after_calls=float("inf"))
    aws.client("s3").delete_object(Bucket=bucket, Key="secret/plans")
    aws.client("s3").delete_object(Bucket=bucket, Key="team/pipes/s/1.json")


def test_conditions_that_the_simulation_does_not_know_are_written_as_they_must_be(applied: Terraform, aws: Aws) -> None:
    applied.outputs()
    policy = aws.client("iam").get_role_policy(RoleName="bp-test-job", PolicyName="session")["PolicyDocument"]
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert statements["Create"]["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert statements["List"]["Condition"] == {"StringLike": {"s3:prefix": ["team/pipes/*", "team/pipes/"]}}
    actions = json.dumps(policy)
    assert "Delete" not in actions
    assert '"*"' not in actions


def test_the_launch_template_starts_a_machine_that_carries_the_stacks_tag(applied: Terraform, aws: Aws) -> None:
    settings = applied.outputs()["ec2"]
    ec2 = aws.client("ec2")
    started = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        LaunchTemplate={"LaunchTemplateName": settings["launch_template"]},
        SubnetId=settings["subnet_ids"][0],
    )["Instances"][0]
    try:
        assert {"Key": "blobpipes:stack", "Value": "bp-test"} in started["Tags"]
    finally:
        ec2.terminate_instances(InstanceIds=[started["InstanceId"]])


def test_the_queue_takes_the_job_definition(applied: Terraform, aws: Aws) -> None:
    settings = applied.outputs()["aws_batch"]
    batch = aws.client("batch")
    queue = batch.describe_job_queues(jobQueues=[settings["queue"]])["jobQueues"][0]
    assert queue["status"] == "VALID"
    found = batch.describe_job_definitions(jobDefinitionName=settings["job_definition"])["jobDefinitions"]
    assert found[0]["containerProperties"]["jobRoleArn"] == applied.outputs()["job_role_arn"]
