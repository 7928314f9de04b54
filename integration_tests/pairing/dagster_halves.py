"""Injectors and readers for a run of Dagster: the official ones of each store, or our adapter's."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

import dagster as dg

from integration_tests.pairing.plans import Plan


def halves(plan: Plan, session: str) -> tuple[Any, Any]:
    """An injector and a reader, made for one session."""
    return _adapter(plan, session) if plan.orchestration == "adapter" else _official(plan)


def _adapter(plan: Plan, session: str) -> tuple[Any, Any]:
    import blobpipes.dagster as ours

    if plan.flavour == "file":
        return ours.PipesTempFileContextInjector(), ours.PipesTempFileMessageReader()
    url = f"{plan.url}?interval=200ms"
    return (
        ours.PipesBlobStoreContextInjector(url, session=session),
        ours.PipesBlobStoreMessageReader(url, session=session),
    )


def _official(plan: Plan) -> tuple[Any, Any]:
    if plan.flavour == "file":
        return dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader()
    bucket = plan.url.partition("://")[2].partition("/")[0]
    if plan.flavour == "s3":
        return _of("dagster_aws", "S3", plan, bucket=bucket, client=_s3())
    if plan.flavour == "gs":
        return _of("dagster_gcp", "GCS", plan, bucket=bucket, client=_gcs())
    return _of("dagster_azure", "AzureBlobStorage", plan, container=bucket, client=_azure())


def _of(package: str, name: str, plan: Plan, **place: Any) -> tuple[Any, Any]:
    injector = getattr(_part(f"{package}.pipes.context_injectors"), f"Pipes{name}ContextInjector")
    reader = getattr(_part(f"{package}.pipes.message_readers"), f"Pipes{name}MessageReader")
    return injector(**place), reader(**place, interval=plan.interval)


def _part(name: str) -> Any:
    """A module of an official package without the package's front, which loads BigQuery, Azure ML and pandas."""
    top, *middle, _ = name.split(".")
    spec = importlib.util.find_spec(top)
    assert spec is not None, f"{top} is not installed: run `python3 dev.py servers`"
    folders = [*(spec.submodule_search_locations or [])]
    for depth in range(len(middle) + 1):
        package = ".".join([top, *middle[:depth]])
        if package not in sys.modules:
            module = types.ModuleType(package)
            module.__path__ = [str(Path(folder, *middle[:depth])) for folder in folders]
            module.__spec__ = spec if depth == 0 else None
            sys.modules[package] = module
    return importlib.import_module(name)


def _s3() -> Any:
    import boto3

    return boto3.client("s3")


def _gcs() -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    return Client(project="test", credentials=AnonymousCredentials())


def _azure() -> Any:
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
