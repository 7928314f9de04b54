"""What the job of every pairing says: the whole range of messages, as values that both sides of a test share.

Nothing is imported, so that the job may run under any interpreter with any version of either package.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

ANY: Final = "..."  # in an expectation: whatever it is


class Typed(NamedTuple):
    """One metadata value: as the job gives it, as it goes over the wire, and as what Dagster keeps it."""

    given: Any
    type: str
    raw: Any
    kept_as: str
    kept: Any


def _typed(kind: str, raw: Any, kept_as: str, kept: Any = ...) -> Typed:
    return Typed({"type": kind, "raw_value": raw}, kind, raw, kept_as, raw if kept is ... else kept)


def _bare(raw: Any, kept_as: str) -> Typed:
    return Typed(raw, "__infer__", raw, kept_as, raw)


_COLUMNS: Final = [
    {"name": "id", "type": "int", "description": "é", "tags": {"pii": "no"}, "constraints": {"nullable": False}},
    {"name": "text", "type": "string"},
]
_RECORDS: Final = [{"id": 1, "text": "ä"}, {"id": 2, "text": "\u2028"}]

METADATA: Final[dict[str, Typed]] = {
    "a text": _bare("größer \u2028 🙂", "TextMetadataValue"),
    "a whole number": _bare(2**53 + 1, "IntMetadataValue"),
    "a number": _bare(1.5, "FloatMetadataValue"),
    "infinite": _bare(float("-inf"), "FloatMetadataValue"),
    "yes": _bare(True, "BoolMetadataValue"),
    "a list": _bare([1, "zwei", None], "JsonMetadataValue"),
    "nothing": _bare(None, "NullMetadataValue"),
    "text": _typed("text", "", "TextMetadataValue"),
    "url": _typed("url", "https://example.org/ä?b=c", "UrlMetadataValue"),
    "path": _typed("path", "/data/ä", "PathMetadataValue"),
    "notebook": _typed("notebook", "/data/n.ipynb", "NotebookMetadataValue"),
    "md": _typed("md", "**fett**\n- é", "MarkdownMetadataValue"),
    "json": _typed("json", {"a": [1, {"b": None}], "": "é"}, "JsonMetadataValue"),
    "int": _typed("int", -3, "IntMetadataValue"),
    "float": _typed("float", 1.0, "FloatMetadataValue"),
    "bool": _typed("bool", False, "BoolMetadataValue"),
    "dagster_run": _typed("dagster_run", "11111111-2222-3333-4444-555555555555", "DagsterRunMetadataValue"),
    "asset": _typed("asset", "sales/orders", "DagsterAssetMetadataValue", ["sales", "orders"]),
    "null": _typed("null", None, "NullMetadataValue"),
    "timestamp": _typed("timestamp", 1700000000.25, "TimestampMetadataValue"),
    "table": _typed("table", {"records": _RECORDS, "schema": _COLUMNS}, "TableMetadataValue", [_RECORDS, _COLUMNS]),
    "table_schema": _typed("table_schema", {"columns": _COLUMNS}, "TableSchemaMetadataValue", _COLUMNS),
    "table_column_lineage": _typed(
        "table_column_lineage",
        {"deps_by_column": {"id": [{"asset_key": "source", "column_name": "ID"}]}},
        "TableColumnLineageMetadataValue",
        {"id": [[["source"], "ID"]]},
    ),
}

LOGS: Final[list[tuple[int, str]]] = [
    (logging.DEBUG, "very fine"),
    (logging.INFO, "größer \u2028 \u0085 🙂 and a \t tab"),
    (logging.WARNING, "two\nlines"),
    (logging.ERROR, '{"__dagster_pipes_version": "0.1"}'),
    (logging.CRITICAL, " " * 3),
]

PAYLOADS: Final[list[Any]] = [
    None,
    {"p": [1, None, {"ä": "🙂"}], "": False},
    [float("nan"), float("inf"), float("-inf"), -0.0, 1e-300],
    "one text",
    0,
    10**30,
    {"large": "0123456789abcdef" * 2048},  # 32 KiB: the official reader may meet a larger line in a file half-written
]
LARGEST: Final = {"largest": "0123456789abcdef" * 196608}  # 3 MiB: three times what fills a chunk

STREAMS: Final[list[tuple[str, str]]] = [("stdout", "printed é\n"), ("stderr", "cut in the mid"), ("stderr", "dle\n")]
EXTRAS: Final = {"limit": 10, "note": "é", "nested": {"a": [None, 1.5, True]}, "empty": ""}

MANY: Final[list[list[str]]] = [["c\\d"], ["plain"], ["sales", "a/b"]]  # two must be escaped; sorted, as they are sent
CHECKED: Final = "plain"  # Dagster makes names of Python of a check and its asset, which the others cannot be
EXCEPTION: Final = "ValueError: no rows\n"
CAUSE: Final = "KeyError: 'rows'\n"
UNDERLYING: Final = "ZeroDivisionError: division by zero\n"  # the implicit context of the cause


def short(value: Any) -> Any:
    """Long texts by their beginning and length, so that a failure can be read."""
    if isinstance(value, str):
        return value if len(value) <= 200 else f"{value[:20]}... ({len(value)})"
    if isinstance(value, dict):
        return {key: short(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [short(part) for part in value]
    return value
