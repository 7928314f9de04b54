"""Small programs for the subprocess client's tests. Our own external side, in real processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SOURCE = str(Path(__file__).resolve().parents[2] / "src")

OPEN = "from blobpipes import open_dagster_pipes\nimport os, signal, sys, time\n"

REPORTS = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.log.info("working on %s", pipes.partition_key)
    pipes.report_asset_materialization(metadata={{"rows": pipes.extras.get("rows", 3)}})
    pipes.report_asset_check("not_empty", True)
    pipes.report_custom_message({{"argument": sys.argv[1:], "cwd": os.getcwd(), "mode": os.environ.get("MODE")}})
"""

RAISES = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    raise ValueError("no rows")
"""

EXITS = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
sys.exit(3)
"""

KILLS_ITSELF = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    os.kill(os.getpid(), signal.SIGKILL)
"""

WAITS_TO_BE_STOPPED = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    time.sleep(60)
"""

IGNORES_SIGNALS = f"""{OPEN}
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    time.sleep(60)
"""

SILENT = "print('not a pipes job')"


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def environment() -> dict[str, str]:
    """What a job needs to find this source tree."""
    return {"PYTHONPATH": os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")])}
