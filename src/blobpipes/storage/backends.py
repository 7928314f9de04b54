"""What we know of single backends: which package serves a scheme, from which version, and how to hold it.

Data and small functions over duck-typed file systems; nothing here imports one. A scheme without an entry
works too, with the generic fsspec verbs and without promises.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from blobpipes.errors import MissingBackendError


@dataclass(frozen=True, slots=True)
class Backend:
    """One family of schemes."""

    schemes: tuple[str, ...]
    package: str  # on PyPI and to import
    extra: str  # pip install "blobpipes[extra]"
    minimum: tuple[int, int]  # from this version on, mode="create" is one conditional request
    page: int  # objects in one LIST answer, so that listings can be priced
    place: str  # what people call the first part of the URL


S3: Final = Backend(("s3", "s3a"), "s3fs", "s3", (2024, 12), page=1000, place="bucket")
GCS: Final = Backend(("gs", "gcs"), "gcsfs", "gcs", (2024, 12), page=1000, place="bucket")
AZURE: Final = Backend(("az", "abfs", "abfss"), "adlfs", "azure", (2024, 12), page=5000, place="container")

BACKENDS: Final = (S3, GCS, AZURE)


def backend_of(scheme: str) -> Backend | None:
    """The family that serves a scheme; None for schemes that we leave to fsspec alone."""
    return next((backend for backend in BACKENDS if scheme in backend.schemes), None)


def require_version(backend: Backend, version: str) -> None:
    """Refuse releases whose create-only write silently overwrites.

    Raises:
        MissingBackendError: the version is known to be too old.
    """
    parts = version.split(".")[:2]
    if all(part.isdigit() for part in parts) and tuple(map(int, parts)) < backend.minimum:
        least = "{}.{}".format(*backend.minimum)
        raise MissingBackendError(
            f"{backend.package} {version} is too old: its create-only write overwrites what is there",
            remedy=f'Run: pip install --upgrade "blobpipes[{backend.extra}]" (at least {backend.package} {least})',
        )


def version_of(backend: Backend) -> str:
    """The installed version, or "unknown" for a package that does not say."""
    return str(getattr(sys.modules.get(backend.package), "__version__", "unknown"))


def prepare_environment(backend: Backend, options: Mapping[str, Any]) -> None:
    """What must be set before the package is imported."""
    if backend is GCS and is_gcs_emulator(options):
        # gcsfs would first ask gRPC for the bucket's type, which no emulator answers: 60 s for each bucket
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


def is_gcs_emulator(options: Mapping[str, Any]) -> bool:
    """Whether gs:// means a local server."""
    return bool(options.get("endpoint_url") or os.environ.get("STORAGE_EMULATOR_HOST"))


def plain_class(backend: Backend, cls: Any) -> Any:
    """The class that does one thing per call.

    gcsfs's default asks gRPC for the bucket's type: once, or before every single request where it may not know. Only
    zonal buckets need that; whoever has one sets GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT=true.
    """
    asked_for = os.environ.get("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "").lower() in ("true", "1")
    core = sys.modules.get("gcsfs.core")
    return cls if backend is not GCS or asked_for or core is None else core.GCSFileSystem


def own_options(backend: Backend, options: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's storage options, with no listing cache and, where that can be said, no retries."""
    merged: dict[str, Any] = {"use_listings_cache": False, **options}
    if backend is S3:
        config = dict(merged.get("config_kwargs") or {})
        config.setdefault("retries", {"total_max_attempts": 1, "mode": "standard"})
        merged["config_kwargs"] = config
        merged["max_concurrency"] = 1  # a get is one GET; else it is HEAD + GET, and HEAD + LIST where absent
    elif backend is GCS and os.environ.get("STORAGE_EMULATOR_HOST"):
        merged.setdefault("token", "anon")  # older gcsfs looks for Google's metadata server first: 15 s
    return merged


def stop_retries(backend: Backend, fs: Any) -> None:
    """Leave all retrying to us: nested retries multiply, hide the reason, and are billed unseen."""
    if backend is S3:
        fs.retries = 1
    elif backend is GCS:
        _unwrap_request(fs)
    elif backend is AZURE:
        policy = getattr(getattr(fs.service_client, "_config", None), "retry_policy", None)
        if policy is not None and hasattr(policy, "total_retries"):
            policy.total_retries = 0  # else 3 tries, the first after 15 s


def _unwrap_request(fs: Any) -> None:
    """gcsfs fixes six tries (about 35 s, each with a traceback in the log) by a decorator: step behind it."""
    plain: Callable[..., Any] | None = getattr(type(fs)._request, "__wrapped__", None)
    if plain is not None:
        fs._request = plain.__get__(fs)


def put_arguments(backend: Backend | None) -> dict[str, Any]:
    """What a put tells the backend besides the bytes."""
    if backend is GCS:  # public objects would else be served from Google's cache for an hour
        return {"fixed_key_metadata": {"cache_control": "no-store"}}
    return {}
