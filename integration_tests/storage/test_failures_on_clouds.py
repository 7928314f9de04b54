"""What goes wrong at a store, provoked on real servers: which error it becomes, and how soon."""

from __future__ import annotations

import time
import traceback
import urllib.request
from collections.abc import Callable

import pytest

from blobpipes.errors import StoreDeniedError, StoreError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.retry import RetryPolicy
from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from blobpipes.storage.url import bucket_and_prefix, scheme_of
from integration_tests.servers.clouds import Cloud, azure_env, gcs_env, s3_env
from integration_tests.servers.process import closed_port
from integration_tests.servers.proxy import HANG, REPLY_LOST, REQUEST_LOST, Canned, Proxy
from integration_tests.waiting import WAIT

Verb = Callable[[Store], object]

VERBS: dict[str, Verb] = {
    "get": lambda store: store.get("k"),
    "start_get": lambda store: store.start_get("k").result(timeout=WAIT),
    "put": lambda store: store.put("k", b"x"),
    "put_if_absent": lambda store: store.put_if_absent("k", b"x"),
    "list": lambda store: store.list(),
    "delete": lambda store: store.delete("k"),
}
verbs = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())

S3_DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
AZURE_DENIED = (
    b"<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code>"
    b"<Message>This request is not authorized to perform this operation using this permission.</Message></Error>"
)
DENIED = {
    "s3": Canned(403, S3_DENIED),
    "gs": Canned(403, b'{"error": {"code": 403, "message": "no storage.objects.get access"}}', "application/json"),
    "az": Canned(403, AZURE_DENIED, headers=(("x-ms-error-code", "AuthorizationPermissionMismatch"),)),
}
EXPIRED = {
    "s3": Canned(400, S3_DENIED.replace(b"AccessDenied", b"ExpiredToken")),
    "gs": Canned(401, b'{"error": {"code": 401, "message": "Invalid Credentials"}}', "application/json"),
    "az": Canned(401, AZURE_DENIED.replace(b"AuthorizationPermissionMismatch", b"InvalidAuthenticationInfo")),
}


# --- the place ----------------------------------------------------------------------------------------


@verbs
def test_a_bucket_that_does_not_exist_is_told_from_an_absent_object(cloud: Cloud, verb: Verb) -> None:
    store = open_store(f"{cloud.scheme}://no-such-bucket-4711/prefix")
    with pytest.raises(StorePlaceMissingError, match="no-such-bucket-4711") as caught:
        verb(store)
    assert "Create the bucket" in str(caught.value)


def test_a_bucket_that_was_there_and_is_not_asked_for_again_still_answers(cloud: Cloud) -> None:
    store = open_store(cloud.url)
    assert store.get("k") is None
    assert store.get("k") is None
    store.delete("k")


# --- refused ------------------------------------------------------------------------------------------


@verbs
def test_a_refusal_is_no_absence_and_is_not_retried(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    store = open_store(cloud.url, retry=RetryPolicy())
    proxy.spoil([DENIED[cloud.scheme]])
    with pytest.raises(StoreDeniedError):
        verb(store)
    assert [asked.status for asked in proxy.asked] == [403]


@verbs
def test_expired_credentials_are_a_refusal(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    store = open_store(cloud.url)
    proxy.spoil([EXPIRED[cloud.scheme]])
    with pytest.raises(StoreDeniedError):
        verb(store)


@verbs
@pytest.mark.parametrize("cloud_server", ["azure"], indirect=True)  # the other two servers accept every key
def test_a_wrong_key_is_refused_by_azure(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, verb: Verb) -> None:
    env = azure_env(cloud.server.url, key="d3Jvbmcga2V5IHRoYXQgaXMgd3Jvbmcga2V5IHRoYXQgaXMgd3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", env["AZURE_STORAGE_CONNECTION_STRING"])
    with pytest.raises(StoreDeniedError) as caught:
        verb(open_store(cloud.url))
    assert "d3Jvbmcga2V5" not in "".join(traceback.format_exception(caught.value))


@verbs
@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)  # fake-gcs-server knows no permissions
def test_an_unknown_key_is_refused_by_s3(cloud: Cloud, verb: Verb) -> None:
    store = open_store(cloud.url)
    ask_s3_to_check_keys(cloud, after=0)
    try:
        with pytest.raises(StoreDeniedError, match="InvalidAccessKeyId"):
            verb(store)
    finally:
        ask_s3_to_check_keys(cloud, after=1e9)


def ask_s3_to_check_keys(cloud: Cloud, *, after: float) -> None:
    """moto accepts every key until so many more requests have come."""
    url, headers = f"{cloud.server.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    with urllib.request.urlopen(urllib.request.Request(url, str(after).encode(), headers, method="POST"), timeout=20):
        pass


@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)  # gcsfs and adlfs need none for an emulator
def test_without_any_credentials_s3_says_so_at_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreDeniedError, match="NoCredentialsError") as caught:
        open_store(cloud.url).get("k")
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)


# --- unreachable --------------------------------------------------------------------------------------


@verbs
def test_a_store_that_never_answers_costs_the_deadline_and_no_more(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    store = open_store(cloud.url, timeout=0.5)
    open_store(cloud.url).get("warm-up")  # imports and first connections are not what is timed
    proxy.spoil([HANG])
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"timeout after 0\.5 s") as caught:
        verb(store)
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 20  # the proxy holds it for 60


@verbs
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_endpoint_where_nobody_listens_is_unavailable_at_once(
    scheme: str, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = {"s3": s3_env, "gs": gcs_env, "az": azure_env}[scheme]
    with closed_port() as port:
        for name, value in make(f"http://localhost:{port}").items():
            monkeypatch.setenv(name, value)
        store = open_store(f"{scheme}://bucket/prefix")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            verb(store)
    assert time.monotonic() - began < 20  # the deadline of a try, which a refused connection does not wait for


@verbs
@pytest.mark.parametrize("fault", [REQUEST_LOST, REPLY_LOST])
def test_a_broken_connection_is_unavailable(cloud: Cloud, proxy: Proxy, verb: Verb, fault: str) -> None:
    store = open_store(cloud.url)
    proxy.spoil([fault, fault])  # aiohttp asks once more where HTTP calls the method idempotent
    with pytest.raises(StoreUnavailableError):
        verb(store)
    assert len(proxy.asked) <= 2


def test_after_a_lost_reply_a_retrying_store_knows_its_own_object(cloud: Cloud, proxy: Proxy) -> None:
    store = open_store(cloud.url, retry=RetryPolicy(first_delay=0.01))
    proxy.spoil([REPLY_LOST])
    assert store.put_if_absent("k", b"mine") is True
    proxy.spoil([REPLY_LOST])
    assert store.put_if_absent("k", b"not mine") is False
    assert store.get("k") == b"mine"


# --- conditional writes that servers answer differently -----------------------------------------------


def test_a_412_without_the_name_of_the_condition_means_exists(cloud: Cloud, proxy: Proxy) -> None:
    """Ceph answers so; s3fs makes it a bare OSError(EINVAL)."""
    store = open_store(cloud.url)
    body = b"<?xml version='1.0'?><Error><Code>PreconditionFailed</Code><Message>no</Message></Error>"
    proxy.spoil([Canned(412, body, headers=(("x-ms-error-code", "ConditionNotMet"),))])
    assert store.put_if_absent("k", b"x") is False


@pytest.mark.parametrize("cloud_server", ["s3", "gcs"], indirect=True)  # Azure answers 409 for what exists
def test_a_conflict_of_two_writers_is_not_taken_for_exists(cloud: Cloud, proxy: Proxy) -> None:
    store = open_store(cloud.url)
    body = {
        "s3": b"<?xml version='1.0'?><Error><Code>ConditionalRequestConflict</Code><Message>no</Message></Error>",
        "gs": b'{"error": {"code": 409, "message": "conflict"}}',
    }[cloud.scheme]
    proxy.spoil([Canned(409, body)])
    with pytest.raises(StoreUnavailableError) as caught:
        store.put_if_absent("k", b"x")
    assert caught.value.reason == "conflict"


# --- secrets ------------------------------------------------------------------------------------------

CANARY = "canary-4f1e9d"


@verbs
def test_no_error_quotes_a_credential(cloud: Cloud, proxy: Proxy, verb: Verb) -> None:
    options: dict[str, object] = {
        "s3": {"key": CANARY + "-id", "secret": CANARY + "-secret", "token": CANARY + "-token"},
        "gs": {"token": "anon", "session_kwargs": {"headers": {"X-Secret": CANARY}}},
        "az": {"connection_string": azure_env(proxy.url, key="Y2FuYXJ5")["AZURE_STORAGE_CONNECTION_STRING"]},
    }[cloud.scheme]
    store = open_store(cloud.url, storage_options=options)
    proxy.spoil(
        [Canned(400, f"<Error><Code>Odd</Code><Message>key {CANARY} sig=abc123</Message></Error>".encode())] * 3
    )
    with pytest.raises(StoreError) as caught:
        verb(store)
    shown = "".join(traceback.format_exception(caught.value)) + repr(store) + store.url
    for secret in (CANARY + "-secret", CANARY + "-token", "Y2FuYXJ5", "abc123"):
        assert secret not in shown


def test_the_bucket_of_a_cloud_is_the_one_we_made(cloud: Cloud) -> None:
    assert scheme_of(cloud.url) == cloud.scheme
    place = bucket_and_prefix(cloud.url)
    assert place is not None
    assert place[1] == "some/prefix"


@pytest.mark.parametrize("cloud_server", ["azure"], indirect=True)  # the one that checks keys for real
def test_renewed_credentials_are_found_after_three_refusals(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    good = cloud.env["AZURE_STORAGE_CONNECTION_STRING"]
    bad = azure_env(cloud.server.url, key="d3Jvbmcga2V5IHRoYXQgaXMgd3Jvbmcga2V5IHRoYXQgaXMgd3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", bad["AZURE_STORAGE_CONNECTION_STRING"])
    store = open_store(cloud.url)
    for verb in (VERBS["put"], VERBS["get"], VERBS["list"]):
        with pytest.raises(StoreDeniedError):
            verb(store)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", good)
    store.put("k", b"x")
    assert store.get("k") == b"x"
