from __future__ import annotations

import shutil
import subprocess

import pytest

from blobpipes.clients.detached_scripts import RUNNER, DetachedScripts, job_script
from blobpipes.clients.place import JobSpec
from blobpipes.clients.slurm_scripts import BATCH, SlurmScripts
from blobpipes.errors import LaunchError

SPEC = JobSpec(
    ("python3", "job.py", "--name=it's", "a\nb", "$HOME"), token="bp-1", env={"A": "x y", "B": "'"}, cwd="/a b"
)
SCRIPTS = DetachedScripts()
SLURM = SlurmScripts("$HOME/jobs", "auto", ["--mem=4G", "--comment=it's"])
ALL = {
    "launch": SCRIPTS.launch(SPEC),
    "poll": SCRIPTS.poll("bp-1", stdout=7, stderr=None, limit=100),
    "signal": SCRIPTS.signal("bp-1", "TERM"),
    "kill": SCRIPTS.signal("bp-1", "KILL"),
    "remove": SCRIPTS.remove("bp-1"),
    "runner": RUNNER,
    "slurm launch": SLURM.launch(SPEC),
    "slurm poll": SLURM.poll("bp-1", stdout=None, stderr=7, limit=100),
    "slurm interrupt": SLURM.end("17", "INT"),
    "slurm remove": SLURM.remove("bp-1"),
    "slurm batch": BATCH,
}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", ALL)
def test_shellcheck_finds_nothing(name: str) -> None:
    # Constants are compared in the generated parts, and the runner is only text for the launching script.
    checked = subprocess.run(
        ["shellcheck", "--shell=sh", "--exclude=SC2050,SC2194,SC2317", "-"],
        input=ALL[name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == ""


def test_a_job_script_means_the_same_to_a_shell() -> None:
    text = job_script(SPEC, "auto") + '\nprintf "%s|" "$A" "$B" "$folder" "$wanted" "$@"'
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=True)
    assert done.stdout == "x y|'|/a b|auto|python3|job.py|--name=it's|a\nb|$HOME|"


@pytest.mark.parametrize("name", ["A-B", "1A", "", "A B", "A;rm", "Ä"])
def test_a_variable_that_no_shell_takes_is_refused(name: str) -> None:
    with pytest.raises(LaunchError, match="cannot be the name of a variable"):
        SCRIPTS.launch(JobSpec(("job",), token="bp-1", env={name: "x"}))


def test_a_nul_is_refused() -> None:
    with pytest.raises(LaunchError, match="NUL"):
        SCRIPTS.launch(JobSpec(("job", "a\0b"), token="bp-1"))
