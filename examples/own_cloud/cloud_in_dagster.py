"""The same under Dagster: our injector and reader as Dagster's, one line each, in a session that Dagster opens.

CLOUD_ADDRESS=http://... dagster asset materialize -f cloud_in_dagster.py --select sums
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from cloud_orchestrator import JOB, CloudContextInjector, CloudMessageReader
from little_cloud import Cloud

from blobpipes.dagster import EngineContextInjector, EngineMessageReader


@dg.asset(check_specs=[dg.AssetCheckSpec("has_numbers", asset="sums")])
def sums(context: dg.AssetExecutionContext) -> Iterator[Any]:
    cloud = Cloud.of_this_job()
    with dg.open_pipes_session(
        context=context,
        context_injector=EngineContextInjector(lambda: CloudContextInjector(cloud)),
        message_reader=EngineMessageReader(lambda: CloudMessageReader(cloud, interval=0.2)),
        extras={"numbers": [1, 2, 3, 4]},
    ) as session:
        job = cloud.launch([JOB], note=session.get_bootstrap_params())
        while cloud.is_running(job):
            pass  # what the job logs is in Dagster already
    yield from session.get_results()  # once: Dagster takes no result twice


defs = dg.Definitions(assets=[sums])
