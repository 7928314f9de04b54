"""A job in a Prefect run: messages among its logs, and what is too long for them."""

import logging
import os
from pathlib import Path

import dagster_pipes

handler = logging.FileHandler(Path(os.environ["FOLDER"], "lines"))
handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
logger = logging.getLogger("prefect")
logger.addHandler(handler)
logger.setLevel(logging.INFO)

writer = dagster_pipes.PipesPrefectLogsMessageWriter()
with writer.open({"prefect_logs": True}) as channel:
    assert isinstance(channel, dagster_pipes.PipesPrefectLogsMessageWriterChannel)
with dagster_pipes.open_dagster_pipes(message_writer=writer) as pipes:
    pipes.log.info("é %s", 1)
    pipes.report_asset_materialization({"rows": 3})
