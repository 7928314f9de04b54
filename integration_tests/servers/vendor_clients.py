"""The vendors' own clients for the servers on this machine, as a program on Lambda, Dataproc or Azure makes them."""

from __future__ import annotations

import os
from typing import Any

from blobpipes.storage.sdk.azure import AzureContainer
from blobpipes.storage.sdk.client_store import ClientStore
from blobpipes.storage.sdk.gcs import GcsBucket
from blobpipes.storage.sdk.s3 import S3Bucket
from blobpipes.storage.url import bucket_and_prefix
from integration_tests.servers.clouds import Cloud


def vendor_client(scheme: str, **options: Any) -> Any:
    """A client that finds its server and credentials in this process's environment."""
    if scheme == "s3":
        import boto3

        return boto3.client("s3", **options)
    if scheme == "gs":
        # else it asks for the bucket too, once and in the background, for what it tells a tracer
        os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        return Client(project="test", credentials=AnonymousCredentials(), **options)
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"], **options)


def client_store(cloud: Cloud, client: Any = None) -> ClientStore:
    """The store at the cloud's place, through `client` or one of its own."""
    place = bucket_and_prefix(cloud.url)
    assert place is not None
    bucket, prefix = place
    client = client or vendor_client(cloud.scheme)
    kinds: dict[str, Any] = {"s3": S3Bucket, "gs": GcsBucket, "az": AzureContainer}
    return ClientStore(kinds[cloud.scheme](client, bucket), f"{prefix}/")
