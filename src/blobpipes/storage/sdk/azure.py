"""Azure Blob Storage through an `azure.storage.blob.BlobServiceClient`.

Nothing of Azure's is imported here: the client does all. It is told with each call not to try again by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from blobpipes.storage.cloud_calls import as_seconds, is_azure_directory
from blobpipes.storage.sdk.client_store import TIMEOUT
from blobpipes.storage.store import ObjectInfo

_ONCE: Final[dict[str, Any]] = {"retry_total": 0, "connection_timeout": TIMEOUT, "read_timeout": TIMEOUT}


class AzureContainer:
    """One container. Azure's clients may be used by several threads, and so may this."""

    def __init__(self, client: Any, container: str) -> None:
        self._client = client.get_container_client(container)
        self._container = container

    @property
    def url(self) -> str:
        return f"az://{self._container}"

    def create(self, name: str, data: bytes) -> None:
        self._client.get_blob_client(name).upload_blob(data, overwrite=False, **_ONCE)

    def replace(self, name: str, data: bytes) -> None:
        self._client.get_blob_client(name).upload_blob(data, overwrite=True, **_ONCE)

    def read(self, name: str) -> bytes:
        data: bytes = self._client.get_blob_client(name).download_blob(**_ONCE).readall()
        return data

    def find(self, prefix: str) -> Iterator[ObjectInfo]:
        for found in self._client.list_blobs(name_starts_with=prefix, include=["metadata"], **_ONCE):
            if not is_azure_directory(found):
                yield ObjectInfo(found.name, found.size, as_seconds(found.last_modified), found.etag)

    def remove(self, name: str) -> None:
        self._client.get_blob_client(name).delete_blob(**_ONCE)
