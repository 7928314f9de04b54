"""All that a context tells, and every kind of report, as a job without loaders of its own writes them."""

import logging

import dagster_pipes

with dagster_pipes.open_dagster_pipes() as pipes:
    assert dagster_pipes.PipesContext.is_initialized()
    assert dagster_pipes.PipesContext.get() is pipes
    assert isinstance(pipes, dagster_pipes.PipesContext)
    data: dagster_pipes.PipesContextData = pipes._data
    window: dagster_pipes.PipesTimeWindow = pipes.partition_time_window
    span: dagster_pipes.PipesPartitionKeyRange = pipes.partition_key_range
    known: dagster_pipes.PipesDataProvenance = pipes.provenance_by_asset_key["orders"]
    told: dagster_pipes.PipesExtras = pipes.extras
    pipes.report_custom_message([window, span, known, told, sorted(data)])
    pipes.report_custom_message(
        [
            pipes.is_asset_step,
            pipes.asset_keys,
            pipes.code_version_by_asset_key,
            pipes.is_partition_step,
            pipes.partition_key,
            pipes.run_id,
            pipes.job_name,
            pipes.retry_number,
            pipes.get_extra("limit"),
        ]
    )
    for name in ("asset_key", "provenance", "code_version"):
        try:
            getattr(pipes, name)
        except dagster_pipes.DagsterPipesError:  # noqa: PERF203 - of two assets none is the one
            pipes.log.warning("there is not one %s", name)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        pipes.log.log(level, "of level %d, and é", level)
    severity: dagster_pipes.PipesAssetCheckSeverity = "WARN"
    kind: dagster_pipes.PipesMetadataType = "md"
    raw: dagster_pipes.PipesMetadataRawValue = "# Title"
    value: dagster_pipes.PipesMetadataValue = {"type": kind, "raw_value": raw}
    inferred = {"type": dagster_pipes.PIPES_METADATA_TYPE_INFER, "raw_value": [1, {"a": None}]}
    pipes.report_asset_check("rows", True, asset_key="orders")
    pipes.report_asset_check("prices", passed=False, severity=severity, metadata={"n": 3}, asset_key="a\\/b/c")
    pipes.report_asset_materialization(
        {"text": "x", "number": 1.5, "nothing": None, "page": value, "list": inferred}, "version 1", "orders"
    )
    pipes.report_asset_materialization(asset_key="a\\/b/c", metadata={})
    pipes.log_external_stream("stdout", "two\nlines\n", extras={"from": "elsewhere"})
    pipes.log_external_stream("stderr", "one")
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("the job failed") from error
