from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.subprocess import PipesSubprocessClient
from blobpipes.errors import (
    DagsterPipesError,
    IncompleteError,
    InvalidUrlError,
    JobFailedError,
    LaunchError,
    NeverOpenedError,
)
from blobpipes.orchestration.context_injectors import PipesEnvContextInjector
from blobpipes.orchestration.handler import PipesEvent
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.results import AssetCheckResult, MaterializeResult
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.stdio import PipesStdioMessageReader
from tests.clients.jobs import (
    EXITS,
    KILLS_ITSELF,
    OPEN,
    RAISES,
    REPORTS,
    SILENT,
    command,
    environment,
)
from tests.orchestration.jobs import recorded_run

needs_signals = pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")


@pytest.fixture(params=["temporary files", "file URL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "temporary files" else f"file://{tmp_path}/lake?interval=200ms"


@pytest.fixture
def client() -> PipesSubprocessClient:
    return PipesSubprocessClient(env=environment())


def for_orders(**fields: Any) -> RunContext:
    return recorded_run(asset_keys=["orders"], partition_key="2024-01", **fields)[0]


def test_a_job_gets_its_context_and_its_reports_come_back(place: str | None, tmp_path: Path) -> None:
    client = PipesSubprocessClient(env=environment(), url=place)
    context, recorder = recorded_run(asset_keys=["orders"], partition_key="2024-01")
    run = client.run(
        context=context, command=command(REPORTS, "a b"), extras={"rows": 7}, env={"MODE": "test"}, cwd=tmp_path
    )
    result = run.get_materialize_result()
    assert (result.asset_key, result.values) == ("orders", {"rows": 7})
    assert result.check_results == (AssetCheckResult("orders", "not_empty", True),)
    assert run.get_custom_messages() == ({"argument": ["a b"], "cwd": str(tmp_path), "mode": "test"},)
    assert "INFO working on 2024-01" in recorder.text
    assert run.report.verdict == "complete"
    assert run.session.is_ended
    with pytest.raises(DagsterPipesError, match="one check result was asked for"):
        run.get_asset_check_result()


def test_a_command_in_one_text_is_split_as_a_shell_does_it(client: PipesSubprocessClient, tmp_path: Path) -> None:
    (tmp_path / "the job.py").write_text(REPORTS)
    run = client.run(context=for_orders(), command=f"{sys.executable} '{tmp_path}/the job.py' 'a b' $HOME")
    assert run.get_custom_messages()[0]["argument"] == ["a b", "$HOME"]


def test_results_come_one_by_one_while_the_job_runs(place: str | None, tmp_path: Path) -> None:
    client = PipesSubprocessClient(env=environment(), url=place)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = f"""{OPEN}
with open_dagster_pipes() as pipes:
    pipes.report_asset_materialization()
    open({str(gate)!r}).read()
    pipes.report_asset_check("after_the_gate", True)
"""
    results = client.stream(context=for_orders(), command=command(program))
    assert next(results) == MaterializeResult("orders")
    gate.write_text("go on")  # blocks unless the job still runs
    assert next(results) == AssetCheckResult("orders", "after_the_gate", True)
    with pytest.raises(StopIteration) as done:
        next(results)
    assert done.value.value.report.verdict == "complete"


def test_a_job_that_raises_fails_the_run_after_everything_was_read(client: PipesSubprocessClient) -> None:
    context, recorder = recorded_run(asset_keys=["orders"])
    with pytest.raises(JobFailedError, match="exited with code 1") as caught:
        client.run(context=context, command=command(RAISES))
    report: Any = caught.value.report
    assert caught.value.exit_code == 1
    assert report.verdict == "failed"
    assert report.counts["report_asset_materialization"] == 1
    assert report.exception["message"] == "ValueError: no rows\n"
    assert "ValueError: no rows" in recorder.text


def test_a_job_that_closes_well_and_exits_badly_fails_the_run(client: PipesSubprocessClient) -> None:
    with pytest.raises(JobFailedError, match="exited with code 3") as caught:
        client.run(context=for_orders(), command=command(EXITS))
    assert caught.value.report.verdict == "complete"  # type: ignore[attr-defined]


@needs_signals
def test_a_job_that_is_killed_is_said_to_be_killed(client: PipesSubprocessClient) -> None:
    with pytest.raises(JobFailedError, match="was killed by SIGKILL") as caught:
        client.run(context=for_orders(), command=command(KILLS_ITSELF))
    assert caught.value.exit_code == -signal.SIGKILL
    assert "memory" in caught.value.remedy
    assert caught.value.report.verdict == "truncated"  # type: ignore[attr-defined]


def test_a_program_that_is_no_pipes_job_is_said_to_be_none(client: PipesSubprocessClient) -> None:
    with pytest.raises(NeverOpenedError, match="no message came") as caught:
        client.run(context=for_orders(), command=command(SILENT))
    assert "open_dagster_pipes()" in caught.value.remedy


def test_errors_of_a_streamed_run_come_after_its_results(client: PipesSubprocessClient) -> None:
    results = client.stream(context=for_orders(), command=command(RAISES))
    assert next(results) == MaterializeResult("orders")
    with pytest.raises(JobFailedError):
        next(results)


def test_an_incomplete_run_may_warn_only() -> None:
    context, recorder = recorded_run()
    client = PipesSubprocessClient(env=environment(), on_incomplete="warn")
    run = client.run(context=context, command=command(SILENT))
    assert run.report.verdict == "truncated"
    assert "no message came" in recorder.text


def test_events_can_be_watched() -> None:
    seen: list[PipesEvent] = []
    PipesSubprocessClient(env=environment(), on_event=seen.append).run(context=for_orders(), command=command(REPORTS))
    assert [type(event.payload).__name__ for event in seen] == [
        "Opened", "Log", "AssetMaterialization", "AssetCheck", "CustomMessage", "Closed",
    ]  # fmt: skip


def test_a_session_can_be_given_a_name(tmp_path: Path) -> None:
    client = PipesSubprocessClient(env=environment(), url=f"file://{tmp_path}")
    run = client.run(context=for_orders(), command=command(REPORTS), session="nightly/1")
    assert run.report.session == "nightly/1"
    assert (tmp_path / "nightly/1/1.json").exists()


def test_the_url_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBPIPES_URL", str(tmp_path))
    run = PipesSubprocessClient(env=environment()).run(context=for_orders(), command=command(REPORTS))
    assert run.report.url == f"file://{tmp_path}/{run.report.session}"


# --- bad commands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("no-such-program --with arguments", "cannot start 'no-such-program': no such program"),
        (["/no/such/program"], "no such program"),
        ("", "the command is empty"),
        ([], "the command is empty"),
        ("echo 'never closed", "cannot be understood: No closing quotation"),
        (["echo", 7], "cannot be understood"),
        (["echo", "a\0b"], "embedded null byte"),
        (["/"], "Permission denied"),
        (["echo", "x" * 10_000_000], "too large"),
    ],
)
def test_a_command_that_cannot_be_started_is_a_clear_error(bad: Any, said: str) -> None:
    with pytest.raises(LaunchError, match=said) as caught:
        PipesSubprocessClient().run(context=RunContext(), command=bad)
    assert "\n" not in caught.value.message
    assert "--with" not in str(caught.value)  # arguments may hold secrets


def test_a_working_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=f"the working directory '{tmp_path}/none' does not exist"):
        PipesSubprocessClient(cwd=tmp_path / "none").run(context=RunContext(), command="echo")


def test_a_pipe_that_nobody_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="fill up"):
        PipesSubprocessClient(stdout=subprocess.PIPE)


# --- output ---------------------------------------------------------------------------------------------

PRINTS = f"""{OPEN}
with open_dagster_pipes() as pipes:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    os.system("echo from a child")
    pipes.report_asset_materialization()
"""


def test_a_jobs_output_goes_where_ours_goes(capfd: pytest.CaptureFixture[str], client: PipesSubprocessClient) -> None:
    client.run(context=for_orders(), command=command(PRINTS))
    out, err = capfd.readouterr()
    assert sorted(out.splitlines()) == ["from a child", "to stdout"]
    assert err == "to stderr\n"


def test_a_jobs_output_can_be_muted_or_led_into_a_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        PipesSubprocessClient(env=environment(), forward_stdio=False, stdout=file).run(
            context=for_orders(), command=command(PRINTS)
        )
    assert capfd.readouterr() == ("", "")
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["from a child", "to stdout"]


def test_a_jobs_output_can_come_as_messages(
    capsys: pytest.CaptureFixture[str], place: str | None, tmp_path: Path
) -> None:
    client = PipesSubprocessClient(env=environment(), url=place, include_stdio_in_messages=True, forward_stdio=False)
    run = client.run(context=for_orders(), command=command(PRINTS))
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["from a child", "to stdout"]
    assert err == "to stderr\n"
    assert run.report.problem_total == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("buffered", [False, True])
def test_messages_can_come_on_a_stream_of_the_job(
    stream: Any, buffered: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    client = PipesSubprocessClient(
        env=environment(),
        context_injector=PipesEnvContextInjector(),
        message_reader=PipesStdioMessageReader(stream, buffered),
    )
    run = client.run(context=for_orders(), command=command(PRINTS))
    assert run.report.verdict == "complete"
    assert len(run.get_results()) == 1
    out, err = capfd.readouterr()
    assert (sorted(out.splitlines()), err) == (["from a child", "to stdout"], "to stderr\n")
    assert list(client.stream(context=for_orders(), command=command(PRINTS))) == [MaterializeResult("orders")]
    with pytest.raises(JobFailedError) as caught:
        client.run(context=for_orders(), command=command(RAISES))
    assert caught.value.report.verdict == "failed"  # type: ignore[attr-defined]


def test_an_error_at_the_end_of_a_session_is_not_hidden_by_a_good_exit() -> None:
    def fail(event: PipesEvent) -> None:
        raise RuntimeError("database is down")

    client = PipesSubprocessClient(env=environment(), on_event=fail)
    with pytest.raises(IncompleteError, match="could not be handled"):
        client.run(context=for_orders(), command=command(REPORTS))


def test_readers_of_the_users_own_can_be_used(tmp_path: Path) -> None:
    from blobpipes.orchestration.file_readers import PipesFileMessageReader

    reader: PipesMessageReader = PipesFileMessageReader(tmp_path / "messages")
    run = PipesSubprocessClient(env=environment(), message_reader=reader).run(
        context=for_orders(), command=command(REPORTS)
    )
    assert len(run.get_results()) == 2


def test_a_url_that_lives_in_this_process_is_refused_before_the_launch(tmp_path: Path) -> None:
    witness = tmp_path / "launched"
    client = PipesSubprocessClient(url="memory://jobs")
    with pytest.raises(InvalidUrlError, match="one process"):
        client.run(context=RunContext(), command=["touch", str(witness)])
    assert not witness.exists()
