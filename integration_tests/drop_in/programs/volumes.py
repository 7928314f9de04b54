"""A job on Databricks without a cluster of its own: context and messages in a volume."""

import dagster_pipes

with dagster_pipes.open_dagster_pipes(
    params_loader=dagster_pipes.PipesEnvVarParamsLoader(),
    context_loader=dagster_pipes.PipesUnityCatalogVolumesContextLoader(),
    message_writer=dagster_pipes.PipesUnityCatalogVolumesMessageWriter(interval=0),
) as pipes:
    pipes.log.info("on %s", pipes.get_extra("name"))
