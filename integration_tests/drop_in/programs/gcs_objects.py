"""Context and messages in Google Cloud Storage, through a client."""

import dagster_pipes
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

client = Client(project="test", credentials=AnonymousCredentials())
with dagster_pipes.open_dagster_pipes(
    context_loader=dagster_pipes.PipesGCSContextLoader(client=client),
    message_writer=dagster_pipes.PipesGCSMessageWriter(client=client, interval=1),
) as pipes:
    pipes.log.info("hé, %s", pipes.get_extra("name"))
    pipes.report_asset_materialization({"rows": 3})
