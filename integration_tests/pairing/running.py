"""Runs all pairings at once, a calling process for each orchestration side and place, and keeps what arrived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from integration_tests.pairing.official import STORES, package_folder
from integration_tests.pairing.pairings import Pairing
from integration_tests.pairing.plans import Plan
from integration_tests.servers.clouds import ROOT, Cloud

JOB: Final = str(Path(__file__).with_name("job.py"))
AT_ONCE: Final = 4  # callers; mostly they wait
TIMEOUT: Final = 600.0  # seconds for one caller with all its pairings, on a machine that is busy with other things
ALL_TIMEOUT: Final = 1500.0  # seconds for those that wait for their turn

QUIET: Final = {"PYTHONWARNINGS": "ignore", "DAGSTER_HOME": "", "PYTHONUTF8": "1"}


class Callers:
    """A pool of calling processes. `arrived` waits for a plan's own caller."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="caller")
        self._futures: dict[str, Future[dict[str, Any]]] = {}
        self.missing: dict[str, str] = {}  # pairings that cannot run on this machine, and what it lacks

    def start(self, plans: Iterable[Plan], env: Mapping[str, str], python: str = sys.executable) -> None:
        """One caller for these plans, one after the other."""
        plans = list(plans)
        future = self._pool.submit(_call, self._scratch / plans[0].name, plans, env, python)
        self._futures |= dict.fromkeys((plan.name for plan in plans), future)

    def arrived(self, name: str, scene: str) -> dict[str, Any]:
        """What arrived in a scene of this plan, once its caller has ended. Raises what failed there instead."""
        found: dict[str, Any] = self._outcome(name)[scene]
        assert "error" not in found, found["error"]
        return found

    def _outcome(self, name: str) -> dict[str, Any]:
        outcomes = self._futures[name].result(ALL_TIMEOUT)
        assert name in outcomes, f"the caller ended without a word on {name}; it said:\n{outcomes['output'][-6000:]}"
        scenes: dict[str, Any] = outcomes[name]
        return scenes

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def plan_for(pairing: Pairing, place: Cloud | None, folder: Path) -> Plan:
    """Both scenes of a pairing, in a place of its own."""
    is_ours = pairing.external in ("ours", "drop-in")
    env = {
        "PAIRING_PACKAGE": "blobpipes" if is_ours else "dagster_pipes",
        "PAIRING_FLAVOUR": pairing.flavour,
        "PAIRING_DROP_IN": "1" if pairing.external == "drop-in" else "0",
        "PYTHONPATH": str(ROOT / "src") if is_ours else package_folder(pairing.external),
    }
    if pairing.orchestration == "official" and place is not None:
        env["BLOBPIPES_URL"] = f"{place.scheme}://?interval=1s"  # an official side does not say whose bucket it is
    url = place.url if place is not None else f"file://{folder}"
    return Plan(str(pairing), pairing.orchestration, pairing.flavour, url, (sys.executable, JOB), env)


def caller_env(place: Cloud | None, *, official: bool) -> dict[str, str]:
    """For a caller, and handed on to its jobs."""
    path = [str(ROOT / "src"), str(ROOT), *([package_folder(STORES)] if official else [])]
    if "BLOBPIPES_SKEW" in os.environ:  # `dev.py skew`: another Dagster, and its own readers
        path.insert(0, package_folder(os.environ["BLOBPIPES_SKEW"]))
    return {**os.environ, **(place.env if place is not None else {}), "PYTHONPATH": os.pathsep.join(path), **QUIET}


def _call(folder: Path, plans: list[Plan], env: Mapping[str, str], python: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    asked, told = folder / "plans", folder / "outcomes"
    asked.write_text("".join(f"{plan.encode()}\n" for plan in plans))
    told.touch()
    command = [python, "-m", "integration_tests.pairing.caller", str(asked), str(told)]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    outcomes = [json.loads(line) for line in told.read_text().splitlines()]
    return {outcome["name"]: outcome for outcome in outcomes} | {"output": done.stdout + done.stderr}
