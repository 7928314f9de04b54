from __future__ import annotations

from typing import Any

import pytest

from blobpipes.cli import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (12.4, "12 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (3 * 86_400, "3 days"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(7, "7 s"), (86, "1 min"), (7300, "2 h"), (3 * 86_400, "3 days")])
def test_ages_have_one(seconds: float, text: str) -> None:
    assert wording.age(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (14_336, "14 KiB"), (3_355_443, "3.2 MiB")])
def test_sizes_are_told_in_binary_units(count: int, text: str) -> None:
    assert wording.size(count) == text


def test_stopwatches_count_minutes_and_hours() -> None:
    assert [wording.stopwatch(seconds) for seconds in (7.9, 67, 3723)] == ["0:07", "1:07", "1:02:03"]


def test_counts_know_their_plural_and_requests_their_kinds() -> None:
    assert wording.counted(1, "chunk") == "1 chunk"
    assert wording.counted(12_345, "message") == "12,345 messages"
    assert wording.requests({"put": 2, "get": 5, "list": 0}) == "7 requests (2 put, 5 get)"
    assert wording.requests({}) == "0 requests"


@pytest.mark.parametrize(
    ("kind", "raw", "text"),
    [
        ("__infer__", 27004, "27,004"),
        ("float", 0.123456789, "0.123457"),
        ("float", 1234567.8, "1,234,568"),
        ("float", float("inf"), "inf"),
        ("bool", True, "true"),
        ("null", None, "none"),
        ("md", "**two**\n\nlines", "**two** lines"),
        ("json", {"a": [1]}, '{"a": [1]}'),
        ("timestamp", 1_700_000_000.0, "2023-11-14 22:13:20 UTC"),
        ("table", {"records": [{"a": 1, "b": 2}], "schema": []}, "table of 1 row: a, b"),
        ("text", "x" * 300, "x" * 199 + "…"),
    ],
)
def test_metadata_reads_well_in_one_line(kind: str, raw: Any, text: str) -> None:
    assert wording.metadata_value({"type": kind, "raw_value": raw}) == text


def test_carriage_returns_of_progress_bars_become_lines() -> None:
    assert wording.harmless("10%\r20%\r\nok") == "10%\n20%\nok"
