"""A place that is no machine of ours, under Dagster: a real OpenSSH server, and the client for any place."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from blobpipes import PipesSSHClient
from blobpipes.dagster import PipesPlaceClient
from integration_tests.clients.remote_jobs import environment
from integration_tests.dagster.steps import command, failure, materialized, run
from integration_tests.servers.clouds import MissingServerError
from integration_tests.servers.sshd import SSHServer

PRINTS = 'print("printed")\npipes.report_asset_materialization(metadata={"rows": 3})'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SSHServer]:
    try:
        made = SSHServer(tmp_path)
    except MissingServerError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with made:
        yield made


def test_an_asset_is_materialized_on_a_machine_behind_ssh(
    instance: dg.DagsterInstance, server: SSHServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = PipesSSHClient("box", config_file=server.config, folder=str(tmp_path / "jobs")).place
    client = PipesPlaceClient(machine, url=f"file://{tmp_path}/lake?interval=200ms", env=environment())

    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        return client.run(context=context, command=command(PRINTS)).get_results()

    result = run(instance, orders)
    assert result.success, failure(result)
    metadata = materialized(instance, result)["orders"].metadata
    assert (metadata["rows"].value, metadata["machine"].value) == (3, "ssh://box")
    assert "printed\n" in capsys.readouterr().out
    assert not list((tmp_path / "jobs").glob("bp-*"))
