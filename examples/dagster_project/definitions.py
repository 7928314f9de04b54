"""A Dagster code location: a year of flights, one partition for each month, by a job that knows nothing of Dagster.

The job is examples/flights/job.py. It finds its month in the context that Dagster sends, and reports logs, ten checks
and a materialization through the storage URL. Here it runs on the machine of the step; it could run wherever the URL
can be reached. Where things live comes from the environment:

    BLOBPIPES_URL        under which sessions live, such as s3://my-bucket/pipes?interval=5s
    FLIGHTS_RESULTS_URL  where the job puts its files: any fsspec URL
"""

import sys
from pathlib import Path

import dagster as dg

from blobpipes.dagster import PipesBlobStoreResource

JOB = Path(__file__).resolve().parents[1] / "flights" / "job.py"
MONTHLY_DELAYS = dg.AssetKey(["flights", "monthly_delays"])
MONTHS = dg.MonthlyPartitionsDefinition("2013-01", end_date="2014-01", fmt="%Y-%m")
CHECKS = [
    "row_count",
    "every_day_has_flights",
    "no_duplicates",
    "only_cancelled_flights_lack_departures",
    "delays_match_the_clock",
    "plausible_delays",
    "plausible_speeds",
    "plausible_distances",
    "arrivals_are_recorded",
    "few_cancellations",
]


class ResultsFolder(dg.ConfigurableResource):
    """Where the job puts its files."""

    url: str


@dg.asset(
    key=MONTHLY_DELAYS,
    partitions_def=MONTHS,
    check_specs=[dg.AssetCheckSpec(name, asset=MONTHLY_DELAYS) for name in CHECKS],
)
def monthly_delays(context: dg.AssetExecutionContext, pipes: PipesBlobStoreResource, results: ResultsFolder):
    """How late a month's flights from New York were, airline by airline, with a chart and ten checks of its data."""
    client = pipes.subprocess_client()
    run = client.run(context=context, command=[sys.executable, str(JOB)], extras={"results_url": results.url})
    return run.get_materialize_result()


@dg.asset(key=["flights", "punctuality"], deps=[MONTHLY_DELAYS])
def punctuality(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """How many flights were on time, month by month, from what the job has reported."""
    found = context.instance.fetch_materializations(MONTHLY_DELAYS, limit=1000).records
    newest = {record.partition_key: record.asset_materialization for record in reversed(found)}
    made = {month: event.metadata for month, event in sorted(newest.items()) if event is not None}
    rows = [f"| {month} | {of['flights'].value:,} | {of['on_time_percent'].value} |" for month, of in made.items()]
    table = "\n".join(["| month | flights | on time, % |", "| --- | --- | --- |", *rows])
    return dg.MaterializeResult(metadata={"months": len(made), "months_table": dg.MetadataValue.md(table)})


every_month = dg.define_asset_job("every_month", selection=[monthly_delays], partitions_def=MONTHS)

defs = dg.Definitions(
    assets=[monthly_delays, punctuality],
    schedules=[dg.build_schedule_from_partitioned_job(every_month, hour_of_day=4)],
    resources={
        "pipes": PipesBlobStoreResource(url=dg.EnvVar("BLOBPIPES_URL"), include_stdio_in_messages=True),
        "results": ResultsFolder(url=dg.EnvVar("FLIGHTS_RESULTS_URL")),
    },
)
