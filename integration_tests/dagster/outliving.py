"""A run whose worker can be killed while its job runs on: the job is defined here, so that Dagster can load it again.

Started as `python -m integration_tests.dagster.outliving FOLDER`, it executes the run in this process.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg

from blobpipes.clients.endings import process_end
from blobpipes.clients.place import RUNNING, Cause, JobEnd, JobSpec, JobState, Place, Urgency
from blobpipes.dagster import PipesPlaceClient
from integration_tests.dagster.steps import ENV, command
from tests.external.launching import SOURCE

FOLDER = "OUTLIVING_FOLDER"  # the variable that names the folder in which everything lives
WAITS_FOR_GO = """
    import os, time
    from pathlib import Path
    folder = Path(pipes.get_extra("folder"))
    with (folder / "starts").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    pipes.log.info("said before the worker was killed")
    while not (folder / "go").exists():
        time.sleep(0.05)
    pipes.report_asset_materialization(metadata={"rows": 3})
"""
# Writes down its own end, because nobody is left who waits for it.
WRAPPER = """
import pathlib, subprocess, sys
folder = pathlib.Path(sys.argv[1])
code = subprocess.call(sys.argv[2:])
(folder / "code.new").write_text(str(code))
(folder / "code.new").rename(folder / "code")
"""


class FolderPlace(Place[Path]):
    """Jobs in sessions of their own, found again by a folder that bears their token."""

    name = "a folder"
    interval = 0.2

    def __init__(self, root: Path) -> None:
        self._root = root

    def launch(self, spec: JobSpec) -> Path:
        folder = self._root / spec.token
        folder.mkdir(parents=True)
        arguments = [sys.executable, "-c", WRAPPER, str(folder), *spec.command]
        process = subprocess.Popen(arguments, env={**os.environ, **spec.env}, start_new_session=True)
        (folder / "pid").write_text(str(process.pid))
        process.returncode = 0  # it is not ours to wait for
        return folder

    def poll(self, handle: Path) -> JobState:
        code = handle / "code"
        if code.exists():
            return JobState.ended(process_end("job", int(code.read_text())))
        try:
            os.kill(int((handle / "pid").read_text()), 0)
        except ProcessLookupError:
            return JobState.ended(JobEnd(Cause.UNKNOWN, "it is gone"))
        return RUNNING

    def terminate(self, handle: Path, urgency: Urgency) -> None:
        raise AssertionError("nobody is to be ended here")

    def find(self, token: str) -> Path | None:
        folder = self._root / token
        return folder if folder.exists() else None


@dg.asset
def orders(context: dg.AssetExecutionContext):
    folder = Path(os.environ[FOLDER])
    client: PipesPlaceClient[Any] = PipesPlaceClient(
        FolderPlace(folder / "jobs"), env={**ENV, "PYTHONPATH": str(SOURCE)}, url=f"file://{folder}/lake?interval=200ms"
    )
    command_line = command(WAITS_FOR_GO)
    return client.run(context=context, command=command_line, extras={"folder": str(folder)}).get_materialize_result()


definitions = dg.Definitions(
    assets=[orders],
    jobs=[dg.define_asset_job("nightly", selection=["orders"], executor_def=dg.in_process_executor)],
)


def nightly() -> dg.JobDefinition:
    """The job, for Dagster to load by this name."""
    find = getattr(definitions, "resolve_job_def", None) or definitions.get_job_def
    return find("nightly")


if __name__ == "__main__":
    with dg.DagsterInstance.local_temp(sys.argv[1]) as the_instance:
        dg.execute_job(dg.reconstructable(nightly), instance=the_instance)
