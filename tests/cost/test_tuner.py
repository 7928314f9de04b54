"""Which setting to take, of those that were tried."""

from __future__ import annotations

import pytest

from blobpipes.chunklog.options import LogOptions
from blobpipes.cost.bill import Ledger, price
from blobpipes.cost.forecast import Conditions, Forecast, Latency
from blobpipes.cost.price_files import load_prices
from blobpipes.cost.trace import Workload
from blobpipes.cost.tuner import Point, as_late, pareto_front, recommend, try_official, try_settings
from blobpipes.errors import InvalidOptionError
from blobpipes.storage.usage import Usage

TABLE = load_prices()


def s3(forecast: Forecast):  # type: ignore[no-untyped-def]
    return price(forecast.ledger, store="s3", table=TABLE)


def point(interval: float, puts: int, seconds: float) -> Point:
    ledger = Ledger(Usage({"put": puts}), Usage())
    forecast = Forecast(ledger, Latency(mean=seconds / 2, p95=seconds), puts)
    return Point("blobpipes", LogOptions(interval=interval), forecast, s3(forecast))


CHEAP, MIDDLE, FAST = point(60, 100, 60.0), point(10, 600, 10.0), point(1, 6000, 1.0)
BEATEN = point(15, 700, 12.0)  # dearer and slower than the middle one
ALL = [FAST, BEATEN, CHEAP, MIDDLE]


def test_the_front_leaves_out_what_is_dearer_and_slower_than_another() -> None:
    assert pareto_front(ALL) == [CHEAP, MIDDLE, FAST]


def test_of_two_equally_dear_settings_the_faster_one_stays() -> None:
    assert pareto_front([point(10, 600, 10.0), point(12, 600, 8.0)]) == [point(12, 600, 8.0)]


def test_a_latency_takes_the_cheapest_that_is_fast_enough_and_a_budget_the_fastest_that_is_cheap_enough() -> None:
    assert recommend(ALL, latency=30.0) == MIDDLE
    assert recommend(ALL, latency=60.0) == CHEAP
    assert recommend(ALL, budget=MIDDLE.usd) == MIDDLE
    assert recommend(ALL, budget=1.0) == FAST


def test_without_a_wish_neither_speed_nor_money_is_driven_to_the_end() -> None:
    assert recommend(ALL) == MIDDLE


def test_what_cannot_be_had_is_refused_with_the_best_there_is() -> None:
    with pytest.raises(InvalidOptionError, match=r"within 0\.5 s") as slow:
        recommend(ALL, latency=0.5)
    assert "1.0 s" in slow.value.remedy
    with pytest.raises(InvalidOptionError, match="costs at most") as dear:
        recommend(ALL, budget=1e-6)
    assert "0.0005" in dear.value.remedy
    with pytest.raises(InvalidOptionError, match="within the budget"):
        recommend(ALL, latency=5.0, budget=MIDDLE.usd)


def test_todays_setting_is_among_those_tried() -> None:
    tried = try_settings(Workload(60.0), LogOptions(interval=7.0), s3, conditions=Conditions(), intervals=(5.0, 10.0))
    assert [each.interval for each in tried] == [5.0, 7.0, 10.0]


@pytest.mark.parametrize(("rate", "most"), [(0.0, 1.0), (0.002, 1.0), (0.02, 1.05), (1.0, 0.6)])
def test_an_hour_is_not_dearer_than_with_the_official_pair_at_the_same_latency(rate: float, most: float) -> None:
    """On a machine that takes a minute to start. The heartbeat is off, because the official pair has none.

    Where messages come alone, either pair pays a put for each, and the rest is a few looks more or less.
    """
    job, conditions, interval = Workload(3600.0, rate=rate, boot=60.0), Conditions(), 10.0
    official = try_official(job, LogOptions(interval=interval), s3, conditions=conditions)
    (theirs,) = (each for each in official if each.interval == interval)
    mean = theirs.forecast.latency.mean
    _, ours = as_late(job, LogOptions(heartbeat=0), mean, conditions=conditions)
    assert ours.latency.mean <= mean
    assert s3(ours).usd <= most * theirs.usd
