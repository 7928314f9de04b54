"""`run --on PLACE`: what is said about places and settings. integration_tests/clients runs jobs there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from blobpipes.cli.places import client_for, job_variables
from blobpipes.clients.detached_place import DetachedPlace
from blobpipes.clients.slurm import PipesSlurmClient
from blobpipes.clients.slurm_place import SlurmPlace
from blobpipes.clients.ssh import PipesSSHClient
from blobpipes.errors import InvalidOptionError
from tests.cli.conftest import Cli


def made(on: str, *given: str, file: Path | None = None, environment: Mapping[str, str] | None = None) -> Any:
    return client_for(on, given=given, file=str(file) if file else None, environment=environment or {})


def preview(client: Any, command: Sequence[str] = ("job",)) -> str:
    return str(client.place.preview(client.spec(command)))


def test_a_host_may_have_a_user_and_a_port() -> None:
    client = made("ssh://me@worker.example:2222")
    assert isinstance(client, PipesSSHClient)
    assert isinstance(client.place, DetachedPlace)
    shown = preview(client)
    assert "-p 2222 " in shown
    assert "-- me@worker.example /bin/sh -s" in shown
    assert "-- worker /bin/sh -s" in preview(made("ssh://worker"))


def test_slurm_is_here_or_behind_ssh_and_may_have_a_partition() -> None:
    assert isinstance(made("slurm"), PipesSlurmClient)
    assert "--partition=gpu " in preview(made("slurm:gpu"))
    away = made("slurm://me@login", "partition=gpu", "options=--mem=4G '--comment=two words'", "tasks=3")
    assert isinstance(away.place, SlurmPlace)
    shown = preview(away)
    assert "-- me@login /bin/sh -s" in shown
    assert "--partition=gpu --mem=4G '--comment=two words' --array=0-2" in shown
    assert away.session_options["lanes"] == 3


def test_a_queue_of_aws_batch_needs_a_job_definition() -> None:
    with pytest.raises(InvalidOptionError, match="needs the setting 'job_definition'"):
        made("aws-batch:spot")


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "places.toml"
    file.write_text('port = 1\nidentity_file = "from-file"\n[ssh_options]\nProxyJump = "gate"\n')
    environment = {"BLOBPIPES_ON_PORT": "2", "BLOBPIPES_ON_IDENTITY_FILE": "from-environment", "BLOBPIPES_ON_TIME": "9"}
    shown = preview(made("ssh://worker", "port=3", file=file, environment=environment))
    assert "-p 3 " in shown
    assert "-i from-environment" in shown
    assert "ProxyJump=gate" in shown


@pytest.mark.parametrize(
    ("on", "given", "said"),
    [
        ("nowhere", (), "is no place"),
        ("ssh:worker", (), "is no place"),
        ("ssh://", (), "names a user, a host and a port"),
        ("ssh://me:secret@worker", (), "names a user, a host and a port"),
        ("ssh://worker/path", (), "names a user, a host and a port"),
        ("ssh://worker:99999", (), "[Pp]ort"),
        ("ssh://-oProxyCommand=x", (), "is no host"),
        ("aws-batch:", (), "is no place"),
        ("slurm", ("partion=x",), "did you mean 'partition'"),
        ("slurm", ("url=x",), "unknown setting 'url'"),
        ("slurm", ("tasks=many",), "tasks='many' is no int"),
        ("slurm", ("keep=perhaps",), "keep='perhaps' is no bool"),
        ("slurm", ("keep",), "is not NAME=VALUE"),
        ("ssh://worker", ("ssh_options=nonsense",), "is no Mapping"),
    ],
)
def test_what_cannot_be_understood_is_said(on: str, given: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidOptionError, match=said) as caught:
        made(on, *given)
    assert "secret" not in str(caught.value)


def test_a_settings_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="cannot be read"):
        made("slurm", file=tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("keep: yes")
    with pytest.raises(InvalidOptionError, match="is no TOML"):
        made("slurm", file=tmp_path / "bad.toml")


def test_variables_are_given_or_taken_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "value")
    monkeypatch.delenv("NOT_HERE", raising=False)
    assert job_variables(["A=1=2", "HERE", "EMPTY="]) == {"A": "1=2", "HERE": "value", "EMPTY": ""}
    with pytest.raises(InvalidOptionError, match="NOT_HERE: it is not set here"):
        job_variables(["NOT_HERE"])


# --- the command line -----------------------------------------------------------------------------------


def test_a_dry_run_shows_the_script_without_secrets_and_opens_nothing(cli: Cli, tmp_path: Path) -> None:
    ended = cli("run", "--url", tmp_path, "--on", "ssh://worker", "--env", "A=geheim", "--dry-run", "--", "job", "x y")
    assert ended.code == 0
    assert "in ssh://worker: ssh " in ended.out
    assert "export A='***'" in ended.out
    assert "set -- job 'x y'" in ended.out
    assert "geheim" not in ended.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_for_programs_is_one_event(cli: Cli) -> None:
    ended = cli("run", "--on", "slurm", "--dry-run", "--json", "--", "job")
    event = json.loads(ended.out)
    assert (event["event"], event["place"]) == ("preview", "Slurm")
    assert "sbatch --parsable" in event["text"]


def test_a_dry_run_works_for_this_machine_too(cli: Cli, tmp_path: Path) -> None:
    ended = cli("run", "--url", tmp_path, "--cwd", "/a b", "--dry-run", "--", "sh", "-c", "true")
    assert ended.out.splitlines()[-2:] == ["  cd '/a b'", "  sh -c true"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "keep=true"], "--set and --settings are for a place"),
        (["--attach", "--session", "s"], "--attach needs --on and --session"),
        (["--attach", "--on", "slurm"], "--attach needs --on and --session"),
        (["--on", "nowhere"], "is no place"),
    ],
)
def test_what_makes_no_sense_together_is_refused(cli: Cli, tmp_path: Path, options: list[str], said: str) -> None:
    ended = cli("run", "--url", tmp_path, *options, "--", "true")
    assert ended.code == 64
    assert said in ended.err


def test_the_place_may_come_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBPIPES_ON", "ssh://elsewhere")
    assert "in ssh://elsewhere" in cli("run", "--dry-run", "--", "job").out


def test_ec2_has_a_template_and_takes_code_as_text(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print('hello')")
    shown = preview(made("ec2:a-template", f"code={tmp_path}/job.py", "region=eu-central-1"))
    assert '"LaunchTemplateName": "a-template"' in shown
    assert "export AWS_REGION=eu-central-1" in shown
    assert "shutdown -h now" in shown
