"""The store contract on every store and wrapper that needs no server."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from blobpipes.retry import RetryPolicy
from blobpipes.storage.local_store import LocalStore
from blobpipes.storage.metered import Meter, MeteredStore
from blobpipes.storage.open import open_store
from blobpipes.storage.retrying import RetryingStore
from blobpipes.storage.store import Store
from blobpipes.testing import FaultyStore, MemoryStore, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "not" / "yet")

    @pytest.fixture
    def other(self, store: Store, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "not" / "yet")


class TestLocalStoreWithoutHardLinks(TestLocalStore):
    """As on file systems that have none; the exclusive rename takes their place."""

    @pytest.fixture(autouse=True)
    def _no_links(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(source: object, target: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", refuse)


class TestFsspecMemory(StoreContract):
    """memory:// is one place for the whole process."""

    @pytest.fixture
    def url(self) -> str:
        return f"memory://{uuid.uuid4().hex}/prefix"

    @pytest.fixture
    def store(self, url: str) -> Store:
        return open_store(url)

    @pytest.fixture
    def other(self, store: Store, url: str) -> Store:
        return open_store(url + "?interval=1s")


class TestChainedUrl(TestFsspecMemory):
    """The generic verbs: nothing is known of this file system, so two writers can both win."""

    @pytest.fixture
    def url(self) -> str:
        return f"dir://sub/dir::memory://{uuid.uuid4().hex}"

    test_of_several_writers_exactly_one_wins = None  # type: ignore[assignment]  # see `atomic_create`


class TestMeteredStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MeteredStore(MemoryStore(), Meter())


class TestRetryingStore(StoreContract):
    """Every second request or reply is lost; nobody notices."""

    @pytest.fixture
    def store(self) -> Store:
        def script() -> list[str | None]:
            return ["request lost", None, "reply lost", None] * 200

        faulty = FaultyStore(MemoryStore(), puts=script(), gets=script(), lists=script(), deletes=script())
        return RetryingStore(faulty, RetryPolicy(attempts=10, first_delay=0, max_delay=0))


class TestFaultyStoreWithoutFaults(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return FaultyStore(MemoryStore())


class TestAllWrappersOnDisk(TestLocalStore):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(str(tmp_path / "not" / "yet"), retry=RetryPolicy(), meter=Meter())
