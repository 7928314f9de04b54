"""What a storage URL says, and what of it may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import InvalidOptionError, InvalidUrlError
from blobpipes.storage.url import (
    bucket_and_prefix,
    fsspec_text,
    join,
    local_path,
    parse_url,
    redact,
    scheme_of,
    without_secrets,
)

# --- parse_url ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "base", "options"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix", {}),
        ("s3://bucket/prefix/", "s3://bucket/prefix", {}),
        ("S3://bucket", "s3://bucket", {}),
        ("  s3a://bucket/p\n", "s3a://bucket/p", {}),
        ("gs://b/p?interval=10s", "gs://b/p", {"interval": "10s"}),
        ("gcs://b?interval=500ms&max_chunk=1MiB", "gcs://b", {"interval": "500ms", "max_chunk": "1MiB"}),
        ("az://container/p", "az://container/p", {}),
        ("abfss://c@acct.dfs.core.windows.net/p?ramp=1s", "abfss://c@acct.dfs.core.windows.net/p", {"ramp": "1s"}),
        ("s3://b/what%3F/p?interval=1s", "s3://b/what%3F/p", {"interval": "1s"}),
        ("s3://b/100%25/p", "s3://b/100%25/p", {}),
        ("memory://", "memory://", {}),
        ("memory://x?interval=1s", "memory://x", {"interval": "1s"}),
        ("dir://a/b::s3://bucket/p?interval=1s", "dir://a/b::s3://bucket/p", {"interval": "1s"}),
        ("zip://x?y::s3://bucket/a.zip?interval=1s", "zip://x?y::s3://bucket/a.zip", {"interval": "1s"}),
        ("sftp://user:secret@host/p", "sftp://user:secret@host/p", {}),
        ("file:///tmp/x/", "file:///tmp/x", {}),
        ("file://localhost/tmp/x", "file:///tmp/x", {}),
        ("local:///tmp/x", "file:///tmp/x", {}),
        ("file:///tmp/a/../b//c?interval=2s", "file:///tmp/b/c", {"interval": "2s"}),
        ("/tmp/what?interval=2s", "file:///tmp/what", {"interval": "2s"}),
        ("s3://b/p?interval=1%20s", "s3://b/p", {"interval": "1 s"}),
    ],
)
def test_a_url_is_split_at_the_question_mark_of_its_last_element(text: str, base: str, options: dict[str, str]) -> None:
    url = parse_url(text)
    assert (url.base, dict(url.options)) == (base, options)


def test_a_plain_path_means_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_url("runs/today").base == f"file://{tmp_path}/runs/today"
    assert parse_url("./a:b").base == f"file://{tmp_path}/a:b"
    assert parse_url("~/runs").base == f"file://{tmp_path}/home/runs"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "empty", "s3://"),
        ("  ", "empty", "s3://"),
        ("?interval=1s", "empty", "s3://"),
        ("s3://", "names no bucket", "s3://bucket"),
        ("s3:///prefix", "names no bucket", "s3://bucket"),
        ("az://?interval=1s", "names no bucket", "az://container"),
        ("s3:/bucket/p", "neither a URL nor a plain path", "s3://"),
        ("s3:bucket", "neither a URL nor a plain path", "./s3:"),
        ("file://tmp/x", "no absolute path", "file:///tmp/x"),
        ("s3://key:secret@bucket/p", "something other than a bucket", "Never put credentials"),
        ("gs://someone@bucket/p", "something other than a bucket", "Never put credentials"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(InvalidUrlError, match=message) as caught:
        parse_url(text)
    assert remedy in caught.value.remedy
    assert "secret" not in str(caught.value)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("query", ["interval", "interval=", "interval=1s&ramp"])
def test_an_option_needs_a_value(query: str) -> None:
    with pytest.raises(InvalidOptionError, match="has no value"):
        parse_url(f"s3://b/p?{query}")


def test_an_option_is_given_once() -> None:
    with pytest.raises(InvalidOptionError, match="'interval' stands twice"):
        parse_url("s3://b/p?interval=1s&interval=2s")


def test_a_parsed_url_does_not_show_its_password() -> None:
    shown = repr(parse_url("sftp://user:canary@host/p?interval=1s"))
    assert "canary" not in shown
    assert "sftp://user@host/p" in shown
    assert "interval" in shown


# --- join, and the rest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "parts", "joined"),
    [
        ("s3://b/p", ("run-1", "1.json"), "s3://b/p/run-1/1.json"),
        ("s3://b", ("/run-1/",), "s3://b/run-1"),
        ("s3://b/p", ("", "x", ""), "s3://b/p/x"),
        ("s3://b/p", (), "s3://b/p"),
        ("memory://", ("x",), "memory://x"),
        ("file:///", ("x",), "file:///x"),
        ("s3://b/p", ("what?",), "s3://b/p/what%3F"),
        ("dir://a/b::s3://bucket/p", ("x",), "dir://a/b/x::s3://bucket/p"),
        ("dir::s3://bucket/p", ("x",), "dir::s3://bucket/p/x"),
    ],
)
def test_join_adds_to_the_path(base: str, parts: tuple[str, ...], joined: str) -> None:
    assert join(base, *parts) == joined


@given(st.text(st.characters(codec="utf-8", exclude_characters="/:\0\r\n\t \x0b\x0c\x85\u2028\u2029"), min_size=1))
def test_a_joined_name_comes_back_from_the_url(name: str) -> None:
    if name.strip() != name or "%3f" in name.lower():
        return
    parsed = parse_url(join("s3://bucket/p", name) + "?interval=1s")
    assert bucket_and_prefix(parsed.base) == ("bucket", f"p/{name}")


def test_the_scheme_is_that_of_the_place_where_the_bytes_are() -> None:
    assert scheme_of("s3://b/p") == "s3"
    assert scheme_of("dir://x::gs://b/p") == "gs"
    assert scheme_of("/plain") == "file"


def test_bucket_and_prefix_are_what_the_official_packages_call_so() -> None:
    assert bucket_and_prefix("s3://b/p/q") == ("b", "p/q")
    assert bucket_and_prefix("gs://b") == ("b", "")
    assert bucket_and_prefix("abfss://c@acct.dfs.core.windows.net/p") == ("c", "p")
    assert bucket_and_prefix("s3://b/what%3F") == ("b", "what?")
    assert bucket_and_prefix("file:///tmp") is None
    assert bucket_and_prefix("dir://x::s3://b/p") is None


def test_a_local_path_is_known_as_one() -> None:
    assert local_path("file:///tmp/what%3F") == "/tmp/what?"
    assert local_path("s3://b/p") is None
    assert local_path("dir://x::file:///tmp") is None


def test_only_the_question_mark_is_decoded() -> None:
    assert fsspec_text("s3://b/a%3Fb%3fc%20d%2F") == "s3://b/a?b?c%20d%2F"


# --- what may be shown --------------------------------------------------------------------------------

SECRETS = [
    "sftp://user:CANARY@host/path",
    "ftp://:CANARY@host",
    "https://acct.blob.core.windows.net/c/b?sv=2024-01-01&sig=CANARY%2Fabc%3D&se=2030",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=CANARY&X-Amz-Signature=CANARY&X-Amz-Security-Token=CANARY",
    "https://storage.googleapis.com/b/k?GoogleAccessId=CANARY&Signature=CANARY",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=CANARY+/==;EndpointSuffix=core.windows.net",
    "SharedAccessSignature=CANARY",
    "Authorization: Bearer CANARY.abc-def",
    "authorization: SharedKey account:CANARYabc=",
    "{'aws_secret_access_key': 'CANARY', 'region': 'eu'}",
    '{"password": "CANARY"}',
    "secret=CANARY, token: CANARY",
    "connecting with password='CANARY' failed",
]


@pytest.mark.parametrize("text", SECRETS)
def test_redact_hides_what_looks_like_a_secret(text: str) -> None:
    assert "CANARY" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "cannot get 1.json in s3://bucket/prefix: SlowDown",
        "Cannot connect to host localhost:5000 ssl:default [Connect call failed ('127.0.0.1', 5000)]",
        "the token has expired",
        "https://host:443/path?list-type=2&prefix=a/b",
        "design=modern; sigma=3",
    ],
)
def test_redact_leaves_ordinary_text_alone(text: str) -> None:
    assert redact(text) == text


def test_without_secrets_drops_passwords_and_queries_and_keeps_the_address() -> None:
    assert without_secrets("sftp://user:pass@host:22/p?x=1") == "sftp://user@host:22/p"
    assert without_secrets("abfss://c@acct.dfs.core.windows.net/p") == "abfss://c@acct.dfs.core.windows.net/p"
    assert without_secrets("dir://x?sig=1::sftp://u:p@h/p") == "dir://x::sftp://u@h/p"
    assert without_secrets("s3://b/p") == "s3://b/p"
    assert without_secrets("sftp://user:p@ss@host/p") == "sftp://user@host/p"
