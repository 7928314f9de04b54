"""What the job's half of a session has cost, by the ledger in its chunks, as a page says it."""

from __future__ import annotations

from blobpipes.chunklog.reader_types import LogEnd
from blobpipes.cli.wording import requests, size
from blobpipes.cost.bill import Ledger, dollars, price
from blobpipes.cost.price_files import load_prices
from blobpipes.orchestration.session_place import parse_storage


def price_rows(url: str, end: LogEnd | None) -> list[tuple[str, str]]:
    """Titles and what stands under them; empty where the job keeps no ledger.

    Raises:
        PriceFileError: the file that BLOBPIPES_PRICES names is broken.
    """
    if end is None or end.usage is None:
        return []
    table = load_prices()
    cost = price(Ledger(end.usage), store=parse_storage(url, None, {}).price_key, table=table)
    figure = dollars(cost.worker_usd) if cost.prices.is_known else "unknown"
    return [
        ("the job's half", f"{figure} on {cost.prices.name}, prices of {table.collected}"),
        ("for", f"{requests(end.usage.requests)}, {size(end.usage.bytes_up)} up, {size(end.usage.bytes_down)} down"),
        ("the other half", "is in the report of the orchestration process"),
    ]
