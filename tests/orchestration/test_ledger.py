"""What a session has cost stands in its report, by what both sides have asked of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from blobpipes import (
    PipesContext,
    PipesMappingParamsLoader,
    PipesSession,
    PipesSessionReport,
    RunContext,
    open_dagster_pipes,
    open_pipes_session,
)
from blobpipes.chunklog.options import LogOptions
from blobpipes.cost.our_pair import forecast_ours
from blobpipes.cost.price_files import PRICES_ENV_VAR
from blobpipes.cost.prices import PriceFileError
from blobpipes.cost.trace import CLOSED, OPENED, Message, Trace
from blobpipes.errors import InvalidOptionError
from blobpipes.storage.open import open_store

URL = "memory://ledger?interval=10s"


def run_job(session: PipesSession) -> None:
    with open_dagster_pipes(params_loader=PipesMappingParamsLoader(session.get_bootstrap_env_vars())) as pipes:
        assert isinstance(pipes, PipesContext)
        pipes.log.info("working")
        pipes.report_asset_materialization({"rows": 3}, asset_key="a")


def report_of(url: str = URL, **options: object) -> PipesSessionReport:
    with open_pipes_session(RunContext.for_asset("a"), url=url, **options) as session:  # type: ignore[arg-type]
        run_job(session)
    return session.report


def test_both_sides_are_in_the_ledger() -> None:
    report_of()  # the first session in a place also finds out what the store can do
    report = report_of()
    worker, reader = report.ledger.worker, report.ledger.reader
    assert worker is not None
    # The job gets its context, puts its chunks, and if it put several it makes sure that the log is still its own.
    assert worker.requests == {"put": report.chunks, "get": 1 + (report.chunks > 1), "list": 0, "delete": 0}
    assert (reader.requests["put"], reader.requests["delete"]) == (2, 1)  # the descriptor, and the context
    assert worker.bytes_up > report.bytes
    assert reader.bytes_down >= worker.bytes_up


def test_the_descriptors_and_the_contexts_bytes_are_counted() -> None:
    report = report_of()
    stored = open_store(URL).list(f"{report.session}/")
    descriptor = next(info.size for info in stored if info.key.endswith("_bp/session.json"))
    assert report.ledger.reader.bytes_up > descriptor


def test_the_model_counts_the_same_writes_for_opening_and_closing() -> None:
    """What a session begins and ends with is the same for each; how often its reader looks is not."""
    forecast = forecast_ours(Trace([Message(0.0, OPENED), Message(0.0, CLOSED)]), LogOptions()).ledger.reader
    report_of()
    counted = report_of().ledger.reader
    assert [counted.requests[kind] for kind in ("put", "list", "delete")] == [
        forecast.requests[kind] for kind in ("put", "list", "delete")
    ]


@pytest.mark.parametrize("cleanup", ["archive", "delete"])
def test_cleaning_up_is_in_the_bill(cleanup: str) -> None:
    report_of()
    kept, cleaned = report_of(), report_of(cleanup=cleanup)
    assert cleaned.ledger.reader.requests["list"] > kept.ledger.reader.requests["list"]
    assert cleaned.ledger.reader.requests["delete"] >= cleaned.chunks


def test_a_second_session_of_one_process_has_a_ledger_of_its_own() -> None:
    first, second = report_of(), report_of()
    assert first.ledger.worker is not None
    assert second.ledger.worker is not None
    assert second.ledger.worker.requests["get"] <= 2


def test_memory_costs_nothing_and_the_same_requests_have_a_price_elsewhere() -> None:
    report = report_of()
    assert (report.store, report.cost.usd, report.cost.is_known) == ("local", 0.0, True)
    s3 = report.cost_at(store="s3")
    assert s3.usd == pytest.approx(
        (s3.ledger.total.requests["put"] * 5.0 + s3.ledger.total.requests["get"] * 0.4) / 1e6, rel=1e-6
    )
    assert report.cost_at(store="s3", region="other").usd > s3.usd
    with pytest.raises(InvalidOptionError, match="did you mean 's3'"):
        report.cost_at(store="s33")


def test_a_file_of_ones_own_overrides_the_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text("[stores.local]\nput = 1000000\n")
    report = report_of()
    puts = report.ledger.total.requests["put"]
    assert report.cost_at(tmp_path / "mine.toml").usd == pytest.approx(puts)
    monkeypatch.setenv(PRICES_ENV_VAR, str(tmp_path / "mine.toml"))
    assert report.cost.usd == pytest.approx(puts)
    assert report.to_dict()["cost"]["usd"] == pytest.approx(puts)
    (tmp_path / "mine.toml").write_text("[stores.local]\nput = \n")
    with pytest.raises(PriceFileError, match="not TOML"):
        _ = report.cost


def fail_after_the_job() -> None:
    with open_pipes_session(RunContext.for_asset("a"), url=URL) as session:
        run_job(session)
        raise LookupError("on this side")


def test_the_report_of_a_block_that_raised_has_a_price_too() -> None:
    with pytest.raises(LookupError) as caught:
        fail_after_the_job()
    assert caught.value.report.ledger.worker is not None  # type: ignore[attr-defined]


def test_a_process_that_never_came_leaves_its_half_of_the_bill_open() -> None:
    with open_pipes_session(RunContext.for_asset("a"), url=URL, on_incomplete="warn") as session:
        pass
    assert session.report.ledger.worker is None
    assert "keeps no ledger" in session.report.cost.caveat
    assert session.report.ledger.reader.requests["put"] >= 2
