from __future__ import annotations

from pathlib import Path

import pytest

from blobpipes.clients.boot.code import Archive, Files, Git, Image, NoCode, parse_code
from blobpipes.clients.boot.script import BootSettings, boot_script
from blobpipes.clients.ec2_place import EC2Settings, choices
from blobpipes.clients.ec2_states import state_of
from blobpipes.clients.place import Cause, JobSpec
from blobpipes.errors import LaunchError


def test_code_is_named_by_a_text(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("x = 1")
    assert parse_code(None) == NoCode()
    assert parse_code("git+https://example.com/a/b.git@v1") == Git("https://example.com/a/b.git", "v1")
    assert parse_code("git+https://example.com/a/b.git") == Git("https://example.com/a/b.git")
    assert parse_code("image:python:3.12") == Image("python:3.12")
    assert parse_code("s3://bucket/code.zip") == Archive("s3://bucket/code.zip")
    assert parse_code(str(tmp_path / "job.py")) == Files({"job.py": "x = 1"})


def test_code_that_is_not_there_is_refused_before_a_launch(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="cannot be read"):
        parse_code(str(tmp_path / "no.py"))


@pytest.mark.parametrize("name", ["/etc/passwd", "../job.py", ""])
def test_a_file_outside_of_the_jobs_folder_is_refused(name: str) -> None:
    with pytest.raises(LaunchError, match="no name of a file"):
        Files({name: ""})


def test_a_password_in_a_repositorys_url_is_refused() -> None:
    with pytest.raises(LaunchError, match="password") as caught:
        Git("https://me:geheim@example.com/a.git")
    assert "geheim" not in str(caught.value)


def test_a_variable_that_a_shell_cannot_export_is_refused() -> None:
    with pytest.raises(LaunchError, match="variable"):
        boot_script(JobSpec(("true",), token="t", env={"a b": "1"}), "s3://b/k", BootSettings())


def test_each_market_type_and_subnet_is_tried_in_turn() -> None:
    tried = list(choices(EC2Settings("t", subnet_ids=("a", "b"), instance_types=("m7i.large",))))
    assert [("InstanceMarketOptions" in one, one["InstanceType"], one["SubnetId"]) for one in tried] == [
        (True, "m7i.large", "a"),
        (True, "m7i.large", "b"),
        (False, "m7i.large", "a"),
        (False, "m7i.large", "b"),
    ]
    assert len(list(choices(EC2Settings("t", fall_back=False)))) == 1
    assert list(choices(EC2Settings("t", spot=False))) == [{}]


@pytest.mark.parametrize(
    ("code", "told", "cause"),
    [
        ("Server.SpotInstanceTermination", False, Cause.PREEMPTED),
        ("Server.InsufficientInstanceCapacity", False, Cause.NOT_STARTED),
        ("Server.InternalError", False, Cause.MACHINE_LOST),
        ("Client.InstanceInitiatedShutdown", False, Cause.UNKNOWN),
        ("Client.UserInitiatedShutdown", False, Cause.UNKNOWN),
        ("Client.UserInitiatedShutdown", True, Cause.CANCELLED),
    ],
)
def test_the_machines_end_becomes_a_cause(code: str, told: bool, cause: Cause) -> None:
    machine = {"State": {"Name": "terminated"}, "StateReason": {"Code": code, "Message": f"{code}: said."}}
    end = state_of(machine, told=told).end
    assert end is not None
    assert end.cause is cause


@pytest.mark.parametrize(
    ("name", "phase"), [("pending", "waiting"), ("running", "running"), ("shutting-down", "running")]
)
def test_a_machine_that_is_there_has_not_ended(name: str, phase: str) -> None:
    assert state_of({"State": {"Name": name}}, told=False).phase == phase
