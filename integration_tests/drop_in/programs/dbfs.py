"""A job on Databricks: context and messages on DBFS, params from a notebook's widgets."""

import json
import os

import dagster_pipes


class Widgets:
    """As `dbutils.widgets` in a job."""

    def get(self, name):
        return json.loads(os.environ["EVENT"])[name]


with dagster_pipes.open_dagster_pipes(
    params_loader=dagster_pipes.PipesDatabricksNotebookWidgetsParamsLoader(Widgets()),
    context_loader=dagster_pipes.PipesDbfsContextLoader(),
    message_writer=dagster_pipes.PipesDbfsMessageWriter(interval=1),
) as pipes:
    pipes.log.info("on %s", pipes.get_extra("name"))
