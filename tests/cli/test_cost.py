"""`blobpipes cost` and `blobpipes tune`: sessions that are there, plans, and what cannot be priced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blobpipes import PipesMappingParamsLoader, PipesSessionReport, RunContext, open_dagster_pipes, open_pipes_session
from blobpipes.cli.exit_codes import EXISTS, MISSING, NO_SESSION, USAGE
from blobpipes.wire.messages import closed, log, opened
from tests.cli.conftest import Cli
from tests.cli.sessions import StoredSession, complete, killed

QUICK = ("--hours", "0.1", "--rate", "0.5")


def session(root: Path, **options: object) -> PipesSessionReport:
    """A real one, both sides in this process."""
    with open_pipes_session(RunContext.for_asset("a"), url=str(root), session="real", **options) as opened_session:  # type: ignore[arg-type]
        loader = PipesMappingParamsLoader(opened_session.get_bootstrap_env_vars())
        with open_dagster_pipes(params_loader=loader) as pipes:
            pipes.log.info("working")
            pipes.report_asset_materialization({"rows": 3}, asset_key="a")
    return opened_session.report


# --- what sessions have cost ---------------------------------------------------------------------------


@pytest.mark.parametrize("cleanup", ["keep", "archive"])
def test_the_jobs_half_is_what_the_session_itself_has_counted(cli: Cli, tmp_path: Path, cleanup: str) -> None:
    report = session(tmp_path, cleanup=cleanup)
    outcome = cli("cost", tmp_path, "--store", "s3", "--json")
    (event,) = outcome.events
    worker = report.ledger.worker
    assert worker is not None
    assert (outcome.code, event["event"], event["session"]) == (0, "cost", "real")
    assert event["worker"] == {
        **worker.requests,
        "bytes_up": worker.bytes_up,
        "bytes_down": worker.bytes_down,
        "errors": 0,
    }
    assert event["usd"] == pytest.approx(event["worker_usd"] + event["reader_usd"])
    assert event["notes"] == ["the orchestration side's half is estimated"]
    assert event["known"] is True


def test_all_sessions_are_added_up(cli: Cli, tmp_path: Path) -> None:
    session(tmp_path)
    complete(tmp_path, "second")
    outcome = cli("cost", tmp_path, "--store", "gcs")
    assert "2 sessions: $0.0" in outcome.out
    assert "on Google Cloud Storage Standard, prices of 2026-11-22" in outcome.out
    assert len(cli("cost", tmp_path, "--limit", "1", "--json").events) == 1
    assert "1 older session left out" in cli("cost", tmp_path, "--limit", "1").out


def test_a_session_of_an_official_writer_is_priced_by_its_chunks_and_says_so(cli: Cli, tmp_path: Path) -> None:
    official = StoredSession(tmp_path, "official").official_chunk(opened(), log("one", "INFO"))
    official.official_chunk(log("two", "INFO")).official_chunk(closed())
    (event,) = cli("cost", tmp_path, "--store", "s3", "--json").events
    assert (event["worker"], event["known"]) == (None, False)
    assert event["worker_usd"] == pytest.approx(3 * 5.00 / 1e6)
    assert any("keeps no ledger" in note for note in event["notes"])
    assert "≥ $0.000015" in cli("cost", tmp_path, "--store", "s3").out


def test_a_session_without_a_message_costs_what_is_known_of_it(cli: Cli, tmp_path: Path) -> None:
    StoredSession(tmp_path, "waiting").describe()
    StoredSession(tmp_path, "never").describe().seal_by_reader()
    outcome = cli("cost", tmp_path, "--store", "s3", "--json")
    assert [event["usd"] for event in outcome.events] == [0.0, 0.0]
    assert all(event["notes"] == ["nothing of it is left in the store"] for event in outcome.events)


def test_a_disk_costs_nothing_and_the_answer_says_how_to_see_more(cli: Cli, tmp_path: Path) -> None:
    killed(tmp_path, "s")
    outcome = cli("cost", tmp_path)
    assert "$0 on disk" in outcome.out
    assert "--store s3 shows what they would cost" in outcome.out
    assert cli("cost", tmp_path / "empty").out.startswith("no sessions under")


def test_a_store_of_ones_own_is_priced_from_a_file(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path / "jobs", "s")
    (tmp_path / "mine.toml").write_text('[stores.ceph]\nname = "our Ceph"\nput = 1000000\n')
    (event,) = cli("cost", tmp_path / "jobs", "--store", "ceph", "--prices", tmp_path / "mine.toml", "--json").events
    assert (event["store_name"], event["worker_usd"]) == ("our Ceph", 3.0)


# --- what a plan would cost ----------------------------------------------------------------------------


def test_a_plan_is_priced_on_every_store_beside_the_official_pair(cli: Cli) -> None:
    outcome = cli("cost", *QUICK, "--jobs", "1000", "--interval", "10s", "--json")
    plans = outcome.events
    assert {plan["event"] for plan in plans} == {"plan"}
    assert {plan["store"] for plan in plans} == {"s3", "s3-express", "gcs", "azure", "r2"}
    ours, official, slower = (plan for plan in plans if plan["store"] == "s3")
    assert (ours["pair"], official["pair"], slower["pair"]) == ("blobpipes", "official", "blobpipes")
    assert ours["usd_a_month"] == pytest.approx(1000 * ours["usd_a_job"])
    assert ours["latency"]["mean"] < official["latency"]["mean"]
    assert slower["latency"]["mean"] <= official["latency"]["mean"]
    assert slower["usd_a_job"] < official["usd_a_job"]


def test_a_plan_as_a_table(cli: Cli) -> None:
    out = cli("cost", *QUICK, "--store", "azure").out
    assert "Azure Blob Storage, hot, LRS" in out
    assert "Amazon" not in out
    assert "messages come after, on average" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--hours", "-1"], "the plan's seconds = -3600 is impossible"),
        (["--hours", "nan"], "is impossible"),
        (["--hours", "1", "--jobs", "0"], "the plan's jobs = 0 is impossible"),
        (["--hours", "1", "--rate", "-1"], "the plan's rate = -1 is impossible"),
        (["--hours", "1", "--size", "3"], "the plan's size = 3 is impossible"),
        (["--hours", "1", "--interval", "0s"], "option interval=0 is out of range"),
        (["--hours", "1", "--interval", "soon"], "option interval='soon' is not a duration"),
        (["--hours", "1", "--boot", "later"], "--boot later is not a time"),
        (["--hours", "1", "--store", "s4"], "no prices are known of the store 's4'; did you mean 's3'"),
        (["--hours", "1", "--prices", "/nowhere.toml"], "/nowhere.toml cannot be read"),
        (["--hours", "1", "./jobs"], "a plan (--hours, --jobs) has no URL"),
    ],
)
def test_an_impossible_plan_is_one_line_with_a_remedy(cli: Cli, arguments: list[str], told: str) -> None:
    outcome = cli("cost", *arguments)
    assert outcome.code == USAGE
    assert told in outcome.err
    assert "remedy:" in outcome.err
    assert "Traceback" not in outcome.err


# --- tune ----------------------------------------------------------------------------------------------


def test_a_session_is_gone_through_again_at_other_intervals(cli: Cli, tmp_path: Path) -> None:
    session(tmp_path, interval="5s")
    outcome = cli("tune", tmp_path, "--store", "s3", "--json")
    settings = [event for event in outcome.events if event["event"] == "setting" and event["pair"] == "blobpipes"]
    best = outcome.events[-1]
    assert [event["interval"] for event in settings if event["today"]] == [5.0]
    assert (best["event"], best["recommended"]) == ("recommended", True)
    assert best["line"] == f"{tmp_path}?interval={best['interval']:g}s"


def test_the_wish_for_a_latency_or_a_budget_is_heeded(cli: Cli) -> None:
    fast = cli("tune", *QUICK, "--latency", "4s", "--json").events[-1]
    assert fast["latency"]["p95"] <= 4.0
    cheap = cli("tune", *QUICK, "--jobs", "1000", "--budget", "0.10", "--json").events[-1]
    assert cheap["usd_a_month"] <= 0.10
    assert cheap["interval"] > fast["interval"]


def test_a_table_says_what_is_today_and_what_is_recommended(cli: Cli) -> None:
    out = cli("tune", *QUICK, "--interval", "2s").out
    assert out.count("  today") == 1
    assert out.count("recommended") == 1
    assert "the official pair at 2 s" in out
    assert "The line to paste: ?interval=" in out


def test_a_picture_and_a_page_are_written(cli: Cli, tmp_path: Path) -> None:
    page, picture = tmp_path / "tuning.html", tmp_path / "tuning.png"
    outcome = cli("tune", *QUICK, "--png", picture, "--html", page)
    assert (outcome.code, outcome.err) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    html = page.read_text(encoding="utf-8")
    for word in ("today: 10 s", "recommended", "the official pair", "Pareto front", "The line to paste", "<svg"):
        assert word in html
    assert not any(outside in html for outside in ("<script", "<link", "<img", "@import"))


def test_what_a_session_is_called_cannot_break_the_page(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "<script>alert(1)</script>")
    assert cli("tune", tmp_path, "--html", tmp_path / "page.html").code == 0
    assert "<script" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_cannot_be_tuned_is_said_in_one_line(cli: Cli, tmp_path: Path) -> None:
    StoredSession(tmp_path, "waiting").describe()
    cases = {
        ("tune", tmp_path): (USAGE, "says too little"),
        ("tune", tmp_path / "empty"): (NO_SESSION, "there is no session"),
        ("tune", tmp_path, "--hours", "1"): (USAGE, "has no URL"),
        ("tune", *QUICK, "--latency", "10ms"): (USAGE, "within 0.01 s"),
        ("tune", *QUICK, "--budget", "0.0000001"): (USAGE, "no setting costs at most"),
        ("tune", *QUICK, "--png", tmp_path): (EXISTS, "cannot write"),
    }
    for arguments, (code, told) in cases.items():
        outcome = cli(*arguments)
        assert (outcome.code, told in outcome.err, "remedy:" in outcome.err) == (code, True, True), outcome


def test_without_matplotlib_the_table_still_comes_and_the_picture_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['matplotlib'] = None; from blobpipes.cli.main import main; "
    command = [
        sys.executable,
        "-c",
        hidden + "sys.exit(main(sys.argv[1:]))",
        "tune",
        *QUICK,
        "--png",
        str(tmp_path / "t.png"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == MISSING
    assert "recommended" in done.stdout
    assert 'pip install "blobpipes[plots]"' in done.stderr
