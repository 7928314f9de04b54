"""Which of several processes is this one? Each of them writes to a lane of its own: a log beside the others.

Batch services and launchers of parallel programs tell each process its index in an environment variable. It is
looked at only where the orchestration side has announced lanes: a single process keeps to the one log that it
was given, whatever else its environment says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from blobpipes.errors import DagsterPipesError

LANE_VARIABLE: Final = "BLOBPIPES_LANE"

INDEX_VARIABLES: Final = (
    LANE_VARIABLE,
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "CLOUD_RUN_TASK_INDEX",
    "BATCH_TASK_INDEX",  # Google Cloud Batch
    "JOB_COMPLETION_INDEX",  # Kubernetes, indexed jobs
    "SLURM_ARRAY_TASK_ID",
    "SLURM_PROCID",
    "RANK",  # torchrun
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def lane_of(environment: Mapping[str, str], announced: Any) -> str | None:
    """This process' lane; None where no lanes were announced.

    `announced` is what the messages params say: None, a number of lanes, or "auto".

    Raises:
        DagsterPipesError: lanes were announced, and nothing tells which one this is, or it is not one of them.
    """
    if announced is None:
        return None
    variable = next((name for name in INDEX_VARIABLES if environment.get(name)), None)
    if variable is None:
        raise DagsterPipesError(
            "the session has several lanes, and nothing says which one is this process'",
            remedy=f"Set {LANE_VARIABLE} to a different number (from 0) or name for each process.",
        )
    lane = environment[variable]
    if not _NAME.fullmatch(lane):
        raise DagsterPipesError(f"{variable}={lane!r} is no lane", remedy="Letters, digits, '.', '_' and '-' only.")
    if isinstance(announced, int) and not (lane.isdigit() and int(lane) < announced):
        raise DagsterPipesError(
            f"{variable}={lane} is none of the session's {announced} lanes",
            remedy=f"Lanes are numbered from 0 to {announced - 1}: open the session with one for each process.",
        )
    return lane
