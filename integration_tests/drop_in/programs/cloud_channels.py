"""The three clouds' channels by hand, each with what its writer would give it."""

import os

import boto3
import dagster_pipes
from azure.storage.blob import BlobServiceClient
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

scheme, bucket, prefix = os.environ["SCHEME"], os.environ["BUCKET"], os.environ["PREFIX"] or None
if scheme == "s3":
    channel = dagster_pipes.PipesS3MessageWriterChannel(boto3.client("s3"), bucket, prefix, interval=0)
elif scheme == "gs":
    client = Client(project="test", credentials=AnonymousCredentials())
    channel = dagster_pipes.PipesGCSMessageWriterChannel(client, bucket, prefix, interval=0)
else:
    client = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
    channel = dagster_pipes.PipesAzureBlobStorageMessageWriterChannel(client, bucket, prefix, interval=0)

envelope = {dagster_pipes.PIPES_PROTOCOL_VERSION_FIELD: dagster_pipes.PIPES_PROTOCOL_VERSION}
with channel.buffered_upload_loop():
    channel.write_message({**envelope, "method": "opened", "params": {"extras": {}}})
    channel.write_message({**envelope, "method": "log", "params": {"message": "by hand", "level": "INFO"}})
    channel.write_message({**envelope, "method": "closed", "params": {}})
