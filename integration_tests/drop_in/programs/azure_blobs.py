"""Context and messages in Azure Blob Storage, through a client."""

import os

import dagster_pipes
from azure.storage.blob import BlobServiceClient

client = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
with dagster_pipes.open_dagster_pipes(
    context_loader=dagster_pipes.PipesAzureBlobStorageContextLoader(client),
    message_writer=dagster_pipes.PipesAzureBlobStorageMessageWriter(client, interval=1),
) as pipes:
    pipes.log.info("hé, %s", pipes.get_extra("name"))
    pipes.report_asset_materialization({"rows": 3})
