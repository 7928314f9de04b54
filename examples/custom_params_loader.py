"""A params loader of your own: for a place where neither variables nor arguments can be set for a job.

Here jobs are started by tickets, files in a folder that a worker watches, and the params travel in the ticket. Run
without arguments this program is the orchestration process; `run_ticket` stands for the worker.

    python custom_params_loader.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from blobpipes import PipesMappingParamsLoader, RunContext, open_dagster_pipes, open_pipes_session


class PipesTicketParamsLoader(PipesMappingParamsLoader):
    """The params from the ticket that this process was started for: a JSON file with the object `pipes`."""

    def __init__(self, ticket: Path) -> None:
        super().__init__(json.loads(ticket.read_text(encoding="utf-8")).get("pipes", {}))


def job(ticket: Path) -> None:
    with open_dagster_pipes(params_loader=PipesTicketParamsLoader(ticket)) as pipes:
        pipes.log.info("working on %s", ticket.name)
        pipes.report_custom_message({"greeting": f"hello, {pipes.get_extra('name')}"})


def orchestrate(folder: Path) -> list[str]:
    """What the job answers."""
    url = f"{folder.as_uri()}?interval=1s"
    with open_pipes_session(RunContext(), url=url, extras={"name": "ticket reader"}) as session:
        ticket = folder / "ticket-1.json"
        ticket.write_text(json.dumps({"pipes": session.get_bootstrap_env_vars()}), encoding="utf-8")
        run_ticket(ticket)
    return [message["greeting"] for message in session.get_custom_messages()]


def run_ticket(ticket: Path) -> None:
    """What the worker does when it finds a ticket: only the file's name is handed on."""
    subprocess.run([sys.executable, __file__, str(ticket)], check=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        job(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            print(*orchestrate(Path(scratch)), sep="\n")
