"""All pairings run once for the whole session; each test looks at what arrived in one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from integration_tests.conftest import give_up
from integration_tests.pairing import pairings
from integration_tests.pairing.pairings import Pairing
from integration_tests.pairing.running import Callers, caller_env, plan_for
from integration_tests.servers.clouds import Cloud, MissingServerError

SERVERS = {"s3": "s3", "gs": "gcs", "az": "azure"}
OUTCOMES = pytest.StashKey[dict[Pairing, str]]()


@pytest.fixture(scope="session")
def callers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Every pairing that a selected test asks for, under way."""
    running = Callers(tmp_path_factory.mktemp("callers"))
    chosen = {pairing for item in request.session.items if (pairing := _pairing_of(item)) is not None}
    try:
        for group in _by_caller(chosen):
            _start(running, group, request, tmp_path_factory.mktemp(str(group[0])))
        yield running
    finally:
        running.close()


@pytest.fixture
def arrived(callers: Callers, pairing: Pairing) -> Mapping[str, Any]:
    """What arrived in this pairing, by scene."""
    if str(pairing) in callers.missing:
        give_up(MissingServerError(callers.missing[str(pairing)]))
    return {scene: callers.arrived(str(pairing), scene) for scene in ("whole", "several")}


def _by_caller(chosen: Collection[Pairing]) -> list[list[Pairing]]:
    """What one calling process does, one after the other; the slowest first."""

    def caller(pairing: Pairing) -> tuple[bool, str, str]:
        return not pairing.in_dagster, pairing.orchestration, pairing.flavour

    return [list(group) for _, group in groupby(sorted(chosen, key=caller), key=caller)]


def _start(running: Callers, group: list[Pairing], request: pytest.FixtureRequest, folder: Path) -> None:
    try:
        place = _fresh_place(request, group[0].flavour)
        plans = [plan_for(pairing, place, folder / pairing.external) for pairing in group]
        running.start(plans, caller_env(place, official=group[0].orchestration == "official"))
    except (MissingServerError, pytest.skip.Exception) as error:
        running.missing |= {str(pairing): str(error) for pairing in group}


def _fresh_place(request: pytest.FixtureRequest, flavour: str) -> Cloud | None:
    if flavour not in SERVERS:
        return None
    place: Cloud = request.getfixturevalue(SERVERS[flavour]).fresh()
    return place


def _pairing_of(item: pytest.Item) -> Pairing | None:
    spec = getattr(item, "callspec", None)
    found = spec.params.get("pairing") if spec is not None else None
    return found if isinstance(found, Pairing) else None


# --- the table ----------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Remember how it went with the pairing: one failure is one too many."""
    report: pytest.TestReport = yield
    pairing = _pairing_of(item)
    if pairing is not None and (report.when == "call" or report.outcome != "passed"):
        outcomes = item.config.stash.setdefault(OUTCOMES, {})
        outcome = {"passed": "passes", "failed": "FAILS", "skipped": "skipped"}[report.outcome]
        if outcomes.get(pairing) in (None, "passes"):
            outcomes[pairing] = outcome
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    outcomes = config.stash.get(OUTCOMES, {})
    if outcomes:
        terminalreporter.section("pairings")
        terminalreporter.write_line(pairings.table(outcomes))
