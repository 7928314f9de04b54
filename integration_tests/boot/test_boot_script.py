"""Boot scripts, run for real: in a folder of their own, with an empty environment and a stand-in for the platform."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.boot.code import Archive, Code, Files
from blobpipes.clients.boot.kit import Target, make_kit
from blobpipes.clients.boot.script import BootSettings, boot_script
from blobpipes.clients.place import JobSpec, token_of
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.open import open_store
from integration_tests.boot.metadata_service import MetadataService
from integration_tests.servers.clouds import Cloud, CloudServer

pytestmark = pytest.mark.timeout(300)  # seconds: a kit is downloaded and installed

JOB = """
import sys
from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    pipes.report_custom_message({"arguments": sys.argv[1:]})
"""


@pytest.fixture(scope="module")
def kit() -> Any:
    return make_kit("s3", Target.this())


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The programs of a small machine: its `shutdown` only writes down that it was called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (programs / name).symlink_to(sys.base_prefix + f"/bin/{name}")
    shutdown = programs / "shutdown"
    shutdown.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/shutdowns\n')
    shutdown.chmod(0o755)
    return tmp_path


@pytest.fixture
def metadata() -> Iterator[MetadataService]:
    with MetadataService() as service:
        yield service


def boot(machine: Path, script: str, environment: Mapping[str, str]) -> str:
    """Run it as cloud-init does; what the console shows."""
    (machine / "script").write_text(script)
    done = subprocess.run(
        ["/bin/sh", str(machine / "script")],
        env={"PATH": f"{machine}/programs:/usr/bin:/bin", **environment},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return done.stdout


def run_on_machine(
    machine: Path, cloud: Cloud, kit: Any, metadata: MetadataService, command: list[str], code: Code
) -> tuple[Any, str]:
    endpoint = cloud.env["AWS_ENDPOINT_URL"]
    with open_pipes_session(
        RunContext(),
        url=f"{cloud.url}?interval=200ms",
        storage_options={"endpoint_url": endpoint},
        on_incomplete="raise",
    ) as session:
        store = open_store(cloud.url, storage_options={"endpoint_url": endpoint})
        kit_url = f"{cloud.url}/{kit.put(store)}"
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url,
        }
        settings = BootSettings(
            python=Target.this().python, env=environment, code=code, root=str(machine / "root"), max_lifetime=200
        )
        spec = JobSpec(tuple(command), token=token_of(session.name or ""), env=session.get_bootstrap_env_vars())
        said = boot(machine, boot_script(spec, kit_url, settings), {})
    return session, said


def test_a_machine_with_nothing_but_python_runs_the_job_and_tells_its_boot(
    machine: Path, s3: CloudServer, kit: Any, metadata: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = s3.fresh()
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    code = Files({"job.py": JOB})
    session, said = run_on_machine(machine, cloud, kit, metadata, [python, "job.py", "a b"], code)
    assert session.get_custom_messages() == ({"arguments": ["a b"]},), said
    assert session.report.verdict == "complete"
    assert (machine / "shutdowns").read_text() == "-h now\n"
    assert metadata.asked_for_credentials > 0  # the keys came from the machine's role


def test_shellcheck_finds_nothing(machine: Path) -> None:
    if shutil.which("shellcheck") is None:
        assert not os.environ.get("CI"), "CI must check the scripts, but shellcheck is not installed"
        pytest.skip("shellcheck is not installed")
    spec = JobSpec(("python3", "it's.py"), token="bp-a-0123456789abcdef", env={"A": "it's $HOME"})
    settings = BootSettings(env={"AWS_REGION": "eu-central-1", "ODD": "it's $HOME `id`"})
    (machine / "script").write_text(boot_script(spec, "s3://bucket/prefix/_bp/kits/1.tar.gz", settings))
    done = subprocess.run(["shellcheck", str(machine / "script")], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_code_that_cannot_be_had_is_told_in_the_session_and_the_machine_ends(
    machine: Path, s3: CloudServer, kit: Any, metadata: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = s3.fresh()
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    session, _ = run_on_machine(machine, cloud, kit, metadata, ["true"], Archive(f"{cloud.url}/no-such.zip"))
    assert session.report.verdict == "failed"
    assert "70" in str(session.report.exception)
    assert (machine / "shutdowns").read_text() == "-h now\n"


def test_a_machine_that_starts_again_does_not_run_the_job_twice(machine: Path) -> None:
    spec = JobSpec(("true",), token="bp-a-0123456789abcdef")
    settings = BootSettings(python=Target.this().python, root=str(machine / "root"), max_lifetime=60)
    (machine / "root" / spec.token).mkdir(parents=True)
    said = boot(machine, boot_script(spec, "s3://bucket/kit.tar.gz", settings), {})
    assert "not run twice" in said
    assert (machine / "shutdowns").read_text() == "-h now\n"


def test_a_machine_without_that_python_says_which_it_has_and_ends(machine: Path) -> None:
    spec = JobSpec(("true",), token="bp-a-0123456789abcdef")
    settings = BootSettings(python="3.99", root=str(machine / "root"), max_lifetime=60)
    said = boot(machine, boot_script(spec, "s3://bucket/kit.tar.gz", settings), {})
    assert "this machine has no Python 3.99" in said
    assert (machine / "shutdowns").read_text() == "-h now\n"


def test_a_kit_that_cannot_be_fetched_is_named_without_its_query(machine: Path, metadata: MetadataService) -> None:
    spec = JobSpec(("true",), token="bp-a-0123456789abcdef")
    settings = BootSettings(python=Target.this().python, root=str(machine / "root"), max_lifetime=60)
    said = boot(machine, boot_script(spec, f"{metadata.url}/kit.tar.gz?signature=geheim", settings), {})
    assert "the boot has failed: fetching" in said
    assert "404" in said
    assert "geheim" not in said
    assert (machine / "shutdowns").read_text() == "-h now\n"
