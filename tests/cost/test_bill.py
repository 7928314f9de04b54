"""From requests to dollars."""

from __future__ import annotations

import pytest

from blobpipes.cost.bill import Ledger, dollars, price, store_key
from blobpipes.cost.price_files import load_prices
from blobpipes.storage.usage import Usage

WORKER = Usage({"put": 360, "get": 2, "list": 0, "delete": 0}, bytes_up=1_000_000, bytes_down=2_000)
READER = Usage({"put": 2, "get": 370, "list": 1, "delete": 1}, bytes_up=1_200, bytes_down=1_000_000)


def test_every_request_is_priced_by_its_kind() -> None:
    cost = price(Ledger(WORKER, READER), store="s3", table=load_prices())
    assert cost.worker_usd == pytest.approx((360 * 5.00 + 2 * 0.40) / 1e6)
    assert cost.reader_usd == pytest.approx((2 * 5.00 + 370 * 0.40 + 1 * 5.00) / 1e6)
    assert cost.usd == cost.worker_usd + cost.reader_usd
    assert (cost.is_known, cost.caveat) == (True, "")


def test_bytes_cost_where_they_leave_the_region_or_where_the_store_charges_for_every_byte() -> None:
    table = load_prices()
    near, far = (price(Ledger(WORKER, READER), store="gcs", table=table, region=region) for region in ("same", "other"))
    assert far.usd - near.usd == pytest.approx(1e6 / 1e9 * 0.12)
    assert far.egress_usd == pytest.approx(far.usd - near.usd)
    express = price(Ledger(WORKER, Usage()), store="s3-express", table=table)
    assert express.usd == pytest.approx((360 * 1.13 + 2 * 0.03) / 1e6 + (1e6 * 0.0032 + 2e3 * 0.0006) / 1e9)


def test_a_session_without_the_workers_ledger_is_priced_in_part_and_says_so() -> None:
    cost = price(Ledger(None, READER), store="s3", table=load_prices())
    assert cost.worker_usd == 0
    assert not cost.is_known
    assert "keeps no ledger" in cost.caveat
    assert "keeps no ledger" in cost.summary()
    assert cost.as_metadata()["blobpipes/cost_note"] == cost.caveat
    assert cost.to_dict()["worker"] is None


def test_an_unknown_store_costs_nothing_and_says_unknown() -> None:
    cost = price(Ledger(WORKER, READER), store="swift", table=load_prices())
    assert (cost.usd, cost.is_known) == (0, False)
    assert "unknown" in cost.summary()
    assert cost.to_dict()["known"] is False


def test_metadata_is_flat_and_plain() -> None:
    figures = price(Ledger(WORKER, READER), store="s3", table=load_prices()).as_metadata()
    assert all(isinstance(value, (str, int, float)) for value in figures.values())
    assert (figures["blobpipes/requests"], figures["blobpipes/requests_put"]) == (736, 362)
    assert figures["blobpipes/cost_usd"] == pytest.approx(362 * 5e-6 + 372 * 0.4e-6 + 5e-6)


@pytest.mark.parametrize(
    ("url", "options", "endpoint", "key"),
    [
        ("s3://bucket/prefix", None, None, "s3"),
        ("s3a://bucket", {}, None, "s3"),
        ("s3://name--usw2-az1--x-s3/p", None, None, "s3-express"),
        ("s3://bucket", {"endpoint_url": "http://localhost:9000"}, None, "unknown"),
        ("s3://bucket", {"client_kwargs": {"endpoint_url": "https://abc.r2.cloudflarestorage.com"}}, None, "r2"),
        ("s3://bucket", None, "https://s3.eu-west-1.amazonaws.com", "s3"),
        ("s3://bucket", None, "http://minio:9000", "unknown"),
        ("gs://bucket", None, None, "gcs"),
        ("gcs://bucket", None, None, "gcs"),
        ("az://container", None, None, "azure"),
        ("abfs://container@account.dfs.core.windows.net/p", None, None, "azure"),
        ("zip://*.json::s3://bucket/x.zip", None, None, "s3"),
        ("memory://x", None, None, "local"),
        ("file:///tmp/x", None, None, "local"),
        ("./pipes", None, None, "local"),
        ("sftp://host/p", None, None, "local"),
        ("webhdfs://host/p", None, None, "webhdfs"),
    ],
)
def test_a_url_names_its_store(url: str, options: dict[str, object] | None, endpoint: str | None, key: str) -> None:
    assert store_key(url, options, endpoint=endpoint) == key


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0, "$0"),
        (0.0018, "$0.0018"),
        (0.00197384, "$0.00197"),
        (0.000144, "$0.000144"),
        (0.5, "$0.5"),
        (1.4159, "$1.42"),
        (99.99, "$99.99"),
        (12_345.6, "$12,346"),
        (1e-9, "<$0.000001"),
    ],
)
def test_dollars_have_three_figures_that_count(usd: float, shown: str) -> None:
    assert dollars(usd) == shown
