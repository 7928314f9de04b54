"""What is lost under faults, and who is told: `python -m benchmarks.losses`. Both pairs meet the same faults.

Each pair runs as real processes against one moto server, each through a proxy of its own that spoils requests.
Only the hour with a slow handler runs in this process, on a clock of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import faults, hour
from benchmarks.faults import FaultyProxy, Rule
from benchmarks.pair import MissingPackagesError, require_official, run
from benchmarks.plan import SIDES, WRONG_KEY, Outcome, Plan, Side
from benchmarks.tables import table
from integration_tests.servers.clouds import CloudServer, s3_server


@dataclass(frozen=True)
class Row:
    """One fault, the job that meets it, and what our protocol promises."""

    name: str
    plan: dict[str, Any]
    rule: Rule = faults.none
    promised: bool = True  # blobpipes: nothing lost. If not, a named error
    ours: dict[str, Any] = field(default_factory=dict)  # for blobpipes alone


ROWS = [
    Row("writer every 1 s, reader every 10 s", {"messages": 160, "seconds": 40, "reader_interval": 10.0}),
    Row("one 503", {"messages": 30, "seconds": 12}, faults.answers_503(1)),
    Row("eight 503 in a row", {"messages": 100, "seconds": 30}, faults.answers_503(8)),
    Row("30 s without a connection", {"messages": 180, "seconds": 45}, faults.outage(4, 34)),
    Row("a value that is not JSON", {"messages": 60, "seconds": 12, "bad_at": 30}),
    Row("SIGTERM", {"messages": 60, "seconds": 6, "signal_at": 45, "signal": int(signal.SIGTERM)}),
    Row("SIGKILL", {"messages": 60, "seconds": 6, "signal_at": 45, "signal": int(signal.SIGKILL)}, promised=False),
    Row(
        "SIGKILL, then restarted (ours: spool=wal)",
        {"messages": 40, "seconds": 4, "signal_at": 33, "signal": int(signal.SIGKILL), "processes": 2},
        ours={"options": "&spool=wal"},
    ),
    Row(
        "restart with the same parameters, all stored before",
        {"messages": 30, "signal_at": 29, "signal": int(signal.SIGKILL), "settle": 6.0, "processes": 2, "seconds": 4},
    ),
    Row("reader object used twice", {"messages": 30, "seconds": 6, "sessions": 2}),
    Row(
        "wrong credentials on the reader",
        {"messages": 30, "seconds": 6, "reader_key": WRONG_KEY},
        faults.wrong_key,
        promised=False,
    ),
]


@dataclass(frozen=True)
class Result:
    """One row of one pair."""

    row: str
    side: Side
    sent: int
    arrived: int
    lost: int
    duplicated: int
    told: str
    as_promised: bool


def run_row(server: CloudServer, row: Row, side: Side) -> Result:
    cloud = server.fresh()
    values = {**row.plan, **(row.ours if side == "blobpipes" else {})}
    with FaultyProxy(server.process.port, row.rule) as proxy:
        outcome = run(Plan(side, cloud.url, **values), server.through(proxy, cloud).env)
    return judge(row.name, side, outcome, promised=row.promised)


def judge(name: str, side: Side, outcome: Outcome, *, promised: bool) -> Result:
    kept = outcome.lost == 0 and outcome.duplicated == 0
    named = outcome.duplicated == 0 and outcome.caller_error is not None
    fine = kept or (named and not promised)
    arrived = len(set(outcome.arrived) & set(outcome.sent))
    return Result(
        name, side, len(outcome.sent), arrived, outcome.lost, outcome.duplicated, told(outcome), fine
    )  # fmt: skip


def told(outcome: Outcome) -> str:
    """Who heard of it, in one line."""
    job = f"job: {'; '.join(outcome.job_errors)}" if outcome.job_errors else ""
    error = f"caller: {outcome.caller_error}" if outcome.caller_error else ""
    notes = "; ".join(note for note in outcome.caller_notes if note != "run failed")
    return re.sub(r"s3://\S+?(?=[:;]? |$)", "s3://...", " - ".join(part for part in (job, error, notes) if part))


def run_all(rows: Sequence[Row], parallel: int, *, hours: float) -> list[Result]:
    pairs = [(row, side) for row in rows for side in SIDES]
    server = s3_server()
    with server.process, ThreadPoolExecutor(parallel) as pool:
        results = list(pool.map(lambda pair: run_row(server, *pair), pairs))
    if hours:
        name = f"{hours:g} h of 5 messages/s, 10 ms to handle one (virtual clock)"
        results += [judge(name, side, hour.simulate(side, hours * 3600), promised=True) for side in SIDES]
    return results


def show(results: Sequence[Result]) -> str:
    headers = ["fault", "pair", "sent", "arrived", "lost", "twice", "who was told what"]
    rows = [(r.row, r.side, r.sent, r.arrived, r.lost, r.duplicated, r.told.replace("|", "/")) for r in results]
    return table(headers, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="rows whose name contains TEXT")
    parser.add_argument("--parallel", type=int, default=6, help="sessions at once (default: 6); they mostly wait")
    parser.add_argument("--hours", type=float, default=1.0, help="of the slow handler; 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        require_official()
    except MissingPackagesError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = [row for row in ROWS if not options.only or options.only in row.name]
    results = run_all(rows, options.parallel, hours=options.hours)
    print(json.dumps([asdict(result) for result in results], indent=1) if options.json else show(results))
    broken = [result.row for result in results if result.side == "blobpipes" and not result.as_promised]
    if broken:
        print(f"error: blobpipes broke its promise: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
