"""From what was asked of a store to what it costs.

A ledger says what each side has asked; a bill prices it. Where one side has not said (an official writer keeps no
ledger) the bill is of the other side alone, and says so. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from blobpipes.cost.prices import GB, PriceTable, StorePrices
from blobpipes.storage.usage import KINDS, Usage

Region: TypeAlias = Literal["same", "other"]
"""Whether the orchestration process runs in the store's region, or bytes leave the region on their way to it."""

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the two sides of one session have asked of the store, retries and refused requests included."""

    worker: Usage | None  # of all external processes; None: they did not say, or not all of them
    reader: Usage = field(default_factory=Usage)

    @property
    def total(self) -> Usage:
        """Both sides, as far as they are known."""
        return self.reader + (self.worker or Usage())


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session costs at a store's list prices, in US dollars. Storage and free tiers are left out."""

    prices: StorePrices
    collected: str  # the day of the prices, as 2026-11-22
    ledger: Ledger
    region: Region
    worker_usd: float
    reader_usd: float  # egress included
    egress_usd: float  # for what the reader got, if it is in another region

    @property
    def usd(self) -> float:
        """Of both sides, as far as they are known."""
        return self.worker_usd + self.reader_usd

    @property
    def is_known(self) -> bool:
        """The store's prices are known, and both sides have said what they asked."""
        return self.prices.is_known and self.ledger.worker is not None

    @property
    def caveat(self) -> str:
        """Why the figure is not the whole of it, in one sentence; empty if it is."""
        missing = [] if self.prices.is_known else ["the store's prices are unknown, so they count as 0"]
        missing += [] if self.ledger.worker is not None else ["the external process keeps no ledger, so it is left out"]
        return " and ".join(missing)

    def summary(self) -> str:
        """One line for people: `$0.00198 on Amazon S3 Standard: 365 put, 371 get`."""
        asked = ", ".join(f"{number:,} {kind}" for kind, number in self.ledger.total.requests.items() if number)
        price = dollars(self.usd) if self.prices.is_known else "unknown price"
        note = f" ({self.caveat})" if self.caveat else ""
        return f"{price} on {self.prices.name}: {asked or 'no request'}{note}"

    def as_metadata(self) -> dict[str, str | int | float]:
        """The figures under flat names, as an orchestrator shows them beside a run: plain numbers and texts."""
        total = self.ledger.total
        figures: dict[str, str | int | float] = {
            "blobpipes/cost_usd": round(self.usd, 9),
            "blobpipes/cost_store": self.prices.name,
            "blobpipes/cost_prices_of": self.collected,
            "blobpipes/requests": sum(total.requests.values()),
            **{f"blobpipes/requests_{kind}": number for kind, number in total.requests.items() if number},
            "blobpipes/bytes_up": total.bytes_up,
            "blobpipes/bytes_down": total.bytes_down,
        }
        if self.caveat:
            figures["blobpipes/cost_note"] = self.caveat
        return figures

    def to_dict(self) -> dict[str, Any]:
        """All of it, in JSON's own types."""
        worker = self.ledger.worker
        return {
            "usd": self.usd,
            "worker_usd": self.worker_usd,
            "reader_usd": self.reader_usd,
            "egress_usd": self.egress_usd,
            "known": self.is_known,
            "note": self.caveat,
            "store": self.prices.key,
            "store_name": self.prices.name,
            "prices_of": self.collected,
            "region": self.region,
            "worker": None if worker is None else usage_fields(worker),
            "reader": usage_fields(self.ledger.reader),
        }


def price(ledger: Ledger, *, store: str, table: PriceTable, region: Region = "same") -> Cost:
    """What the ledger's requests and bytes cost in the store that the table knows as `store`."""
    prices = table.of(store)
    outside = ledger.reader.bytes_down if region == "other" else 0
    egress = outside * prices.egress / GB
    return Cost(
        prices=prices,
        collected=table.collected.isoformat(),
        ledger=ledger,
        region=region,
        worker_usd=_usage_usd(ledger.worker or Usage(), prices),
        reader_usd=_usage_usd(ledger.reader, prices) + egress,
        egress_usd=egress,
    )


def usage_fields(usage: Usage) -> dict[str, int]:
    """A usage as JSON's own types: `put`, `get`, `list`, `delete`, `bytes_up`, `bytes_down`, `errors`."""
    return {
        **{kind: usage.requests.get(kind, 0) for kind in KINDS},
        "bytes_up": usage.bytes_up,
        "bytes_down": usage.bytes_down,
        "errors": usage.errors,
    }


def store_key(url: str, options: Mapping[str, Any] | None = None, *, endpoint: str | None = None) -> str:
    """Under which name a price table knows the store at `url`; "unknown" for a server of one's own.

    Args:
        options: the storage options, which may name another endpoint than the provider's.
        endpoint: the one that the environment names, for S3.
    """
    scheme = url.rpartition("::")[2].partition("://")[0].lower() if "://" in url else "file"
    if scheme in ("file", "local", "memory", "sftp", "ssh"):
        return "local"
    if scheme in ("gs", "gcs"):
        return "gcs"
    if scheme in ("az", "abfs", "abfss"):
        return "azure"
    if scheme not in ("s3", "s3a"):
        return scheme
    client = (options or {}).get("client_kwargs") or {}
    named = (options or {}).get("endpoint_url") or client.get("endpoint_url") or endpoint or ""
    if named:
        return next((key for mark, key in _ENDPOINTS.items() if mark in str(named)), "unknown")
    bucket = url.rpartition("://")[2].partition("/")[0]
    return "s3-express" if bucket.endswith("--x-s3") else "s3"


_ENDPOINTS: Final = {"amazonaws.com": "s3", "r2.cloudflarestorage.com": "r2", "storage.googleapis.com": "gcs"}


def dollars(usd: float) -> str:
    """Three figures that count, in front of which nobody has to count zeros: `$0`, `$0.0018`, `$1.42`, `$12,300`."""
    if usd == 0:
        return "$0"
    if usd >= 100:
        return f"${usd:,.0f}"
    if usd >= 1:
        return f"${usd:.2f}"
    if usd < 1e-6:
        return "<$0.000001"
    decimals = max(2, 2 - math.floor(math.log10(usd)))
    return f"${usd:.{decimals}f}".rstrip("0").rstrip(".")


def _usage_usd(usage: Usage, prices: StorePrices) -> float:
    asked = sum(usage.requests.get(kind, 0) * getattr(prices, kind) for kind in KINDS) / MILLION
    return float(asked + (usage.bytes_up * prices.upload + usage.bytes_down * prices.download) / GB)
