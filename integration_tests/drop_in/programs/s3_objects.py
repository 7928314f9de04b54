"""Context and messages in S3, through a client."""

import boto3
import dagster_pipes

client = boto3.client("s3")
with dagster_pipes.open_dagster_pipes(
    context_loader=dagster_pipes.PipesS3ContextLoader(client),
    message_writer=dagster_pipes.PipesS3MessageWriter(client, interval=1),
) as pipes:
    pipes.log.info("hé, %s", pipes.get_extra("name"))
    pipes.report_asset_materialization({"rows": 3})
