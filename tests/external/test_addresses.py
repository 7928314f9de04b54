"""Where params lead, and which options hold there."""

from __future__ import annotations

from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, InvalidOptionError, InvalidUrlError
from blobpipes.external.addresses import context_address, leads_to_store, log_options, messages_address

OURS = {"bucket": "b", "key_prefix": "p/s", "blobpipes": {"v": 1, "url": "s3://b/p/s"}}


@pytest.mark.parametrize(
    ("params", "url", "expected"),
    [
        (OURS, None, "s3://b/p/s"),
        ({"path": "/d", "blobpipes": {"url": "file:///d/s"}}, None, "file:///d/s"),
        ({"path": "/d/s", "blobpipes": {}}, None, "file:///d/s"),
        ({"path": "/d/s"}, None, "file:///d/s"),
        ({"path": "/why?/s"}, None, "file:///why%3F/s"),
        ({"blobpipes": {"url": "memory://s"}}, None, "memory://s"),
        ({"bucket": "b", "key_prefix": "p"}, "s3://", "s3://b/p"),
        ({"bucket": "b", "key_prefix": None}, "gs://?interval=2s", "gs://b"),
        ({"bucket": "b"}, "az://another/place", "az://b"),
        ({"bucket": "b", "key_prefix": "p"}, "simplecache::s3://x", "simplecache::s3://b/p"),
    ],
)
def test_messages_params_lead_to_a_prefix(params: dict[str, Any], url: str | None, expected: str) -> None:
    assert messages_address(params, url, {}).url == expected


@pytest.mark.parametrize(
    ("params", "url", "expected"),
    [
        ({"blobpipes": {"url": "s3://b/p/s/_bp/context.json"}}, None, ("s3://b/p/s/_bp", "context.json")),
        ({"bucket": "b", "key": "runs/context.json"}, "gs://", ("gs://b", "runs/context.json")),
        (
            {"blobpipes": {"url": "zip://in/context.json::s3://b/x.zip"}},
            None,
            ("zip://in::s3://b/x.zip", "context.json"),
        ),
    ],
)
def test_context_params_lead_to_an_object(params: dict[str, Any], url: str | None, expected: tuple[str, str]) -> None:
    address, key = context_address(params, url, {})
    assert (address.url, key) == expected


def test_a_bucket_without_a_provider_is_an_error_that_names_both_remedies() -> None:
    with pytest.raises(DagsterPipesError, match="the bucket 'b', but not which provider's") as caught:
        messages_address({"bucket": "b", "key_prefix": "p"}, None, {})
    assert "BLOBPIPES_URL=s3://" in str(caught.value)
    assert 'PipesBlobStoreMessageWriter(url="s3://")' in str(caught.value)


def test_the_environment_tells_the_provider_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBPIPES_URL", "GS://?interval=3s")
    assert messages_address({"bucket": "b"}, None, {}).url == "gs://b"
    assert messages_address({"bucket": "b"}, "s3://", {}).url == "s3://b"


def test_this_sides_own_password_is_used_for_the_url_that_came_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"blobpipes": {"url": "sftp://user@host/jobs/s-1"}}
    monkeypatch.setenv("BLOBPIPES_URL", "sftp://user:canary@host/jobs?interval=1s")
    address = messages_address(params, None, {})
    assert address.url == "sftp://user:canary@host/jobs/s-1"
    monkeypatch.setenv("BLOBPIPES_URL", "sftp://user:canary@host/job")
    assert messages_address(params, None, {}).url == "sftp://user@host/jobs/s-1"


def test_own_storage_options_win_over_those_passed_on_and_are_not_shown() -> None:
    passed = {"endpoint_url": "http://theirs", "anon": True}
    params = {"blobpipes": {"url": "s3://b/s", "storage_options": passed}}
    address = messages_address(params, None, {"endpoint_url": "http://mine", "secret": "canary"})
    assert address.storage_options == {"endpoint_url": "http://mine", "anon": True, "secret": "canary"}
    assert "canary" not in repr(address)


@pytest.mark.parametrize(
    "params",
    [{}, {"stdio": "stdout"}, {"bucket": 5}, {"bucket": "b", "key_prefix": 7}, {"path": ["x"], "blobpipes": {}}],
)
def test_params_that_lead_to_no_store_are_an_error_without_their_values(params: dict[str, Any]) -> None:
    with pytest.raises(DagsterPipesError) as caught:
        messages_address(params, "s3://", {})
    assert "stdout" not in caught.value.message


@pytest.mark.parametrize("entry", ["text", ["s3://b"], {"url": 5}, {"url": "s3://b", "storage_options": "x"}])
def test_a_malformed_entry_is_an_error(entry: Any) -> None:
    with pytest.raises(DagsterPipesError):
        messages_address({"blobpipes": entry}, None, {})


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (OURS, True),
        ({"bucket": "b"}, True),
        ({"path": "/d", "blobpipes": {"v": 1}}, True),
        ({"path": "/file"}, False),
        ({"stdio": "stdout", "blobpipes": {"v": 1}}, False),
        ({}, False),
    ],
)
def test_a_path_alone_is_a_file_and_with_our_entry_a_chunk_directory(params: dict[str, Any], expected: bool) -> None:
    assert leads_to_store(params) is expected


def test_options_come_from_the_params_the_environment_the_url_and_the_arguments_in_this_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = {"blobpipes": {"options": {"interval": 1, "heartbeat": 1, "ramp": 1, "idle": 1, "of_tomorrow": 1}}}
    monkeypatch.setenv("BLOBPIPES_URL", "s3://b?heartbeat=2s&ramp=2s&idle=2s")
    options = log_options(params, "s3://?ramp=3s&idle=3s", {"idle": "4s", "interval": None})
    assert (options.interval, options.heartbeat, options.ramp, options.idle) == (1, 2, 3, 4)


def test_an_unknown_option_of_ones_own_is_an_error() -> None:
    with pytest.raises(InvalidOptionError, match="did you mean 'interval'"):
        log_options({}, "s3://?intervall=3s", {})
    with pytest.raises(InvalidOptionError, match="heartbeet"):
        log_options({}, None, {"heartbeet": 3})


@pytest.mark.parametrize("url", ["://", "?interval=1s", "s3:/b", "s3://key:secret@b"])
def test_a_url_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        log_options({}, url, {})
    assert "secret" not in str(caught.value)
