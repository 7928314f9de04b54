"""What the models say of jobs whose answer is known beforehand. Against real servers: integration_tests/cost."""

from __future__ import annotations

import json
import math
from typing import Any
from unittest.mock import patch

import dagster_pipes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.virtual_time import VirtualTime
from blobpipes.chunklog.options import LogOptions
from blobpipes.cost.forecast import Conditions, Forecast, Latency
from blobpipes.cost.official_pair import forecast_official, forecast_official_workload
from blobpipes.cost.our_pair import forecast_our_workload, forecast_ours
from blobpipes.cost.trace import CLOSED, OPENED, Message, Trace, Workload
from blobpipes.errors import InvalidOptionError

HOUR = 3600.0
BUSY = Workload(seconds=HOUR, rate=1.0)
SILENT = Workload(seconds=HOUR, rate=0.0, results=0)


def kinds(forecast: Forecast, side: str) -> dict[str, int]:
    usage = getattr(forecast.ledger, side)
    return {kind: number for kind, number in usage.requests.items() if number}


def test_a_busy_job_puts_one_chunk_an_interval_and_is_looked_at_as_often() -> None:
    forecast = forecast_ours(BUSY.trace(), LogOptions())
    assert kinds(forecast, "worker")["put"] == pytest.approx(360, abs=3)
    assert kinds(forecast, "reader")["get"] == pytest.approx(375, abs=5)
    assert forecast.lost == 0


def test_the_interval_halves_the_latency_and_doubles_the_requests() -> None:
    fast, slow = (forecast_ours(BUSY.trace(), LogOptions(interval=interval)) for interval in (5.0, 20.0))
    assert fast.requests == pytest.approx(4 * slow.requests, rel=0.05)
    assert 4 * fast.latency.mean == pytest.approx(slow.latency.mean, rel=0.2)


def test_waiting_for_a_job_that_has_not_begun_costs_one_get_an_interval() -> None:
    """An official reader asks for the first chunk in every second: 3,600 times less what its requests take."""
    late = Workload(seconds=1.0, rate=0.0, results=0, boot=HOUR)
    ours = forecast_ours(late.trace(), LogOptions())
    official = forecast_official(late.trace(), 10.0)
    assert kinds(ours, "reader")["get"] == pytest.approx(360, abs=15)
    assert kinds(official, "reader")["get"] > 3450


def test_a_silent_job_costs_its_heartbeats_and_nothing_without_them() -> None:
    beating = forecast_ours(SILENT.trace(), LogOptions())
    still = forecast_ours(SILENT.trace(), LogOptions(heartbeat=0))
    assert kinds(beating, "worker")["put"] - kinds(still, "worker")["put"] == pytest.approx(60, abs=1)
    assert kinds(still, "worker")["put"] == 2  # the message that opens, and the one that closes


def test_full_chunks_leave_before_the_interval() -> None:
    heavy = Workload(seconds=60.0, rate=10.0, size=20_000, results=0)
    forecast = forecast_ours(heavy.trace(), LogOptions(max_chunk=100_000))
    assert kinds(forecast, "worker")["put"] >= 600 * 20_000 / 110_000


def test_a_result_comes_early_and_pays_a_put_of_its_own() -> None:
    plain, rich = (Workload(seconds=600.0, rate=1.0, results=number) for number in (0, 30))
    extra = kinds(forecast_ours(rich.trace(), LogOptions()), "worker")["put"]
    extra -= kinds(forecast_ours(plain.trace(), LogOptions()), "worker")["put"]
    assert 20 <= extra <= 31


@pytest.mark.parametrize("interval", [2.0, 10.0, 30.0])
def test_a_job_that_says_little_waits_for_its_writer_or_its_reader_but_not_for_both(interval: float) -> None:
    """Looks that find nothing because nothing was said must not draw the reader away from where chunks come."""
    sparse = Workload(seconds=7200.0, rate=0.02)
    assert forecast_ours(sparse.trace(), LogOptions(interval=interval)).latency.worst <= interval + 1.0


def test_the_official_pair_is_slower_at_the_same_interval() -> None:
    ours, official = forecast_ours(BUSY.trace(), LogOptions()), forecast_official(BUSY.trace(), 10.0)
    assert ours.latency.mean == pytest.approx(5.4, abs=0.5)
    assert official.latency.mean == pytest.approx(11.7, abs=0.5)


def test_the_official_reader_may_stop_before_it_has_read_all() -> None:
    """A job that ends while more than eleven chunks wait: the reader goes on for eleven seconds, a chunk in each."""
    quick = Workload(seconds=300.0, rate=1.0, results=0)
    slow_store = Conditions(put=0.01, get=4.5)
    assert forecast_official(quick.trace(), 1.0, slow_store).lost > 0
    assert forecast_ours(quick.trace(), LogOptions(interval=1.0), slow_store).lost == 0


@pytest.mark.parametrize("interval", [1.0, 10.0])
@pytest.mark.parametrize("rate", [0.05, 1.0, 7.0])
def test_the_official_writer_is_modelled_as_it_is(rate: float, interval: float) -> None:
    """The package's own upload loop, on a clock that jumps."""
    workload = Workload(seconds=601.3, rate=rate, results=0)
    conditions = Conditions(put=0.08)
    uploads = _real_uploads(workload.trace(), interval, conditions.put)
    forecast = forecast_official(workload.trace(), interval, conditions)
    assert forecast.chunks == len(uploads)
    assert forecast.ledger.worker is not None
    assert forecast.ledger.worker.bytes_up == pytest.approx(sum(uploads), rel=0.01)


def _real_uploads(trace: Trace, interval: float, put: float) -> list[int]:
    clock = VirtualTime()
    sizes: list[int] = []

    class Channel(dagster_pipes.PipesBlobStoreMessageWriterChannel):
        def upload_messages_chunk(self, payload: Any, index: int) -> None:
            clock.sleep(put)
            sizes.append(len(payload.read()))

    channel = Channel(interval=interval)
    with patch.multiple(dagster_pipes, **clock.modules()), channel.buffered_upload_loop():
        began = clock.now
        for message in trace.messages:
            clock.sleep(max(0.0, began + message.at - clock.now))
            channel.write_message(json.loads(message.line))
    return sizes


def test_a_long_job_is_forecast_from_its_beginning() -> None:
    short, long = (forecast_our_workload(Workload(seconds=h * HOUR, rate=1.0), LogOptions()) for h in (2, 10))
    assert long.requests == pytest.approx(5 * short.requests, rel=0.02)
    assert long.latency.mean == pytest.approx(short.latency.mean, rel=0.02)
    official = [forecast_official_workload(Workload(seconds=h * HOUR, rate=1.0), 10.0).requests for h in (2, 10)]
    assert official[1] == pytest.approx(5 * official[0], rel=0.02)


@pytest.mark.parametrize(
    "wrong", [{"seconds": -1}, {"rate": math.nan}, {"rate": 1e9}, {"size": 3}, {"results": -1}, {"boot": math.inf}]
)
def test_an_impossible_plan_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match=f"{next(iter(wrong))} = .* is impossible"):
        Workload(**{"seconds": 60.0, **wrong})


def test_a_plan_with_too_many_messages_is_refused_before_hours_are_spent_on_it() -> None:
    with pytest.raises(InvalidOptionError, match="too long to go through"):
        Workload(seconds=24 * HOUR, rate=1000.0).trace()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(1, 3000), st.booleans()), max_size=40),
    st.floats(0.0, 100.0),
    st.sampled_from([0.5, 2.0, 10.0]),
)
def test_every_message_of_any_job_arrives_and_none_before_it_was_said(
    said: list[tuple[float, int, bool]], boot: float, interval: float
) -> None:
    now, messages = boot, [Message(boot, OPENED)]
    for pause, size, urgent in said:
        now += pause
        messages.append(Message(now, b"x" * size, urgent))
    trace = Trace([*messages, Message(now, CLOSED)])
    conditions = Conditions()
    forecast = forecast_ours(trace, LogOptions(interval=interval), conditions)
    assert forecast.lost == 0
    assert forecast.latency.worst <= 3 * interval + 5  # a chunk's interval, a look's, and what requests take
    assert forecast.latency.median >= conditions.put


def test_latencies_are_read_off_the_sorted_list() -> None:
    assert Latency.of([float(n) for n in range(1, 101)]) == Latency(50.5, 50.0, 95.0, 99.0, 100.0)
    assert Latency.of([]) == Latency()
