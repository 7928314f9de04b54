"""Params on the command line and in the environment, and what damage to them looks like."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, UnserializableError
from blobpipes.wire.params import (
    CONTEXT_CLI_OPTION,
    CONTEXT_ENV_VAR,
    MESSAGES_CLI_OPTION,
    MESSAGES_ENV_VAR,
    decode_param,
    decode_params,
    encode_param,
)

SECRET = "canary-7f3a"


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_an_option_is_named_after_its_variable() -> None:
    for variable, option in ((CONTEXT_ENV_VAR, CONTEXT_CLI_OPTION), (MESSAGES_ENV_VAR, MESSAGES_CLI_OPTION)):
        assert option == "--" + variable.lower().replace("_", "-")


@pytest.mark.parametrize("level", range(10))
def test_any_compression_level_and_json_spacing_is_decoded(level: int) -> None:
    text = json.dumps({"a": "é", "b": [1]}, separators=(",", ":"), ensure_ascii=False)
    assert decode_param(packed(zlib.compress(text.encode(), level))) == {"a": "é", "b": [1]}


@pytest.mark.parametrize("around", [" {}\n", '"{}"', "'{}'\r\n"])
def test_white_space_and_quotes_that_a_shell_or_an_env_file_added_do_not_matter(around: str) -> None:
    text = encode_param({"path": "/x" * 60})
    assert decode_param(around.format(f"{text[:40]}\n{text[40:]}")) == {"path": "/x" * 60}


DAMAGED = [
    ("", "its content is not a zlib stream"),
    ("not base64!", "it is not standard base64 with padding"),
    ("ünïcode", "it is not standard base64 with padding"),
    (encode_param({"k": SECRET}).rstrip("=")[:-1], "it is not standard base64 with padding"),
    (base64.urlsafe_b64encode(b"\xfb\xff").decode(), "it is not standard base64 with padding"),
    (encode_param({"k": SECRET}).replace("e", "E", 2), "its content is not a zlib stream"),
    (packed(SECRET.encode()), "its content is not a zlib stream"),
    (packed(gzip.compress(b"{}")), "its content is not a zlib stream"),
    (packed(zlib.compress(b'{"k": 1}')[:-3]), "its content is not a zlib stream"),
    (packed(zlib.compress(b'"\xff"')), "its content is not UTF-8"),
    (packed(zlib.compress(SECRET.encode())), "its content is not JSON"),
    (packed(zlib.compress(b"")), "its content is not JSON"),
    (packed(zlib.compress(b"[" * 100_000)), "its content is not JSON"),
    (None, "it is null, not text"),
    (b"eJyrrgUAAXUA+Q==", "it is bytes, not text"),
]


@pytest.mark.parametrize(("value", "fault"), DAMAGED, ids=[fault for _, fault in DAMAGED])
def test_a_damaged_value_is_an_error_that_names_the_layer_and_shows_nothing_of_it(value: Any, fault: str) -> None:
    with pytest.raises(DagsterPipesError) as caught:
        decode_param(value, name=CONTEXT_ENV_VAR)
    assert caught.value.message == f"cannot decode DAGSTER_PIPES_CONTEXT: {fault}"
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("value", "kind"), [([1], "an array"), (None, "null"), ("x", "a string"), (True, "true")])
def test_params_must_be_an_object(value: Any, kind: str) -> None:
    assert decode_param(encode_param(value)) == value
    with pytest.raises(DagsterPipesError, match=f"it holds {kind}, not an object"):
        decode_params(encode_param(value))


def test_params_that_cannot_become_json_are_named() -> None:
    with pytest.raises(UnserializableError, match=r"value\['client'\] \(object\)"):
        encode_param({"client": object()})
