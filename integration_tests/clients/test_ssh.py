"""Jobs on a machine behind a real OpenSSH server, with every way to lose it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blobpipes import PipesEvent, PipesSSHClient, RunContext
from blobpipes.clients.detached_place import DetachedPlace
from blobpipes.clients.detached_scripts import MARKER, DetachedScripts
from blobpipes.clients.place import Place
from blobpipes.clients.ssh_machine import SSHMachine
from blobpipes.errors import (
    JobFailedError,
    LaunchError,
    PlaceDeniedError,
    PlaceFullError,
    PlaceMissingError,
    PlaceUnavailableError,
)
from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.stdio import PipesStdioMessageReader
from blobpipes.retry import RetryPolicy
from blobpipes.testing import PlaceContract
from blobpipes.wire.messages import CustomMessage, Opened
from integration_tests.clients.remote_jobs import (
    HeldFlights,
    a_month,
    becomes_true,
    command_lines,
    ended_run,
    environment,
    once,
    processes_with,
    start_run,
    until_event,
)
from integration_tests.servers.clouds import MissingServerError
from integration_tests.servers.sshd import SSHServer
from tests.clients.jobs import OPEN, RAISES, REPORTS, command
from tests.orchestration.jobs import recorded_run

pytestmark = pytest.mark.timeout(300)
Client = Callable[..., PipesSSHClient]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    try:
        made = SSHServer(tmp_path_factory.mktemp("sshd"))
    except MissingServerError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture(autouse=True)
def _gate_is_open(server: SSHServer) -> Iterator[None]:
    yield
    server.gate.open()


@pytest.fixture
def jobs_folder(tmp_path: Path) -> Path:
    """What the machine keeps of its jobs."""
    return tmp_path / "machine" / "jobs"


@pytest.fixture
def client(server: SSHServer, tmp_path: Path, jobs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("BLOBPIPES_SPOOL_DIR", str(tmp_path / "spool"))

    def make(**options: Any) -> PipesSSHClient:
        env = {**environment(), **options.pop("env", {})}
        given: dict[str, Any] = {
            "config_file": server.config,
            "url": f"file://{tmp_path}/lake?interval=200ms",
            "folder": str(jobs_folder),
            **options,
        }
        return PipesSSHClient("box", env=env, **given)

    return make


def for_orders() -> RunContext:
    return recorded_run(asset_keys=["orders"], partition_key="2024-01")[0]


def nothing_is_left(jobs_folder: Path, token: str = "bp-") -> bool:
    """No process of the job, and no folder."""
    return becomes_true(lambda: not processes_with(f"{MARKER}={token}")) and not list(jobs_folder.glob("bp-*"))


class TestSSHPlace(PlaceContract):
    @pytest.fixture
    def place(self, server: SSHServer, jobs_folder: Path) -> Place[Any]:
        machine = SSHMachine("box", config_file=server.config)
        return DetachedPlace(machine, DetachedScripts(str(jobs_folder), supervisor=""))


# --- a job, from its launch to its end ------------------------------------------------------------------


def test_a_job_gets_its_context_and_its_reports_come_back_with_the_machines_name(
    client: Client, jobs_folder: Path, tmp_path: Path
) -> None:
    run = client().run(
        context=for_orders(),
        command=command(REPORTS, "a b"),
        extras={"rows": 7},
        env={"MODE": "test"},
        cwd=str(tmp_path),
    )
    result = run.get_materialize_result()
    assert result.values["rows"] == 7
    assert result.values["machine"] == "ssh://box"
    assert run.get_custom_messages() == ({"argument": ["a b"], "cwd": str(tmp_path), "mode": "test"},)
    assert run.report.verdict == "complete"
    assert nothing_is_left(jobs_folder, str(result.values["job"]))


def test_it_runs_under_exec_where_the_machine_has_it(client: Client) -> None:
    seen: list[Any] = []

    def observe(event: PipesEvent) -> None:
        if isinstance(event.payload, Opened):
            seen.append(event.payload.extras)

    client(on_event=observe).run(context=for_orders(), command=command(REPORTS))
    assert seen[0]["supervisor"]["program"] == Path(sys.executable).name
    client(on_event=observe, supervisor="").run(context=for_orders(), command=command(REPORTS))
    assert "supervisor" not in (seen[-1] or {})


def test_what_it_prints_comes_back_too(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    job = f"{OPEN}print('to stdout', 'ä')\nprint('to stderr', file=sys.stderr)\nwith open_dagster_pipes(): pass"
    client().run(context=for_orders(), command=command(job))
    assert capsys.readouterr() == ("to stdout ä\n", "to stderr\n")


def test_without_a_store_messages_can_come_among_what_it_prints(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    job = client(
        url=None,
        context_injector=PipesEnvContextInjector(),
        message_reader=PipesStdioMessageReader("stdout"),
        supervisor="",
    )
    run = job.run(context=for_orders(), command=command(REPORTS + "\nprint('ordinary')"))
    assert run.report.verdict == "complete"
    assert capsys.readouterr().out == "ordinary\n"


def test_a_job_that_raises_fails_the_run_after_everything_was_read(client: Client) -> None:
    with pytest.raises(JobFailedError, match="exited with code 1") as caught:
        client().run(context=for_orders(), command=command(RAISES))
    report: Any = caught.value.report
    assert (report.verdict, report.exception["name"]) == ("failed", "ValueError")


def test_nothing_of_a_job_stands_on_a_command_line(client: Client, tmp_path: Path) -> None:
    gate, shown = tmp_path / "gate", []
    os.mkfifo(gate)
    job = f"{OPEN}with open_dagster_pipes() as pipes:\n    open({str(gate)!r}).read()"

    def look(event: PipesEvent) -> None:
        if isinstance(event.payload, Opened):
            shown.append(command_lines())
            gate.write_text("go on")

    client(on_event=look).run(
        context=for_orders(), command=command(job), env={"TOKEN": "geheim-1"}, extras={"key": "geheim-2"}
    )
    assert "geheim" not in shown[0]
    assert "DAGSTER_PIPES" not in shown[0]
    assert "exec" in shown[0]


# --- the flights job, and its ends ----------------------------------------------------------------------


def test_a_month_of_flights_arrives_whole(client: Client, tmp_path: Path) -> None:
    held = HeldFlights(tmp_path)
    held.fifo.unlink()
    run = client().run(context=a_month(), command=held.command, extras=held.extras)
    assert run.report.verdict == "complete"
    assert run.get_custom_messages()[0]["month_summary"]["flights"] == 24951
    assert (tmp_path / "results/2013-02/delays.png").read_bytes()[:4] == b"\x89PNG"


def test_a_month_that_is_cancelled_closes_and_leaves_nothing(client: Client, tmp_path: Path, jobs_folder: Path) -> None:
    held = HeldFlights(tmp_path)
    cancelled = once(held.is_held, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught, cancelled:
        client(on_event=held.on_event).run(context=a_month(), command=held.command, extras=held.extras)
    report: Any = caught.value.report  # type: ignore[attr-defined]
    assert report.verdict == "failed"
    assert report.counts["report_asset_check"] > 0
    assert nothing_is_left(jobs_folder)


@pytest.mark.parametrize(
    ("number", "victim", "said"),
    [
        (signal.SIGTERM, "program", "SIGTERM"),
        (signal.SIGKILL, "program", "SIGKILL"),
        (signal.SIGTERM, "supervisor", "SIGTERM"),
        (signal.SIGKILL, "supervisor", "SIGKILL"),
    ],
)
def test_a_month_that_a_signal_ends_is_told_with_all_that_it_had_said(
    client: Client, tmp_path: Path, jobs_folder: Path, number: signal.Signals, victim: str, said: str
) -> None:
    held = HeldFlights(tmp_path)

    def kill() -> None:
        ours = processes_with(f"{MARKER}=bp-month-{number}-{victim}")
        words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in ours}
        programs = [pid for pid, line in words.items() if line[1:2] == [held.command[1].encode()]]
        supervisors = [pid for pid, line in words.items() if b"exec" in line]
        os.kill((programs if victim == "program" else supervisors)[0], number)

    with pytest.raises(JobFailedError, match=said) as caught, once(held.is_held, kill):
        client(on_event=held.on_event).run(
            context=a_month(), command=held.command, extras=held.extras, session=f"month-{number}-{victim}"
        )
    report: Any = caught.value.report
    assert report.counts["report_asset_check"] > 0
    assert report.missing == 0
    assert report.verdict == ("failed" if victim == "program" or number == signal.SIGTERM else "truncated")
    assert nothing_is_left(jobs_folder, f"bp-month-{number}-{victim}")


# --- losing the machine, and finding it again -----------------------------------------------------------

HELD = """
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    open({gate!r}).read()
    pipes.report_custom_message("after the gate")
"""


def test_a_lost_connection_says_nothing_about_the_job(client: Client, server: SSHServer, tmp_path: Path) -> None:
    gate, arrived = tmp_path / "gate", threading.Event()
    os.mkfifo(gate)

    def observe(event: PipesEvent) -> None:
        if isinstance(event.payload, CustomMessage):
            arrived.set()

    results = client(on_event=observe).stream(context=for_orders(), command=command(OPEN + HELD.format(gate=str(gate))))
    next(results)
    server.gate.shut()
    gate.write_text("go on")  # nobody can reach the machine, the job goes on, and what it says arrives
    with once(arrived, server.gate.open):
        done = returned(results)
    assert done.report.verdict == "complete"
    assert done.get_custom_messages() == ("after the gate",)


def returned(generator: Any) -> Any:
    """What a generator returns at its end."""
    kept = []

    def run() -> Iterator[Any]:
        kept.append((yield from generator))

    for _ in run():
        pass
    return kept[0]


def test_another_process_comes_back_to_what_runs(
    client: Client, server: SSHServer, jobs_folder: Path, tmp_path: Path
) -> None:
    gate, witness = tmp_path / "gate", tmp_path / "runs"
    os.mkfifo(gate)
    job = f"{OPEN}open({str(witness)!r}, 'a').write('once')\n" + HELD.format(gate=str(gate))
    url = f"file://{tmp_path}/lake?interval=200ms"
    launcher = textwrap.dedent(f"""
        import os, signal
        from blobpipes import PipesSSHClient, RunContext
        client = PipesSSHClient("box", config_file={str(server.config)!r}, url={url!r}, folder={str(jobs_folder)!r},
                                env={environment()!r})
        results = client.stream(context=RunContext.for_asset("orders"), session="night",
                                command={command(job)!r})
        next(results)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    died = subprocess.run([sys.executable, "-c", launcher], env={**os.environ, **environment()}, check=False)
    assert died.returncode == -signal.SIGKILL
    again = client().stream(context=for_orders(), command=command(job), session="night", attach=True)
    next(again)
    gate.write_text("go on")
    done = returned(again)
    assert done.report.verdict == "complete"
    assert done.get_custom_messages() == ("after the gate",)
    assert witness.read_text() == "once"
    assert nothing_is_left(jobs_folder, "bp-night")


# --- the command line -----------------------------------------------------------------------------------


def on_box(server: SSHServer, jobs_folder: Path) -> list[str]:
    return ["--on", "ssh://box", "--set", f"config_file={server.config}", "--set", f"folder={jobs_folder}"]


def test_the_command_line_shows_a_job_there_and_passes_its_exit_code_on(
    server: SSHServer, jobs_folder: Path, tmp_path: Path
) -> None:
    job = (
        f"{OPEN}print('printed')\nwith open_dagster_pipes() as pipes: pipes.report_asset_materialization()\nsys.exit(7)"
    )
    code, events = ended_run(
        start_run(f"file://{tmp_path}/lake?interval=200ms", *on_box(server, jobs_folder), "--asset", "orders", job=job)
    )
    assert code == 7
    assert "".join(event["text"] for event in events if event["event"] == "output") == "printed\n"
    assert "materialization" in [event["event"] for event in events]
    assert (events[-1]["event"], events[-1]["state"], events[-1]["exit_code"]) == ("end", "failed", 7)
    assert nothing_is_left(jobs_folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_on_the_command_line_ends_the_job_there(
    server: SSHServer, jobs_folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    job = f"{OPEN}with open_dagster_pipes() as pipes:\n    pipes.report_asset_materialization()\n    time.sleep(300)"
    process = start_run(
        f"file://{tmp_path}/lake?interval=200ms", *on_box(server, jobs_folder), "--asset", "orders", job=job
    )
    until_event(process, "materialization")
    process.send_signal(number)
    code, events = ended_run(process)
    assert code == 128 + number
    assert events[-1]["state"] == "failed"
    assert nothing_is_left(jobs_folder)


# --- what cannot work ------------------------------------------------------------------------------------


def attempt(client: PipesSSHClient, jobs_folder: Path, kind: type[LaunchError], **job: Any) -> LaunchError:
    """The error of a run that cannot work; nothing is left of it."""
    once_only = RetryPolicy(attempts=1, deadline=0.0)
    object.__setattr__(client.policy, "launch_retry", once_only)
    with pytest.raises(LaunchError) as caught:
        client.run(context=for_orders(), **{"command": command(REPORTS), **job})
    assert type(caught.value) is kind
    assert isinstance(client.place, DetachedPlace)
    assert isinstance(client.place.machine, SSHMachine)
    assert client.place.machine.shared is None  # no connection, and no folder for its socket
    assert nothing_is_left(jobs_folder)
    return caught.value


def test_a_host_that_nobody_has_vouched_for_is_refused(client: Client, jobs_folder: Path) -> None:
    options = {"UserKnownHostsFile": "/dev/null"}
    error = attempt(client(ssh_options=options), jobs_folder, PlaceDeniedError)
    assert "compare" in error.remedy


def test_a_key_that_the_machine_does_not_know_is_said_to_be_refused(
    client: Client, server: SSHServer, jobs_folder: Path
) -> None:
    options = {"IdentityFile": str(server.folder / "stranger")}
    config = server.folder / "no-key"
    config.write_text(server.config.read_text().replace(f"IdentityFile {server.folder}/key\n", ""))
    error = attempt(client(config_file=config, ssh_options=options), jobs_folder, PlaceDeniedError)
    assert "Permission denied" in error.message
    assert "ssh-copy-id" in error.remedy


def test_a_host_that_does_not_exist_is_named(tmp_path: Path, jobs_folder: Path) -> None:
    client = PipesSSHClient("no-such-host.invalid", url=f"file://{tmp_path}/lake")
    error = attempt(client, jobs_folder, PlaceMissingError)
    assert "no-such-host.invalid" in error.message


def test_a_machine_that_is_out_of_reach_is_said_to_be(client: Client, server: SSHServer, jobs_folder: Path) -> None:
    server.gate.shut()
    error = attempt(client(), jobs_folder, PlaceUnavailableError)
    assert "ssh://box" in error.message


def test_a_program_or_folder_that_the_machine_does_not_have_is_named(client: Client, jobs_folder: Path) -> None:
    error = attempt(client(), jobs_folder, LaunchError, command="no-such-program --secret=geheim")
    assert "'no-such-program' on ssh://box: no such program" in error.message
    assert "geheim" not in str(error)
    error = attempt(client(), jobs_folder, LaunchError, cwd="/no/such/folder")
    assert "working directory does not exist there" in error.message


def test_a_full_disk_there_is_said_to_be_full(client: Client, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this test makes a small file system, which needs the right to mount")
    try:
        (small / "fill").write_bytes(b"x" * 4096)
        error = attempt(client(folder=str(small / "jobs")), small / "jobs", PlaceFullError)
        assert "No space left on device" in error.message
        assert "Free some space" in error.remedy
    finally:
        subprocess.run(["umount", str(small)], check=True)
