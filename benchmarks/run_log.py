"""A job that says more than Dagster's event log can take in at once: `python -m benchmarks.run_log`.

A real run of Dagster, a real job, S3 by a moto server on this machine. What counts is what is in the run's event log at
the end. Dagster takes milliseconds to log a message, so most of them are handled after the job has ended, and the
official reader waits 120 s for that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.pair import ROOT, require_official
from benchmarks.plan import SIDES, Side
from benchmarks.tables import table
from integration_tests.servers.clouds import Cloud, s3_server

NUMBERED = re.compile(r"message (\d+)")
PAGE = 10_000  # records of the event log looked at together
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the event log is what counts

JOB = """
import sys, time
{opening}
with opened as pipes:
    for number in range({messages}):
        pipes.log.info("message %d", number)
    pipes.report_asset_materialization(metadata={{"ended": time.time()}})
"""
OPENINGS: dict[Side, str] = {
    "blobpipes": "from blobpipes import open_dagster_pipes\nopened = open_dagster_pipes()",
    "official": (
        "import boto3, dagster_pipes as dp\n"
        "opened = dp.open_dagster_pipes(message_writer=dp.PipesS3MessageWriter(boto3.client('s3'), interval=1))"
    ),
}


@dataclass
class Finding:
    """What became of one run."""

    pair: Side
    instance: str
    sent: int
    arrived: int = 0
    in_order: bool = True
    materialized: str = "no"
    step: str = ""
    seconds: float = 0.0
    after_job: float | None = None  # seconds of it after the job's last report
    said: list[str] = field(default_factory=list)  # about progress and the end


def play(pair: Side, messages: int, kind: str, place: Cloud) -> Finding:
    """One asset, made by one job that says so many things."""
    import dagster

    os.environ.update(place.env)
    finding = Finding(pair, kind, messages)
    source = JOB.format(opening=OPENINGS[pair], messages=messages)
    began = time.monotonic()
    with _instance(kind) as instance:
        asset = dagster.asset(name="talkative")(_compute(pair, place, [sys.executable, "-c", source]))
        result = dagster.materialize([asset], instance=instance, run_config=QUIET, raise_on_error=False)
        finding.seconds = time.monotonic() - began
        finding.step = "succeeded" if result.success else f"failed: {_reason(result)}"
        _read(instance, result.run_id, finding)
    return finding


def _compute(pair: Side, place: Cloud, command: list[str]) -> Any:
    env = {"PYTHONPATH": f"{ROOT / 'src'}"}
    if pair == "blobpipes":
        from blobpipes.dagster import PipesSubprocessClient

        ours = PipesSubprocessClient(env, url=f"{place.url}?interval=1s")
        return lambda context: ours.run(context=context, command=command).get_materialize_result()
    import boto3
    import dagster
    from dagster_aws.pipes import PipesS3MessageReader

    bucket = place.url.removeprefix("s3://").partition("/")[0]
    reader = PipesS3MessageReader(interval=1, bucket=bucket, client=boto3.client("s3"))
    official = dagster.PipesSubprocessClient(env=env, message_reader=reader)
    return lambda context: official.run(context=context, command=command).get_materialize_result()


@contextmanager
def _instance(kind: str) -> Iterator[Any]:
    import dagster

    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        local = kind == "local"
        with dagster.DagsterInstance.local_temp(home) if local else dagster.DagsterInstance.ephemeral() as instance:
            yield instance


def _reason(result: Any) -> str:
    error = result.get_step_failure_events()[0].step_failure_data.error
    error = error.cause or error
    return str(error.message).strip().splitlines()[0]


def _read(instance: Any, run_id: str, finding: Finding) -> None:
    """What the event log holds, a page at a time: three hundred thousand entries are a lot of memory."""
    expected, cursor, has_more, job_ended, step_ended = 0, None, True, None, None
    while has_more:
        page = instance.get_records_for_run(run_id, cursor=cursor, limit=PAGE)
        cursor, has_more = page.cursor, page.has_more
        for entry in (record.event_log_entry for record in page.records):
            number = NUMBERED.fullmatch(entry.user_message)
            if number:
                finding.arrived += 1
                finding.in_order &= int(number[1]) == expected
                expected += 1
            elif entry.user_message.startswith("[pipes]"):
                finding.said.append(entry.user_message.splitlines()[0])
            elif entry.asset_materialization is not None:
                ended = entry.asset_materialization.metadata.get("ended")
                finding.materialized = "yes" if ended else "an empty one"  # which Dagster has put in its place
                job_ended = ended.value if ended else None
            if entry.is_dagster_event and entry.dagster_event.is_step_event:
                step_ended = entry.timestamp
    finding.after_job = step_ended - job_ended if job_ended and step_ended else None


def show(findings: list[Finding]) -> None:
    headers = ["pair", "event log", "arrived", "in order", "materialized", "step", "seconds", "after the job's end"]
    print(table(headers, [_row(finding) for finding in findings]))
    for finding in findings:
        print(f"\nwhat {finding.pair} said in the run's log:")
        shown = finding.said if len(finding.said) <= 8 else [*finding.said[:4], "...", *finding.said[-3:]]
        print("\n".join(f"  {text}" for text in shown))


def _row(finding: Finding) -> list[object]:
    return [
        finding.pair,
        finding.instance,
        f"{finding.arrived:,} of {finding.sent:,}",
        "yes" if finding.in_order else "NO",
        finding.materialized,
        finding.step,
        f"{finding.seconds:.0f}",
        "-" if finding.after_job is None else f"{finding.after_job:.0f}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_log", description=__doc__)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--pair", choices=[*SIDES, "both"], default="both")
    parser.add_argument("--instance", choices=["ephemeral", "local"], default="ephemeral", help="where Dagster logs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    require_official()
    server = s3_server()
    with server.process:
        pairs = SIDES if options.pair == "both" else (options.pair,)
        findings = [play(pair, options.messages, options.instance, server.fresh()) for pair in pairs]
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    return int(any(f.pair == "blobpipes" and (f.arrived != f.sent or not f.in_order) for f in findings))


if __name__ == "__main__":
    sys.exit(main())
