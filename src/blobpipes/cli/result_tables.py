"""What a job has reported, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from blobpipes.cli.drawing import Column, Piece, Table
from blobpipes.cli.entries import evidence, outcome_of
from blobpipes.cli.events import Event
from blobpipes.cli.wording import clipped, metadata_value


def materialization_table(events: Sequence[Event]) -> Table | None:
    """One group of rows for each asset: its metadata, label by label. None without any."""
    table = Table([Column("asset"), Column("metadata"), Column("value", folds=True)], title="Materialized")
    for event in events:
        asset = clipped(event["asset_key"])
        values = [(clipped(label), metadata_value(value)) for label, value in event["metadata"].items()]
        if event["data_version"] is not None:
            values.insert(0, ("data version", clipped(event["data_version"])))
        for number, (label, value) in enumerate(values or [("", "")]):
            table.rows.append([Piece(asset if number == 0 else "", "strong"), Piece(label, "dim"), value])
    return table if table.rows else None


def check_table(events: Sequence[Event]) -> Table | None:
    """One row for each check, with its evidence; the asset only where there are several. None without any."""
    several = len({event["asset_key"] for event in events}) > 1
    columns = [
        Column("check"),
        *([Column("asset")] if several else []),
        Column("outcome"),
        Column("evidence", folds=True),
    ]
    table = Table(columns, title="Checks")
    for event in events:
        outcome, style = outcome_of(event)
        asset = [clipped(event["asset_key"])] if several else []
        table.rows.append([clipped(event["check_name"]), *asset, Piece(outcome, style), evidence(event["metadata"])])
    return table if table.rows else None
