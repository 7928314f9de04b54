"""Amazon S3, and what speaks its language, through a `boto3.client("s3")`.

Nothing of boto3 is imported here: the client does all. How often it tries, and how long, is its own `Config`'s
business; the calls take no such argument.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from blobpipes.storage.cloud_calls import as_seconds
from blobpipes.storage.store import ObjectInfo

_HANDLER: Final = "blobpipes-create-only"
_creating = threading.local()  # whether this thread's request is a create-only one


class S3Bucket:
    """One bucket. boto3's clients may be used by several threads, and so may this."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._knows_condition = _knows_condition(client)

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}"

    def create(self, name: str, data: bytes) -> None:
        if self._knows_condition:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=data, IfNoneMatch="*")
        else:
            with _condition_by_header(self._client):
                self.replace(name, data)

    def replace(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=name, Body=data)

    def read(self, name: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        return body

    def find(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                yield ObjectInfo(found["Key"], found["Size"], as_seconds(found.get("LastModified")), found.get("ETag"))

    def remove(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=name)


def _knows_condition(client: Any) -> bool:
    """Whether `put_object` has the parameter: since August 2024, and Glue 4 and 5 ship older ones."""
    return "IfNoneMatch" in client.meta.service_model.operation_model("PutObject").input_shape.members


@contextmanager
def _condition_by_header(client: Any) -> Iterator[None]:
    """For an older client: S3 knows the header whether the client does or not. Only this thread's requests get it."""
    client.meta.events.register("before-call.s3.PutObject", _add_condition, unique_id=_HANDLER)
    _creating.now = True
    try:
        yield
    finally:
        _creating.now = False


def _add_condition(params: dict[str, Any], **_: Any) -> None:
    if getattr(_creating, "now", False):
        params["headers"]["If-None-Match"] = "*"
