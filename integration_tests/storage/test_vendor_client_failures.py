"""What goes wrong at a store that is reached through a vendor's own client, provoked on real servers."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import StoreDeniedError, StoreError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.retrying import RetryingStore
from blobpipes.storage.sdk.s3 import S3Bucket
from blobpipes.storage.store import Store
from integration_tests.servers.clouds import Cloud, azure_env, gcs_env, s3_env
from integration_tests.servers.process import free_port
from integration_tests.servers.proxy import REPLY_LOST, REQUEST_LOST, Canned, Proxy
from integration_tests.servers.vendor_clients import client_store, vendor_client
from integration_tests.storage.test_failures_on_clouds import CANARY, DENIED, EXPIRED, Verb, verbs


def tries_once(scheme: str) -> Any:
    """A client that leaves all retrying to us; Google's and Azure's are told so with each call."""
    if scheme != "s3":
        return vendor_client(scheme)
    from botocore.config import Config

    return vendor_client(scheme, config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5))


@verbs
def test_a_bucket_that_does_not_exist_is_told_from_an_absent_object(cloud: Cloud, verb: Verb) -> None:
    missing = Cloud(cloud.scheme, f"{cloud.scheme}://no-such-bucket-4711/prefix", cloud.env, cloud.server)
    with pytest.raises(StorePlaceMissingError, match="no-such-bucket-4711"):
        verb(client_store(missing))


@verbs
def test_a_refusal_is_no_absence(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    store = client_store(cloud)
    proxy.spoil([DENIED[cloud.scheme]])
    with pytest.raises(StoreDeniedError):
        verb(store)
    assert [asked.status for asked in proxy.asked] == [403]


@verbs
def test_expired_credentials_are_a_refusal(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    store = client_store(cloud)
    proxy.spoil([EXPIRED[cloud.scheme]])
    with pytest.raises(StoreDeniedError):
        verb(store)


@verbs
@pytest.mark.parametrize("fault", [REQUEST_LOST, REPLY_LOST])
def test_a_broken_connection_is_unavailable(cloud: Cloud, proxy: Proxy, verb: Verb, fault: str) -> None:
    store = client_store(cloud, tries_once(cloud.scheme))
    proxy.spoil([fault])
    with pytest.raises(StoreUnavailableError):
        verb(store)
    assert len(proxy.asked) == 1


@verbs
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_endpoint_where_nobody_listens_is_unavailable(
    scheme: str, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = {"s3": s3_env, "gs": gcs_env, "az": azure_env}[scheme]
    for name, value in make(f"http://localhost:{free_port()}").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreUnavailableError):
        verb(client_store(Cloud(scheme, f"{scheme}://bucket/prefix", {}, None), tries_once(scheme)))  # type: ignore[arg-type]


def test_a_put_whose_reply_was_lost_is_known_as_ours(cloud: Cloud, proxy: Proxy) -> None:
    store = RetryingStore(client_store(cloud, tries_once(cloud.scheme)), RetryPolicy(first_delay=0.01))
    proxy.spoil([REPLY_LOST])
    assert store.put_if_absent("k", b"mine") is True
    proxy.spoil([REPLY_LOST])
    assert store.put_if_absent("k", b"not mine") is False
    assert store.get("k") == b"mine"


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)  # the one whose client tries by itself all the same
def test_what_a_client_repeats_without_telling_is_not_taken_for_somebody_elses(cloud: Cloud, proxy: Proxy) -> None:
    store = RetryingStore(client_store(cloud), RetryPolicy())
    proxy.spoil([REPLY_LOST])
    assert store.put_if_absent("k", b"mine") is True
    assert len(proxy.asked) == 3  # the lost one, its echo that was refused, and our look at what is there


@verbs
def test_no_error_quotes_a_credential(cloud: Cloud, proxy: Proxy, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{CANARY}-secret")
    store = client_store(cloud, tries_once(cloud.scheme))
    proxy.spoil([Canned(400, f"<Error><Code>Odd</Code><Message>{CANARY}-secret sig=abc123</Message></Error>".encode())])
    with pytest.raises(StoreError) as caught:
        verb(store)
    shown = "".join(traceback.format_exception(caught.value)) + repr(store) + store.url
    assert "abc123" not in shown
    if cloud.scheme == "s3":
        assert CANARY not in shown


# --- an old boto3 -------------------------------------------------------------------------------------


@pytest.fixture
def old_client(cloud: Cloud, tmp_path: Path) -> Any:
    """A client as boto3 made them before August 2024: its model of S3 has no conditional put."""
    import boto3
    from botocore.session import Session

    session = Session()
    loader = session.get_component("data_loader")
    model = loader.load_service_model("s3", "service-2")
    del model["shapes"]["PutObjectRequest"]["members"]["IfNoneMatch"]
    folder = tmp_path / "s3" / "2006-03-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    fresh = Session()
    fresh.get_component("data_loader").search_paths.insert(0, str(tmp_path))
    return boto3.Session(botocore_session=fresh).client("s3")


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)
class TestOldBoto3:
    def test_it_refuses_the_parameter(self, cloud: Cloud, old_client: Any) -> None:
        """Else the test below would prove nothing."""
        from botocore.exceptions import ParamValidationError

        with pytest.raises(ParamValidationError, match="IfNoneMatch"):
            old_client.put_object(Bucket="b", Key="k", Body=b"", IfNoneMatch="*")

    def test_it_creates_only_what_is_not_there(self, cloud: Cloud, old_client: Any) -> None:
        store = client_store(cloud, old_client)
        assert store.put_if_absent("k", b"mine") is True
        assert store.put_if_absent("k", b"theirs") is False
        assert store.get("k") == b"mine"

    def test_its_owners_own_puts_still_replace(self, cloud: Cloud, old_client: Any) -> None:
        store: Store = client_store(cloud, old_client)
        assert store.put_if_absent("k", b"mine") is True
        store.put("k", b"replaced")
        bucket = cloud.url.split("/")[2]
        old_client.put_object(Bucket=bucket, Key="some/prefix/k", Body=b"by its owner")
        assert store.get("k") == b"by its owner"


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)
def test_a_name_that_the_client_itself_refuses_is_not_tried_again(cloud: Cloud) -> None:
    from blobpipes.storage.sdk.client_store import ClientStore

    with pytest.raises(StoreDeniedError, match="Invalid bucket name"):
        ClientStore(S3Bucket(vendor_client("s3"), "not a bucket")).get("k")
