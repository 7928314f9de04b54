"""The context from, and messages to, S3, Google Cloud Storage and Azure Blob Storage, under the official names."""

from __future__ import annotations

from typing import Final

from blobpipes.external.drop_in.client_io import ClientChannel, ClientContextLoader, ClientMessageWriter
from blobpipes.external.drop_in.vendor import Vendor
from blobpipes.storage.sdk.azure import AzureContainer
from blobpipes.storage.sdk.gcs import GcsBucket
from blobpipes.storage.sdk.s3 import S3Bucket

_S3: Final = Vendor(("s3", "s3a"), 'boto3.client("s3")', "put_object", S3Bucket)
_GCS: Final = Vendor(("gs", "gcs"), "google.cloud.storage.Client", "list_blobs", GcsBucket)
_AZURE: Final = Vendor(
    ("az", "abfs", "abfss"), "azure.storage.blob.BlobServiceClient", "get_container_client", AzureContainer
)


class PipesS3ContextLoader(ClientContextLoader):
    """Reads the context from S3, through a `boto3.client("s3")` or by URL."""

    _vendor = _S3


class PipesS3MessageWriterChannel(ClientChannel):
    """Chunks in a bucket of S3."""

    _vendor = _S3


class PipesS3MessageWriter(ClientMessageWriter[PipesS3MessageWriterChannel]):
    """Writes messages to S3, through a `boto3.client("s3")` or by URL."""

    _vendor, _channel = _S3, PipesS3MessageWriterChannel


class PipesGCSContextLoader(ClientContextLoader):
    """Reads the context from Google Cloud Storage, through a `google.cloud.storage.Client` or by URL."""

    _vendor = _GCS


class PipesGCSMessageWriterChannel(ClientChannel):
    """Chunks in a bucket of Google Cloud Storage."""

    _vendor = _GCS


class PipesGCSMessageWriter(ClientMessageWriter[PipesGCSMessageWriterChannel]):
    """Writes messages to Google Cloud Storage, through a `google.cloud.storage.Client` or by URL."""

    _vendor, _channel = _GCS, PipesGCSMessageWriterChannel


class PipesAzureBlobStorageContextLoader(ClientContextLoader):
    """Reads the context from Azure Blob Storage, through a `BlobServiceClient` or by URL."""

    _vendor = _AZURE


class PipesAzureBlobStorageMessageWriterChannel(ClientChannel):
    """Chunks in a container of Azure Blob Storage."""

    _vendor = _AZURE


class PipesAzureBlobStorageMessageWriter(ClientMessageWriter[PipesAzureBlobStorageMessageWriterChannel]):
    """Writes messages to Azure Blob Storage, through a `BlobServiceClient` or by URL."""

    _vendor, _channel = _AZURE, PipesAzureBlobStorageMessageWriterChannel
