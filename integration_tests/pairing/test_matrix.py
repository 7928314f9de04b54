"""Every orchestration side with every external side, over every kind of place, on the whole range of messages.

What the job says and what must arrive of it is in `story.py`. The table at the end of the run is the one in
docs/pairings.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_tests.pairing import pairings, story
from integration_tests.pairing.pairings import Pairing
from integration_tests.servers.clouds import ROOT

every_pairing = pytest.mark.parametrize("pairing", pairings.ALL, ids=str)
patient = pytest.mark.timeout(1800)  # the first test waits for callers that share the machine with others
pytestmark = patient


@every_pairing
def test_every_result_arrives_with_all_its_metadata(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    metadata = _metadata(pairing)
    assert _like(arrived["whole"]["results"]) == _like(
        [
            ["materialization", ["whole"], "v1", metadata],
            ["check", ["whole"], "rows", True, "ERROR", _count(pairing)],
            ["check", ["whole"], "dates", False, "WARN", {}],
        ]
    )


@every_pairing
def test_every_log_line_arrives_at_its_level(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    assert arrived["whole"]["logs"] == [list(log) for log in story.LOGS]


@every_pairing
def test_every_custom_message_arrives(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    sent = story.PAYLOADS if pairing.flavour == "file" else [*story.PAYLOADS, story.LARGEST]
    assert _like(arrived["whole"]["custom"][1:]) == _like(story.short(sent))


@every_pairing
def test_the_jobs_output_is_copied_stream_by_stream(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    assert arrived["whole"]["streams"] == {"stdout": "printed é\n", "stderr": "cut in the middle\n"}


@every_pairing
def test_the_job_sees_the_context_as_it_was_sent(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    for scene in ("whole", "several"):
        seen = arrived[scene]["custom"][0]["seen"]
        sent = arrived[scene]["sent"]
        assert {key: value for key, value in sent.items() if value is not None} == seen
    sent = arrived["whole"]["sent"]
    provenance = sent["provenance_by_asset_key"]["whole"]
    assert (provenance["code_version"], provenance["input_data_versions"]) == ("7", {"source": "v0"})
    assert (sent["partition_key"], sent["retry_number"], sent["extras"]) == ("2024-01-02|x", 1, story.EXTRAS)
    assert sent["partition_time_window"]["end"].startswith("2024-01-03T00:00:00")


IN_FILES = ({"path": "str"}, {"path": "str", "include_stdio_in_messages": "bool"})
IN_BUCKETS = (
    {"bucket": "str", "key": "str"},
    {"bucket": "str", "key_prefix": "str", "include_stdio_in_messages": "bool"},
)


@every_pairing
def test_the_params_have_the_official_keys_so_that_a_job_in_any_language_finds_them(
    pairing: Pairing, arrived: Mapping[str, Any]
) -> None:
    """Rust and TypeScript look for `path`, Java for `bucket` with `key` and `key_prefix` too; all ignore the rest."""
    params = arrived["whole"]["custom"][0]["params"]
    assert [set(params[what]) & {"blobpipes"} for what in ("context", "messages")] in (
        [[set(), set()]] if pairing.orchestration == "official" or pairing.flavour == "file" else [[{"blobpipes"}] * 2]
    )
    shapes = IN_FILES if pairing.flavour in ("file", "dir") else IN_BUCKETS
    for found, shape in zip((params["context"], params["messages"]), shapes, strict=True):
        assert {key: type(value).__name__ for key, value in found.items() if key != "blobpipes"} == shape


@every_pairing
def test_several_assets_with_escaped_keys_are_told_apart(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    made = [["materialization", key, None, {}] for key in story.MANY]
    assert arrived["several"]["results"] == [*made, ["check", [story.CHECKED], "known", True, "ERROR", {}]]


@every_pairing
def test_an_exception_arrives_with_its_cause_and_context(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    assert arrived["whole"]["exception"] == []
    assert arrived["several"]["exception"] == [story.EXCEPTION, story.CAUSE, story.UNDERLYING]


@every_pairing
def test_the_end_is_known_and_nothing_is_complained_of(pairing: Pairing, arrived: Mapping[str, Any]) -> None:
    verdicts = ("complete", "failed") if pairing.orchestration == "ours" else ("", "")
    for scene, verdict in zip(("whole", "several"), verdicts, strict=True):
        assert arrived[scene]["complaints"] == []
        assert arrived[scene]["verdict"] == verdict


def test_the_table_in_the_docs_has_the_pairings_that_these_tests_run() -> None:
    page = Path(ROOT, "docs", "pairings.md").read_text(encoding="utf-8")
    assert pairings.table(pairings.passed(pairings.ALL)) in page


def _metadata(pairing: Pairing) -> dict[str, Any]:
    if pairing.in_dagster:
        return {label: [value.kept_as, value.kept] for label, value in story.METADATA.items()}
    return {label: [value.type, value.raw] for label, value in story.METADATA.items()}


def _count(pairing: Pairing) -> dict[str, Any]:
    return {"count": ["IntMetadataValue" if pairing.in_dagster else "__infer__", 3]}


def _like(value: Any) -> Any:
    """The same, with NaN as a text, because NaN is unlike itself."""
    if isinstance(value, dict):
        return {key: _like(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_like(part) for part in value]
    return "NaN" if value != value else value
