"""Asset keys as text, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.asset_keys import escape_asset_key, parse_asset_key


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a", ["a"]),
        ("a/", ["a"]),
        ("/foo", ["", "foo"]),
        ("a//b", ["a", "", "b"]),
        ("/", [""]),
        (r"a\/b", ["a/b"]),
        (r"a\\/b", ["a\\", "b"]),
        (r"\x", ["x"]),
        ("a\\", ["a"]),
        ("\\", []),
    ],
)
def test_decoding_follows_the_official_rules_at_the_edges(text: str, parts: list[str]) -> None:
    assert parse_asset_key(text) == parts


@given(st.lists(st.text(alphabet="ab/\\é", min_size=1)))
def test_parts_that_are_not_empty_survive(parts: list[str]) -> None:
    assert parse_asset_key(escape_asset_key(parts)) == parts


@pytest.mark.parametrize("parts", ["abc", [1], ["a", None]])
def test_what_is_no_sequence_of_strings_is_refused(parts: Any) -> None:
    with pytest.raises(DagsterPipesError, match="sequence of strings"):
        escape_asset_key(parts)
