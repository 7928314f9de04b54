"""No secret of a store in what people read."""

from __future__ import annotations

import pytest

from blobpipes.errors import StoreUnavailableError
from blobpipes.storage.scrub import Scrubber

OPTIONS = {
    "key": "CANARY-id",
    "secret": "CANARY-secret",
    "client_kwargs": {"aws_session_token": "CANARY-token", "region_name": "eu-west-1"},
    "connection_string": "AccountName=x;AccountKey=Q0FOQVJZ;BlobEndpoint=http://localhost:1/x",
    "endpoint_url": "http://localhost:5000",
    "list": ["CANARY-listed"],
    "anon": False,
}


@pytest.mark.parametrize("secret", ["CANARY-id", "CANARY-secret", "CANARY-token", "Q0FOQVJZ", "CANARY-listed"])
def test_every_option_that_may_be_a_secret_is_hidden_wherever_it_stands(secret: str) -> None:
    scrub = Scrubber("s3://bucket/p", OPTIONS)
    assert scrub.clean(f"before {secret} after") == "before *** after"
    assert scrub.clean(f"glued{secret}glued") == "glued***glued"
    assert secret not in repr(scrub)


def test_where_the_store_is_stays_readable() -> None:
    text = "cannot connect to http://localhost:5000 in eu-west-1"
    assert Scrubber("s3://bucket/p", OPTIONS).clean(text) == text


def test_a_password_in_the_url_is_hidden() -> None:
    assert Scrubber("sftp://user:CANARY@host/p", {}).clean("login of user with CANARY") == "login of user with ***"


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY"])
def test_credentials_from_the_environment_are_hidden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "CANARY-env")
    assert "CANARY" not in Scrubber("s3://bucket/p", {}).clean("it was CANARY-env")


def test_parts_of_a_connection_string_in_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=x;AccountKey=Q0FOQVJZ==;BlobEndpoint=y")
    assert "Q0FOQVJZ" not in Scrubber("az://c/p", {}).clean("signed by Q0FOQVJZ== of x")


def test_text_becomes_one_line_of_bearable_length() -> None:
    cleaned = Scrubber("s3://b/p", {}).clean("one\ntwo\t three" + " and more" * 100)
    assert cleaned.startswith("one two three and more")
    assert len(cleaned) == 300


def test_an_error_chain_with_a_secret_anywhere_is_not_clean() -> None:
    scrub = Scrubber("s3://b/p", {"secret": "CANARY"})
    outer = StoreUnavailableError("harmless")
    assert scrub.is_clean(outer)
    outer.__cause__ = RuntimeError("it is CANARY")
    assert not scrub.is_clean(outer)
    outer.__cause__ = RuntimeError("harmless")
    outer.__cause__.__context__ = ValueError("?sig=abcdef")
    assert not scrub.is_clean(outer)
