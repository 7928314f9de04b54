"""`faulty::` over disks and memory: each fault does what its description says, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import fsspec
import pytest

from blobpipes.errors import StoreDeniedError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.retry import RetryPolicy
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.testing import Faults, StoreContract
from tests.external.launching import SOURCE


@pytest.fixture(params=["file", "memory"])
def below(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty place."""
    return f"file://{tmp_path}/place" if request.param == "file" else f"memory://{uuid.uuid4().hex}/place"


def through(below: str, **faults: Any) -> tuple[Store, Faults]:
    plan = Faults(**faults)
    return open_store(f"faulty::{below}", storage_options={"faulty": {"faults": plan}}), plan


class TestWithoutFaults(StoreContract):
    @pytest.fixture
    def store(self, below: str) -> Store:
        return open_store(f"faulty::{below}")

    @pytest.fixture
    def other(self, store: Store, below: str) -> Store:
        return open_store(below)


class TestRetriedThroughFaults(StoreContract):
    @pytest.fixture
    def store(self, below: str) -> Store:
        policy = RetryPolicy(attempts=100, first_delay=0, max_delay=0)
        return open_store(f"faulty://seed=1,any=0.3,delay=0::{below}", retry=policy)


def test_a_lost_request_did_nothing_and_a_lost_reply_did(below: str) -> None:
    store, _ = through(below, puts=["request lost", "reply lost"])
    for expected in (None, b"x"):
        with pytest.raises(StoreUnavailableError):
            store.put_if_absent("1.json", b"x")
        assert open_store(below).get("1.json") == expected
    assert store.put_if_absent("1.json", b"y") is False


def test_a_late_put_lands_within_the_next_few_requests_or_never(below: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    store, _ = through(below, puts=["late", "late"], log=log)
    for key in ("1.json", "2.json"):
        with pytest.raises(StoreUnavailableError, match="timeout"):
            store.put_if_absent(key, b"late")
    assert store.put_if_absent("2.json", b"again") is True or store.get("2.json") == b"late"
    for _ in range(4):
        store.list()
    assert open_store(below).get("1.json") == b"late"
    assert "put 1.json: landed\n" in log.read_text()


def test_a_put_done_twice_is_told_that_it_exists(below: str) -> None:
    store, _ = through(below, puts=["duplicated"])
    assert store.put_if_absent("1.json", b"x") is False
    assert store.get("1.json") == b"x"


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ("throttled", StoreUnavailableError, "HTTP-503"),
        ("conflict", StoreUnavailableError, "conflict"),
        ("denied", StoreDeniedError, "EACCES"),
        ("place missing", StorePlaceMissingError, "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("verb", ["put", "get", "list", "delete"])
def test_a_refusal_is_the_error_that_a_client_would_raise(
    below: str, verb: str, fault: str, error: type[Exception], reason: str
) -> None:
    store, plan = through(below, **{f"{verb}s": [fault]})
    call, *arguments = {"put": ("put_if_absent", "k", b"x"), "list": ("list",)}.get(verb, (verb, "k"))
    with pytest.raises(error) as caught:
        getattr(store, call)(*arguments)
    assert caught.value.reason == reason  # type: ignore[attr-defined]
    assert plan.struck == {f"{verb}: {fault}": 1}
    assert open_store(below).get("k") is None


def test_what_lies_says_absent_exists_or_half(below: str) -> None:
    open_store(below).put("k", b"1234")
    store, _ = through(below, gets=["false absent", "torn"], puts=["false exists"], lists=["false absent"])
    assert [store.get("k") for _ in range(3)] == [None, b"12", b"1234"]
    assert store.put_if_absent("new", b"x") is False
    assert list(store.list()) == []
    assert [info.key for info in store.list()] == ["k"]


def test_files_can_be_opened_copied_and_removed_as_with_any_file_system(below: str, tmp_path: Path) -> None:
    fs, root = fsspec.core.url_to_fs(f"faulty://seed=1::{below}")
    with fs.open(f"{root}/a.txt", "wb") as file:
        file.write(b"hello")
    with pytest.raises(FileExistsError), fs.open(f"{root}/a.txt", "xb") as file:
        file.write(b"other")
    fs.cp_file(f"{root}/a.txt", f"{root}/sub/b.txt")
    fs.get_file(f"{root}/sub/b.txt", str(tmp_path / "b.txt"))
    assert (tmp_path / "b.txt").read_bytes() == b"hello"
    assert fs.cat_file(f"{root}/a.txt", start=1, end=3) == b"el"
    assert sorted(fs.find("")) == ["a.txt", "sub/b.txt"]
    fs.rm(f"{root}/a.txt")
    assert not fs.exists(f"{root}/a.txt")


def test_without_anything_below_it_says_how_it_is_written() -> None:
    with pytest.raises(ValueError, match="faulty::s3://bucket/prefix"):
        fsspec.filesystem("faulty")


def test_another_process_finds_it_by_the_url_alone(tmp_path: Path) -> None:
    job = "from blobpipes import open_dagster_pipes\nwith open_dagster_pipes() as p: p.report_custom_message('hello')"
    log = str(tmp_path / "log").replace("/", "%2F")
    url = f"faulty://seed=5,reply-lost=0.5,log={log}::file://{tmp_path}/place"
    with open_pipes_session(RunContext(), url=url, interval="50ms") as session:
        environment = {**session.get_bootstrap_env_vars(), "PYTHONPATH": str(SOURCE)}
        subprocess.run([sys.executable, "-c", job], env=environment, check=True, timeout=60)
    assert session.get_custom_messages() == ("hello",)
    assert session.report.verdict == "complete"
    assert "reply lost" in (tmp_path / "log").read_text()


def test_of_many_threads_each_gets_its_own_answer(below: str) -> None:
    store = open_store(
        f"faulty://any=0.3,delay=0::{below}", retry=RetryPolicy(attempts=100, first_delay=0, max_delay=0)
    )
    threads = [threading.Thread(target=store.put, args=(f"{n}.json", b"%d" % n)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get(f"{n}.json") for n in range(20)] == [b"%d" % n for n in range(20)]
