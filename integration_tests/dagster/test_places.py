"""A place that is no machine of ours, under Dagster: a real OpenSSH server, and the client for any place."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from blobpipes.dagster import (
    PipesAWSBatchClient,
    PipesEC2Client,
    PipesPlaceClient,
    PipesSlurmClient,
    PipesSSHClient,
)
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
    client = PipesSSHClient(
        "box",
        config_file=server.config,
        folder=str(tmp_path / "jobs"),
        url=f"file://{tmp_path}/lake?interval=200ms",
        env=environment(),
    )

    @dg.asset
    def orders(context: dg.AssetExecutionContext):
        return client.run(context=context, command=command(PRINTS)).get_results()

    result = run(instance, orders)
    assert result.success, failure(result)
    metadata = materialized(instance, result)["orders"].metadata
    assert (metadata["rows"].value, metadata["machine"].value) == (3, "ssh://box")
    assert "printed\n" in capsys.readouterr().out
    assert not list((tmp_path / "jobs").glob("bp-*"))


@pytest.mark.parametrize(
    "client",
    [
        PipesSSHClient("box", url=dg.EnvVar("LAKE")),
        PipesSlurmClient(tasks=4, url=dg.EnvVar("LAKE")),
        PipesAWSBatchClient("queue", "definition", tasks=4, region="eu-central-1", url=dg.EnvVar("LAKE")),
        PipesEC2Client("template", region="eu-central-1", url=dg.EnvVar("LAKE")),
    ],
    ids=lambda client: type(client).__name__,
)
def test_every_place_has_a_client_that_is_one_of_dagsters_and_a_resource(
    client: PipesPlaceClient, instance: dg.DagsterInstance
) -> None:
    assert isinstance(client, dg.PipesClient)

    @dg.asset
    def orders(pipes: type(client)) -> None:
        assert pipes is client

    result = dg.materialize([orders], resources={"pipes": client}, instance=instance, raise_on_error=False)
    assert result.success, failure(result)
