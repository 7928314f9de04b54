"""The job: sums the squares of the numbers up to the limit that it is given."""

from blobpipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    limit = pipes.get_extra("limit")
    pipes.log.info("summing the squares up to %d", limit)
    total = sum(number**2 for number in range(limit + 1))
    pipes.report_asset_check("closed_form_agrees", total == limit * (limit + 1) * (2 * limit + 1) // 6)
    pipes.report_asset_materialization(metadata={"total": total})
