"""What the three clouds are asked directly, over the file system's own client: one request for one thing.

fsspec's `find` asks more than once (is it a file? is it a directory?), fills caches, and on Azure takes a missing
container for an empty one; adlfs learned to delete one object only in 2025.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from blobpipes.storage.backends import AZURE, GCS, S3, Backend
from blobpipes.storage.store import ObjectInfo

Pages = AsyncIterator[list[ObjectInfo]]  # keys are whole names in the bucket


async def _s3_pages(fs: Any, bucket: str, prefix: str) -> Pages:
    more: dict[str, str] = {}
    while True:
        page = await fs._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
        yield [
            ObjectInfo(found["Key"], found["Size"], as_seconds(found.get("LastModified")), found.get("ETag"))
            for found in page.get("Contents", [])
        ]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


async def _gcs_pages(fs: Any, bucket: str, prefix: str) -> Pages:
    more: dict[str, str] = {}
    while True:
        page = await fs._call("GET", "b/{}/o", bucket, prefix=prefix, maxResults=1000, json_out=True, **more)
        yield [
            ObjectInfo(found["name"], int(found.get("size", 0)), as_seconds(found.get("updated")), _gcs_version(found))
            for found in page.get("items", [])
        ]
        if not page.get("nextPageToken"):
            return
        more = {"pageToken": page["nextPageToken"]}


async def _azure_pages(fs: Any, container: str, prefix: str) -> Pages:
    async with fs.service_client.get_container_client(container=container) as client:
        blobs = client.list_blobs(name_starts_with=prefix, include=["metadata"])
        async for page in blobs.by_page():
            yield [
                ObjectInfo(found.name, found.size, as_seconds(found.last_modified), found.etag)
                async for found in page
                if not is_azure_directory(found)
            ]


_PAGES: Final[Mapping[str, Callable[[Any, str, str], Pages]]] = {
    S3.package: _s3_pages,
    GCS.package: _gcs_pages,
    AZURE.package: _azure_pages,
}


def list_pages(backend: Backend, fs: Any, root: str, prefix: str) -> Pages:
    """Pages of what lies under `root` (`bucket/prefix`), keys relative to it, in the backend's order."""
    bucket, _, top = root.partition("/")
    top = top + "/" if top else ""
    return _relative(_PAGES[backend.package](fs, bucket, top + prefix), top)


async def _relative(pages: Pages, top: str) -> Pages:
    async for page in pages:
        yield [
            ObjectInfo(found.key[len(top) :], found.size, found.modified, found.version)
            for found in page
            if not found.key.endswith("/")  # what consoles write to show an empty folder
        ]


async def delete_azure_blob(fs: Any, path: str) -> None:
    container, _, name = path.partition("/")
    async with fs.service_client.get_container_client(container=container) as client:
        await client.delete_blob(name)


def from_find(found: Mapping[str, Mapping[str, Any]], root: str) -> list[ObjectInfo]:
    """What the generic `find(root, detail=True)` says, keys relative to `root`."""
    top = root.strip("/") + "/" if root.strip("/") else ""
    return [_from_info(name.lstrip("/")[len(top) :], info) for name, info in found.items() if info["type"] == "file"]


def _from_info(key: str, info: Mapping[str, Any]) -> ObjectInfo:
    modified = next((info[name] for name in _MODIFIED if info.get(name) is not None), None)
    version = next((str(info[name]) for name in _VERSION if info.get(name) is not None), None)
    return ObjectInfo(key, int(info.get("size") or 0), as_seconds(modified), version or _weak_version(info, modified))


_MODIFIED: Final = ("mtime", "modified", "LastModified", "last_modified", "updated", "created")
_VERSION: Final = ("ETag", "etag", "generation", "version_id")


def _weak_version(info: Mapping[str, Any], modified: Any) -> str | None:
    return None if modified is None else f"{modified}-{info.get('size')}"


def as_seconds(moment: Any) -> float | None:
    """Seconds since 1970 from what backends call a time; None from what is none."""
    if isinstance(moment, str):
        text = moment.replace("Z", "+00:00")  # Python 3.10 reads neither Z nor more than six decimals
        whole, dot, rest = text.partition(".")
        if dot:
            digits, sign, zone = rest.partition("+")
            text = f"{whole}.{digits[:6].ljust(6, '0')}{sign}{zone}"
        moment = datetime.fromisoformat(text)
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, (int, float)) else None


def _gcs_version(found: Mapping[str, Any]) -> str | None:
    return found.get("generation") or found.get("etag")


def is_azure_directory(blob: Any) -> bool:
    """With hierarchical namespaces directories are listed as empty blobs with a mark."""
    marks = {str(name).lower(): value for name, value in (blob.metadata or {}).items()}
    return str(marks.get("hdi_isfolder", "")).lower() == "true" or str(marks.get("is_directory", "")).lower() == "true"
