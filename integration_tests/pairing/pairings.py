"""Which pairings there are, and the table of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

ORCHESTRATIONS: Final = {
    "ours": "blobpipes alone",
    "adapter": "Dagster, reader and injector of blobpipes",
    "official": "Dagster, official reader and injector",
}
EXTERNALS: Final = {
    "ours": "blobpipes",
    "drop-in": "blobpipes as dagster_pipes",
    "pipes-1.9": "dagster-pipes 1.9",
    "pipes-1.13": "dagster-pipes 1.13",
}
FLAVOURS: Final = {
    "file": "file",
    "dir": "chunk folder",
    "s3": "S3",
    "gs": "Google Cloud Storage",
    "az": "Azure Blob Storage",
}


@dataclass(frozen=True)
class Pairing:
    """An orchestration side, an external side and a place between them."""

    orchestration: str
    external: str
    flavour: str

    def __str__(self) -> str:
        return f"{self.orchestration}-{self.external}-{self.flavour}"

    @property
    def exists(self) -> bool:
        """Whether both sides have classes for such a place. Ours have for all."""
        if self.orchestration == "official" and self.flavour == "dir":
            return False  # only for Databricks, through its service
        if self.external == "drop-in" and self.flavour == "file":
            return False  # the same as without loaders and writers
        return not (self.external == "pipes-1.9" and self.flavour in ("dir", "az"))

    @property
    def in_dagster(self) -> bool:
        return self.orchestration != "ours"


ALL: Final = [
    pairing
    for orchestration in ORCHESTRATIONS
    for external in EXTERNALS
    for flavour in FLAVOURS
    if (pairing := Pairing(orchestration, external, flavour)).exists
]


def table(outcomes: Mapping[Pairing, str]) -> str:
    """As Markdown: one row for each pair of sides, one column for each place; what is not in `outcomes` is a dash."""
    rows = [["orchestration side", "external side", *FLAVOURS.values()]]
    for orchestration, title in ORCHESTRATIONS.items():
        for external, package in EXTERNALS.items():
            cells = [outcomes.get(Pairing(orchestration, external, flavour), "-") for flavour in FLAVOURS]
            rows.append([title, package, *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])


def passed(pairings: Collection[Pairing]) -> dict[Pairing, str]:
    """Outcomes as they should be."""
    return dict.fromkeys(pairings, "passes")
