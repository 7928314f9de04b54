"""What a session has cost, as a page says it: the same figures as `blobpipes cost` has."""

from __future__ import annotations

from blobpipes.chunklog.reader_types import LogEnd
from blobpipes.cli.wording import requests
from blobpipes.cost.bill import Cost, dollars, price
from blobpipes.cost.price_files import load_prices
from blobpipes.orchestration.catalog import FoundSession
from blobpipes.orchestration.recordings import Recording, read_recording
from blobpipes.orchestration.session_place import parse_storage
from blobpipes.storage.metered import Meter


def price_rows(url: str, session: FoundSession, end: LogEnd | None, meter: Meter) -> list[tuple[str, str]]:
    """Titles and what stands under them; empty where nothing was said or the store has just failed.

    Reads the session again, because the orchestration side's half is found by going through it as that side does.

    Raises:
        PriceFileError: the file that BLOBPIPES_PRICES names is broken.
        StoreError: the store refused, or could not be reached.
    """
    if end is None or not end.chunks or end.verdict in ("refused", "unreachable"):
        return []
    table = load_prices()
    recording = read_recording(session, meter)
    if not recording.chunks:
        return []
    cost = price(recording.ledger(), store=parse_storage(url, None, {}).price_key, table=table)
    return _rows(recording, cost)


def _rows(recording: Recording, cost: Cost) -> list[tuple[str, str]]:
    def priced(usd: float) -> str:
        return dollars(usd) if cost.prices.is_known else "unknown"

    worker, reader = cost.ledger.worker, cost.ledger.reader
    job = requests(worker.requests) if worker is not None else "unknown"
    return [
        ("together", f"{priced(cost.usd)} on {cost.prices.name}, prices of {cost.collected}"),
        ("the job", f"{priced(cost.worker_usd)}: {job}"),
        ("the orchestration side", f"about {priced(cost.reader_usd)}: {requests(reader.requests)}"),
        ("how sure", "; ".join(recording.caveats)),
    ]
