"""Jobs under a real Slurm of one node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blobpipes import PipesSlurmClient, RunContext
from blobpipes.clients.machine import LocalMachine
from blobpipes.clients.place import Place
from blobpipes.clients.slurm_place import SlurmPlace
from blobpipes.clients.slurm_scripts import SlurmScripts
from blobpipes.errors import (
    InvalidOptionError,
    JobFailedError,
    LaunchError,
    PlaceMissingError,
    PlaceUnavailableError,
)
from blobpipes.retry import RetryPolicy
from blobpipes.testing import PlaceContract
from integration_tests.clients.remote_jobs import (
    HeldFlights,
    a_month,
    becomes_true,
    ended_run,
    environment,
    once,
    processes_with,
    start_run,
    until_event,
)
from integration_tests.servers.clouds import MissingServerError
from integration_tests.servers.slurm import SlurmCluster
from integration_tests.servers.sshd import SSHServer
from tests.clients.jobs import OPEN, REPORTS, command
from tests.orchestration.jobs import recorded_run

pytestmark = pytest.mark.timeout(300)
Client = Callable[..., PipesSlurmClient]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    try:
        made = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    except MissingServerError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture(autouse=True)
def _slurm_is_found(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "jobs"


@pytest.fixture
def client(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("BLOBPIPES_SPOOL_DIR", str(tmp_path / "spool"))

    def make(**options: Any) -> PipesSlurmClient:
        given: dict[str, Any] = {"url": f"file://{tmp_path}/lake?interval=200ms", "folder": str(folder), **options}
        return PipesSlurmClient(given.pop("host", None), env={**environment(), **given.pop("env", {})}, **given)

    return make


def for_orders() -> RunContext:
    return recorded_run(asset_keys=["orders"], partition_key="2024-01")[0]


def nothing_is_left(folder: Path) -> bool:
    """No job waits or runs, and no folder stays."""

    def queue_is_empty() -> bool:
        return not subprocess.run(["squeue", "--noheader"], capture_output=True, check=True).stdout.strip()

    return becomes_true(queue_is_empty) and not list(folder.glob("bp-*"))


class TestSlurmPlace(PlaceContract):
    @pytest.fixture
    def place(self, folder: Path) -> Place[Any]:
        return SlurmPlace(LocalMachine(), SlurmScripts(str(folder), "", []))


# --- a job, from its launch to its end ------------------------------------------------------------------


def test_a_job_gets_its_context_and_its_reports_come_back_with_slurms_number(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    run = client(partition="main", time="10").run(
        context=for_orders(),
        command=command(REPORTS, "a b"),
        extras={"rows": 7},
        env={"MODE": "test"},
        cwd=str(tmp_path),
    )
    result = run.get_materialize_result()
    assert result.values["rows"] == 7
    assert str(result.values["slurm_job"]).isdigit()
    assert run.get_custom_messages() == ({"argument": ["a b"], "cwd": str(tmp_path), "mode": "test"},)
    assert run.report.verdict == "complete"
    assert nothing_is_left(folder)


def test_an_array_writes_a_lane_for_each_task(client: Client, folder: Path) -> None:
    job = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_custom_message(int(os.environ["SLURM_ARRAY_TASK_ID"]))
"""
    run = client(tasks=3).run(context=for_orders(), command=command(job))
    assert sorted(run.get_custom_messages()) == [0, 1, 2]
    assert run.report.verdict == "complete"
    assert len(run.report.writers) == 3
    assert nothing_is_left(folder)


def test_an_array_fails_by_its_worst_task_and_the_others_are_read(client: Client, folder: Path) -> None:
    job = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_custom_message(int(os.environ["SLURM_ARRAY_TASK_ID"]))
sys.exit(5 if os.environ["SLURM_ARRAY_TASK_ID"] == "1" else 0)
"""
    with pytest.raises(JobFailedError, match="1 of 3 tasks failed; task 1: .* exited with code 5") as caught:
        client(tasks=3).run(context=for_orders(), command=command(job))
    report: Any = caught.value.report
    assert report.counts["report_custom_message"] == 3
    assert nothing_is_left(folder)


def test_what_it_prints_comes_back_too(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    job = f"{OPEN}print('to stdout', 'ä')\nprint('to stderr', file=sys.stderr)\nwith open_dagster_pipes(): pass"
    client().run(context=for_orders(), command=command(job))
    assert capsys.readouterr() == ("to stdout ä\n", "to stderr\n")


def test_slurm_may_be_on_a_host_behind_ssh(
    client: Client, cluster: SlurmCluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_CONF")
    (tmp_path / "sshd").mkdir()
    with SSHServer(tmp_path / "sshd") as server:
        login = {"host": "box", "config_file": server.config, "ssh_options": {"SetEnv": f"SLURM_CONF={cluster.conf}"}}
        run = client(**login).run(context=for_orders(), command=command(REPORTS))
    assert run.report.verdict == "complete"
    assert run.metadata["place"]["raw_value"] == "Slurm at ssh://box"
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    assert nothing_is_left(folder)


# --- the flights job, and its ends ----------------------------------------------------------------------


def test_a_month_of_flights_arrives_whole(client: Client, tmp_path: Path) -> None:
    held = HeldFlights(tmp_path)
    held.fifo.unlink()
    run = client().run(context=a_month(), command=held.command, extras=held.extras)
    assert run.report.verdict == "complete"
    assert run.get_custom_messages()[0]["month_summary"]["flights"] == 24951
    assert (tmp_path / "results/2013-02/delays.png").read_bytes()[:4] == b"\x89PNG"


def test_a_month_that_is_cancelled_closes_and_leaves_nothing(client: Client, tmp_path: Path, folder: Path) -> None:
    held = HeldFlights(tmp_path)
    cancelled = once(held.is_held, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught, cancelled:
        client(on_event=held.on_event).run(context=a_month(), command=held.command, extras=held.extras)
    report: Any = caught.value.report  # type: ignore[attr-defined]
    assert report.verdict == "failed"
    assert report.counts["report_asset_check"] > 0
    assert nothing_is_left(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_month_that_a_signal_ends_is_told_with_all_that_it_had_said(
    client: Client, tmp_path: Path, folder: Path, number: signal.Signals
) -> None:
    held = HeldFlights(tmp_path)

    def kill() -> None:
        ours = processes_with(f"SLURM_JOB_NAME=bp-month-{int(number)}")
        programs = [pid for pid in ours if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:2] == [job]]
        os.kill(programs[0], number)

    job = held.command[1].encode()
    with pytest.raises(JobFailedError, match=number.name) as caught, once(held.is_held, kill):
        client(on_event=held.on_event).run(
            context=a_month(), command=held.command, extras=held.extras, session=f"month-{int(number)}"
        )
    report: Any = caught.value.report
    assert (report.verdict, report.missing) == ("failed", 0)
    assert report.counts["report_asset_check"] > 0
    assert nothing_is_left(folder)


def test_a_month_that_somebody_else_cancels_is_said_to_be_cancelled(
    client: Client, tmp_path: Path, folder: Path
) -> None:
    held = HeldFlights(tmp_path)
    cancelled = once(held.is_held, lambda: subprocess.run(["scancel", "--user=root"], check=True) and None)
    with pytest.raises(JobFailedError, match="was cancelled") as caught, cancelled:
        client(on_event=held.on_event).run(context=a_month(), command=held.command, extras=held.extras)
    assert caught.value.cause == "cancelled"
    assert nothing_is_left(folder)


def test_a_job_that_still_waits_is_cancelled_too(client: Client, folder: Path) -> None:
    waiting = client(options=["--begin=now+1hour"], forward_stdio=False)
    job = waiting.place.launch
    seen: list[str] = []

    def launch(spec: Any) -> Any:
        seen.append(spec.token)
        handle = job(spec)
        assert waiting.place.poll(handle).detail == "PENDING (BeginTime)"
        raise KeyboardInterrupt

    waiting.place.launch = launch  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        waiting.run(context=for_orders(), command=command(REPORTS))
    assert len(seen) == 1
    assert nothing_is_left(folder)


def test_another_process_comes_back_to_what_runs(
    client: Client, cluster: SlurmCluster, folder: Path, tmp_path: Path
) -> None:
    gate, witness = tmp_path / "gate", tmp_path / "runs"
    os.mkfifo(gate)
    job = f"""{OPEN}
open({str(witness)!r}, "a").write("once")
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    open({str(gate)!r}).read()
    pipes.report_custom_message("after the gate")
"""
    launcher = textwrap.dedent(f"""
        import os, signal
        from blobpipes import PipesSlurmClient, RunContext
        client = PipesSlurmClient(url="file://{tmp_path}/lake?interval=200ms", folder={str(folder)!r},
                                  env={environment()!r})
        results = client.stream(context=RunContext.for_asset("orders"), session="night", command={command(job)!r})
        next(results)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    died = subprocess.run([sys.executable, "-c", launcher], env={**os.environ, **environment()}, check=False)
    assert died.returncode == -signal.SIGKILL
    again = client().stream(context=for_orders(), command=command(job), session="night", attach=True)
    next(again)
    gate.write_text("go on")
    assert list(again) == []
    assert witness.read_text() == "once"
    assert nothing_is_left(folder)


# --- the command line -----------------------------------------------------------------------------------


def test_the_command_line_shows_a_job_there_and_passes_its_exit_code_on(folder: Path, tmp_path: Path) -> None:
    job = (
        f"{OPEN}print('printed')\nwith open_dagster_pipes() as pipes: pipes.report_asset_materialization()\nsys.exit(7)"
    )
    code, events = ended_run(
        start_run(
            f"file://{tmp_path}/lake?interval=200ms",
            *("--on", "slurm:main", "--set", f"folder={folder}"),
            "--asset",
            "orders",
            job=job,
        )
    )
    assert code == 7
    assert "".join(event["text"] for event in events if event["event"] == "output") == "printed\n"
    assert "materialization" in [event["event"] for event in events]
    assert (events[-1]["event"], events[-1]["state"], events[-1]["exit_code"]) == ("end", "failed", 7)
    assert nothing_is_left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_on_the_command_line_ends_the_job_there(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    job = f"{OPEN}with open_dagster_pipes() as pipes:\n    pipes.report_asset_materialization()\n    time.sleep(300)"
    process = start_run(
        f"file://{tmp_path}/lake?interval=200ms",
        *("--on", "slurm:main", "--set", f"folder={folder}"),
        "--asset",
        "orders",
        job=job,
    )
    until_event(process, "materialization")
    process.send_signal(number)
    code, events = ended_run(process)
    assert code == 128 + number
    assert events[-1]["state"] == "failed"
    assert nothing_is_left(folder)


# --- what cannot work ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"partition": "no-such"}, PlaceMissingError, "sinfo"),
        ({"options": ["--mem=9999G"]}, PlaceMissingError, "ask for less"),
        ({"options": ["--nonsense"]}, PlaceMissingError, "options for sbatch"),
    ],
)
def test_what_slurm_refuses_is_a_named_error(
    client: Client, folder: Path, options: dict[str, Any], kind: type[LaunchError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        client(**options).run(context=for_orders(), command=command(REPORTS))
    assert said in caught.value.remedy
    assert nothing_is_left(folder)


def test_a_program_or_folder_that_the_nodes_do_not_have_is_named(client: Client, folder: Path) -> None:
    with pytest.raises(LaunchError, match="cannot start 'no-such-program' under Slurm: no such program"):
        client().run(context=for_orders(), command="no-such-program --secret=geheim")
    with pytest.raises(LaunchError, match="working directory does not exist"):
        client(cwd="/no/such/folder").run(context=for_orders(), command=command(REPORTS))
    assert nothing_is_left(folder)


def test_a_controller_that_is_out_of_reach_is_said_to_be(
    client: Client, cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "slurm.conf"
    text = (cluster.folder / "slurm.conf").read_text()
    away.write_text(text.replace(f"SlurmctldPort={cluster.controller_port}", "SlurmctldPort=1") + "MessageTimeout=2\n")
    monkeypatch.setenv("SLURM_CONF", str(away))
    job = client()
    object.__setattr__(job.policy, "launch_retry", RetryPolicy(attempts=1, deadline=0.0))
    with pytest.raises(PlaceUnavailableError, match="Slurm") as caught:
        job.run(context=for_orders(), command=command(REPORTS))
    assert "scontrol ping" in caught.value.remedy


def test_where_there_is_no_slurm_that_is_said(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("cat", "mkdir", "id", "awk", "rm"):
        (bare / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(bare))
    with pytest.raises(PlaceMissingError, match="sbatch: command not found"):
        client().run(context=for_orders(), command=command(REPORTS))


def test_no_tasks_at_all_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="tasks is 0"):
        PipesSlurmClient(tasks=0)
