"""What a storage URL says, and how it may be shown.

`scheme://place/prefix?option=value&...`: what stands before the `?` belongs to fsspec (chained URLs too),
what follows it is ours. Pure text work: nothing here knows which schemes exist or talks to a store.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from blobpipes.errors import InvalidOptionError, InvalidUrlError

BUCKET_SCHEMES: Final = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes whose first part is a bucket or container, as the official blob-store packages know them."""

_LOCAL_SCHEMES: Final = ("file", "local")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")
_HALF_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:(?!/{2})")  # `s3:/b`; one letter is a Windows drive


@dataclass(frozen=True, slots=True)
class StorageUrl:
    """A storage URL taken apart. `base` may hold a password: show it through `without_secrets` only."""

    base: str = field(repr=False)  # for fsspec; no trailing slash; a literal `?` in it is written %3F
    options: Mapping[str, str]  # ours, as text

    def __repr__(self) -> str:
        return f"StorageUrl({without_secrets(self.base)!r}, options={sorted(self.options)})"


def parse_url(text: str) -> StorageUrl:
    """Split a URL, or a plain path of this machine, into fsspec's part and our options.

    Raises:
        InvalidUrlError: no text, half a scheme, no bucket, or credentials in the bucket's place.
        InvalidOptionError: an option without a value, or one given twice.
    """
    head, mark, last = text.strip().rpartition("::")
    place, _, query = last.partition("?")
    if not head + place:
        raise InvalidUrlError("the storage URL is empty")
    base = head + mark + (_normal_place(place) if "://" in place or not mark else place)
    return StorageUrl(base, _parse_query(query))


def scheme_of(base: str) -> str:
    """Scheme of the place where the bytes end up: for a chained URL that of the last element."""
    match = _SCHEME.match(base.rpartition("::")[2])
    return match[1].lower() if match else "file"


def join(base: str, *parts: str) -> str:
    """`base` with more path: `join("s3://b/p", "run-1", "1.json")` is `s3://b/p/run-1/1.json`."""
    elements = base.split("::")
    at = next((i for i, element in enumerate(elements) if "://" in element), len(elements) - 1)
    tail = [part.strip("/").replace("?", "%3F") for part in parts if part.strip("/")]
    root = elements[at]
    separator = "" if root.endswith("/") or not tail else "/"
    elements[at] = root + separator + "/".join(tail)
    return "::".join(elements)


def bucket_and_prefix(base: str) -> tuple[str, str] | None:
    """Bucket (or container) and key prefix, without outer slashes; None where the scheme has no buckets."""
    if "::" in base or scheme_of(base) not in BUCKET_SCHEMES:
        return None
    place, _, prefix = base.partition("://")[2].partition("/")
    return place.partition("@")[0], fsspec_text(prefix).strip("/")


def local_path(base: str) -> str | None:
    """The directory that a `file://` base means; None for every other scheme."""
    if "::" in base or scheme_of(base) not in _LOCAL_SCHEMES:
        return None
    return fsspec_text(base.partition("://")[2])


def fsspec_text(base: str) -> str:
    """`base` as fsspec wants it: `%3F` becomes the `?` that it stands for. Nothing else is decoded."""
    return re.sub("%3F", "?", base, flags=re.IGNORECASE)


# --- what may be shown ------------------------------------------------------------------------------

_HIDDEN: Final = "***"
_USERINFO: Final = re.compile(r"(://[^/@:\s?#]*):[^/\s?#]*@")
_SECRET_NAMES: Final = (
    r"sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token)|awsaccesskeyid|googleaccessid"
    r"|accountkey|account_key|sharedaccesskey|sharedaccesssignature|sas_token|client_secret|secret|secret_key"
    r"|aws_secret_access_key|aws_session_token|access_key|access_token|refresh_token|session_token|token"
    r"|password|passwd|pwd|api_?key|private_key"
)
_PAIR: Final = re.compile(rf"(?i)(?<![\w-])['\"]?({_SECRET_NAMES})['\"]?(\s*[=:]\s*)['\"]?[^&;,\s'\"]+['\"]?")
_HEADER: Final = re.compile(r"(?i)\b(bearer|basic|sharedkey|sharedkeylite)\s+[A-Za-z0-9+/=:._~\-]{8,}")


def redact(text: str) -> str:
    """`text` without what looks like a secret: passwords in URLs, signatures, keys and tokens in pairs."""
    text = _USERINFO.sub(rf"\1:{_HIDDEN}@", text)
    text = _PAIR.sub(rf"\1\2{_HIDDEN}", text)
    return _HEADER.sub(rf"\1 {_HIDDEN}", text)


def without_secrets(url: str) -> str:
    """The URL as people and other processes may see it: no password, no options, no query."""
    elements = [element.partition("?")[0] for element in url.split("::")]
    return "::".join(re.sub(r"(://[^/@:]*):[^/]*@", r"\1@", element) for element in elements)


# --- parts ------------------------------------------------------------------------------------------


def _normal_place(place: str) -> str:
    match = _SCHEME.match(place)
    if match is None:
        return _from_plain_path(place)
    scheme, rest = match[1].lower(), place[match.end() :]
    if scheme in _LOCAL_SCHEMES:
        return _from_file_url(rest)
    if scheme in BUCKET_SCHEMES:
        _require_bucket(scheme, rest.partition("/")[0])
    return f"{scheme}://{rest.rstrip('/')}"


def _from_plain_path(text: str) -> str:
    half = _HALF_SCHEME.match(text)
    if half is not None:
        scheme = half[0].rstrip(":")
        raise InvalidUrlError(
            f"{redact(text)!r} is neither a URL nor a plain path",
            remedy=f"Write {scheme}://... for a URL, or ./{half[0]}... for a path with a colon.",
        )
    return _file_url(Path(text).expanduser())


def _from_file_url(rest: str) -> str:
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    if not path.startswith(("/", "~")) and not re.match(r"[A-Za-z]:", path):
        example = rest or "dir"
        raise InvalidUrlError(
            f"file URL {'file://' + rest!r} has no absolute path",
            remedy=f"Write file:///{example} for an absolute path, or {example!r} alone for a relative one.",
        )
    return _file_url(Path(path).expanduser())


def _file_url(path: Path) -> str:
    text = Path(os.path.normpath(path.absolute())).as_posix().replace("?", "%3F")
    return "file://" + (text if text.startswith("/") else "/" + text)


def _require_bucket(scheme: str, place: str) -> None:
    bucket, at, _ = place.partition("@")
    if not bucket:
        raise InvalidUrlError(f"the URL {scheme}://... names no bucket")
    if ":" in bucket or (at and scheme in ("s3", "s3a", "gs", "gcs")):
        raise InvalidUrlError(
            f"the URL {scheme}://... has something other than a bucket's name in its first part",
            remedy="Never put credentials into the URL; pass storage_options or set the provider's variables.",
        )


def _parse_query(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not value:
            raise InvalidOptionError(f"option {name!r} in the URL has no value", remedy="Write ?option=value&...")
        if name in options:
            raise InvalidOptionError(f"option {name!r} stands twice in the URL", remedy="Give each option once.")
        options[name] = value
    return options
