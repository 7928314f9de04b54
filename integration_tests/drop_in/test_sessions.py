"""Official names under our own orchestration side: the log is negotiated, with a vendor's client and without."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from blobpipes import MaterializeResult, PipesSession, RunContext, open_pipes_session
from blobpipes.errors import DagsterPipesError
from blobpipes.external.drop_in.clouds import (
    PipesAzureBlobStorageContextLoader,
    PipesGCSContextLoader,
    PipesS3ContextLoader,
)
from blobpipes.storage.url import bucket_and_prefix
from integration_tests.servers.clouds import Cloud, CloudServer
from integration_tests.servers.proxy import REPLY_LOST, REQUEST_LOST, Canned, Proxy
from integration_tests.servers.vendor_clients import client_store, vendor_client

PATIENCE = 180  # seconds for one job, on a machine that may be busy with others
pytestmark = pytest.mark.timeout(600)

NAMES = {"s3": "S3", "gs": "GCS", "az": "AzureBlobStorage"}
LOADERS = {"s3": PipesS3ContextLoader, "gs": PipesGCSContextLoader, "az": PipesAzureBlobStorageContextLoader}

JOB = """
import sys

import blobpipes as dagster_pipes
from integration_tests.servers.vendor_clients import vendor_client

client = vendor_client(sys.argv[1]) if sys.argv[3] == "client" else None
loader = getattr(dagster_pipes, f"Pipes{sys.argv[2]}ContextLoader")
writer = getattr(dagster_pipes, f"Pipes{sys.argv[2]}MessageWriter")
with dagster_pipes.open_dagster_pipes(
    context_loader=loader(client), message_writer=writer(client)
) as pipes:
    for number in range(20):
        pipes.log.info("number %d", number)
    pipes.report_asset_materialization({"name": pipes.get_extra("name")})
if client is not None:
    assert "fsspec" not in sys.modules
"""


def start(cloud: Cloud, session: PipesSession, by: str, **more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **session.get_bootstrap_env_vars(), "PYTHONPATH": os.pathsep.join(sys.path), **more}
    command = [sys.executable, "-c", textwrap.dedent(JOB), cloud.scheme, NAMES[cloud.scheme], by]
    return subprocess.Popen(command, env=environment)


@pytest.mark.parametrize("by", ["client", "url"])
def test_a_session_is_complete_and_its_log_is_negotiated(cloud: Cloud, by: str) -> None:
    context = RunContext.for_asset("orders")
    with open_pipes_session(context, url=cloud.url, interval=0.2, extras={"name": "Ada"}) as session:
        assert start(cloud, session, by).wait(PATIENCE) == 0
    assert session.report.verdict == "complete"
    (result,) = session.get_results()
    assert isinstance(result, MaterializeResult)
    assert result.metadata["name"]["raw_value"] == "Ada"
    chunks = [info.key for info in client_store(cloud).list() if info.key.endswith("/1.json")]
    assert (client_store(cloud).get(chunks[0]) or b"").startswith(b'{"blobpipes":')
    asked = session.report.ledger.worker
    assert asked is not None
    assert asked.requests["get"] >= 1  # the context
    assert asked.requests["put"] >= 1


@pytest.mark.parametrize("by", ["client", "url"])
@pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)
def test_lanes_work_with_a_client_as_without(cloud: Cloud, by: str) -> None:
    with open_pipes_session(RunContext.for_asset("orders"), url=cloud.url, lanes=2, extras={"name": "Ada"}) as session:
        jobs = [start(cloud, session, by, BLOBPIPES_LANE=str(lane)) for lane in range(2)]
        assert [job.wait(PATIENCE) for job in jobs] == [0, 0]
    assert session.report.verdict == "complete"
    assert session.report.messages == 2 * 23


def test_a_client_whose_requests_and_replies_get_lost_loses_no_message(cloud_server: CloudServer, cloud: Cloud) -> None:
    with (
        Proxy(cloud_server.process.port) as proxy,
        open_pipes_session(
            RunContext.for_asset("orders"), url=cloud.url, interval=0.2, extras={"name": "A"}
        ) as session,
    ):
        proxy.spoil([None, Canned(503), REQUEST_LOST, REPLY_LOST, None, REPLY_LOST])
        job = start(cloud, session, "client", **cloud_server.through(proxy, cloud).env)
        assert job.wait(PATIENCE) == 0
    assert session.report.verdict == "complete"
    assert session.report.messages == 23
    assert len(proxy.asked) >= 5  # the context, a chunk three times in vain, and what came of that


@pytest.mark.parametrize("key", ["context.json", "/leading.json", "a//b/context.json", "a b/ü?.json"])
def test_a_contexts_key_is_taken_as_it_is(cloud: Cloud, key: str) -> None:
    """Official injectors put the user's prefix in front without looking at it."""
    place = bucket_and_prefix(cloud.url)
    assert place is not None
    client = vendor_client(cloud.scheme)
    put(cloud, client, place[0], key, b'{"run_id": "run-1"}')
    with LOADERS[cloud.scheme](client).load_context({"bucket": place[0], "key": key}) as context:
        assert context["run_id"] == "run-1"


def test_a_context_that_is_not_there_is_named(cloud: Cloud) -> None:
    place = bucket_and_prefix(cloud.url)
    assert place is not None
    loader = LOADERS[cloud.scheme](vendor_client(cloud.scheme))
    with pytest.raises(DagsterPipesError, match=f"there is no context at {cloud.scheme}://{place[0]}/x/absent.json"):
        loader.load_context({"bucket": place[0], "key": "x/absent.json"})


def put(cloud: Cloud, client: Any, bucket: str, key: str, data: bytes) -> None:
    """As an official injector does."""
    if cloud.scheme == "s3":
        client.put_object(Bucket=bucket, Key=key, Body=data)
    elif cloud.scheme == "gs":
        client.bucket(bucket).blob(key).upload_from_string(data)
    else:
        client.get_blob_client(bucket, key).upload_blob(data)
