"""From a URL to a store, or to one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from blobpipes.errors import BlobpipesError, InvalidOptionError, InvalidUrlError, MissingBackendError, StoreDeniedError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.storage.open import open_store
from blobpipes.storage.retrying import RetryingStore

CANARY = "canary-7d1f"


def run_python(program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wrappers_are_put_on_as_asked() -> None:
    assert type(open_store("/tmp")) is LocalStore
    metered = open_store("/tmp", meter=Meter())
    assert type(metered) is MeteredStore
    both = open_store("/tmp", meter=Meter(), retry=RetryPolicy())
    assert type(both) is RetryingStore
    assert type(both.inner) is MeteredStore


@pytest.mark.parametrize(
    ("url", "hint"),
    [("s33://b/p", "s3://"), ("gss://b", "gs://"), ("memry://x", "memory://"), ("qqqqqq://x", "s3://bucket")],
)
def test_an_unknown_scheme_names_known_ones(url: str, hint: str) -> None:
    with pytest.raises(InvalidUrlError, match="no file system serves") as caught:
        open_store(url)
    assert hint in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://b/p", "s3fs", "s3"),
        ("s3a://b/p", "s3fs", "s3"),
        ("gs://b/p", "gcsfs", "gcs"),
        ("gcs://b/p", "gcsfs", "gcs"),
        ("az://c/p", "adlfs", "azure"),
        ("abfs://c/p", "adlfs", "azure"),
        ("abfss://c@a.dfs.core.windows.net/p", "adlfs", "azure"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_to_install(url: str, package: str, extra: str) -> None:
    output = run_python(f"""
import sys
sys.modules[{package!r}] = None  # as if it were not installed
from blobpipes.errors import MissingBackendError
from blobpipes.storage.open import open_store
try:
    open_store({url!r})
except MissingBackendError as error:
    print(error)
""")
    assert package in output
    assert f'pip install "blobpipes[{extra}]"' in output


def test_a_package_that_is_not_ours_is_named_in_fsspec_s_words() -> None:
    with pytest.raises(MissingBackendError, match="dropbox://") as caught:
        open_store("dropbox://x")
    assert "dropboxdrivefs" in caught.value.remedy


def test_a_package_that_is_looked_for_only_when_connecting_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    with pytest.raises(MissingBackendError, match="hdfs:// needs a package") as caught:
        open_store("hdfs://host/p")
    assert "pyarrow" in caught.value.remedy


@pytest.mark.parametrize(("url", "package"), [("s3://b", "s3fs"), ("gs://b", "gcsfs"), ("az://c", "adlfs")])
def test_a_release_whose_create_overwrites_is_refused(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(package)
    monkeypatch.setattr(f"{package}.__version__", "2024.10.0")
    with pytest.raises(MissingBackendError, match=f"{package} 2024.10.0 is too old") as caught:
        open_store(url)
    assert "--upgrade" in caught.value.remedy


def test_a_cache_in_front_of_a_store_is_refused() -> None:
    with pytest.raises(InvalidUrlError, match="would hide new objects") as caught:
        open_store("simplecache::memory://x")
    assert "without simplecache" in caught.value.remedy


def test_azure_without_account_or_credentials_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(StoreDeniedError, match=r"cannot open az://container/p") as caught:
        open_store("az://container/p")
    assert "AZURE_STORAGE_CONNECTION_STRING" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://b/p", {"key": CANARY, "username": CANARY}),
        ("az://c/p", {"connection_string": f"AccountKey={CANARY};nonsense"}),
        ("az://c/p", {"account_name": "x", "account_key": CANARY, "account_host": "127.0.0.1:1"}),
        ("gs://b/p", {"token": {"type": "nonsense", "private_key": CANARY}, "access": "nonsense"}),
    ],
)
def test_storage_options_that_cannot_work_are_refused_without_being_shown(url: str, options: dict[str, object]) -> None:
    with pytest.raises(BlobpipesError) as caught:
        open_store(url, storage_options=options).get("k")
    assert isinstance(caught.value, (InvalidOptionError, StoreDeniedError))
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert "\n" not in caught.value.message


def test_a_password_in_the_url_is_neither_in_the_store_nor_in_its_errors() -> None:
    with pytest.raises(BlobpipesError) as caught:
        open_store(f"webdav://user:{CANARY}@localhost/p")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    store = open_store("memory://place/p", storage_options={"secret": CANARY})
    assert CANARY not in repr(store) + store.url + repr(vars(store)["_scrub"])


def test_a_local_disk_needs_no_fsspec_and_no_tenacity() -> None:
    output = run_python("""
import sys
from blobpipes.storage.open import open_store
from blobpipes.storage.metered import Meter
open_store("/tmp", meter=Meter())
print([name for name in ("fsspec", "tenacity", "s3fs", "gcsfs", "adlfs", "asyncio") if name in sys.modules])
""")
    assert output == "[]\n"


def test_opening_one_backend_loads_no_other() -> None:
    output = run_python("""
import sys
from blobpipes.storage.open import open_store
open_store("memory://x").put("k", b"")
print([name for name in ("s3fs", "gcsfs", "adlfs", "botocore", "azure", "google.auth") if name in sys.modules])
""")
    assert output == "[]\n"


def test_stores_do_not_share_a_file_system() -> None:
    first, second = open_store("memory://x"), open_store("memory://x")
    assert vars(first)["_driver"].fs is not vars(second)["_driver"].fs


def test_a_file_system_that_the_program_has_registered_is_served() -> None:
    fsspec.register_implementation("ownmemory", MemoryFileSystem, clobber=True)
    store = open_store("ownmemory://place/x")
    store.put("k", b"v")
    assert store.get("k") == b"v"
