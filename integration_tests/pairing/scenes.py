"""What else an official orchestration side does: every behaviour of the protocol that a job of ours has to stand.

Each scene runs one of Dagster's own steps and gives the id of its run, or None where there was none.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import dagster as dg
from dagster._core.pipes.utils import extract_message_or_forward_to_file

from integration_tests.pairing.dagster_halves import halves
from integration_tests.pairing.in_dagster import QUIET, materialize, note, run_job
from integration_tests.pairing.plans import Arrived, Plan

Scene = Callable[[Plan, Arrived, dg.DagsterInstance], "str | None"]
DAYS: Final = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


def _asset(run: Callable[[Any], Any], **options: Any) -> Any:
    @dg.asset(name="orders", **options)
    def orders(context):  # type: ignore[no-untyped-def]  # Dagster refuses annotations that are text
        yield from run(context).get_results()

    return orders


def _simple(name: str) -> Scene:
    """An asset with the usual halves."""

    def scene(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
        return materialize([_asset(lambda context: run_job(plan, name, context, arrived))], instance)

    return scene


def no_asset(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    @dg.op
    def bare(context):  # type: ignore[no-untyped-def]
        run_job(plan, "no_asset", context, arrived)

    @dg.job
    def bare_job():  # type: ignore[no-untyped-def]
        bare()

    run_id: str = bare_job.execute_in_process(instance=instance, run_config=QUIET).run_id
    return run_id


def range_of_partitions(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """A backfill of three days in one run: Dagster names neither key, nor range, nor window."""
    asset = _asset(lambda context: run_job(plan, "range", context, arrived), partitions_def=DAYS)
    ends = {"start": "2024-01-02", "end": "2024-01-04"}
    tags = {f"dagster/asset_partition_range_{end}": day for end, day in ends.items()}
    return materialize([asset], instance, tags=tags)


def only_checks(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("rows", asset="orders")])
    def rows(context):  # type: ignore[no-untyped-def]
        yield from run_job(plan, "only_checks", context.op_execution_context, arrived).get_results()

    orders = _asset(lambda context: run_job(plan, "never", context, arrived))
    only = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(rows))
    job = dg.Definitions(assets=[orders], asset_checks=[rows], jobs=[only]).get_job_def("checks")
    run_id: str = job.execute_in_process(instance=instance, run_config=QUIET).run_id
    return run_id


def ephemeral(plan: Plan, arrived: Arrived, _: dg.DagsterInstance) -> None:
    """A step that is called like a function."""
    asset = _asset(lambda context: run_job(plan, "ephemeral", context, arrived))
    list(asset(dg.build_asset_context()))


def inline(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """The context in a variable."""

    def run(context: Any) -> Any:
        return run_job(
            plan, "inline", context, arrived, halves=(dg.PipesEnvContextInjector(), dg.PipesTempFileMessageReader())
        )

    return materialize([_asset(run)], instance)


def arguments(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """The params on the command line."""

    def run(context: Any) -> Any:
        injector, reader = halves(plan, "arguments")
        note(injector, reader, arrived)
        with dg.open_pipes_session(context=context, context_injector=injector, message_reader=reader) as session:
            options = [part for option in session.get_bootstrap_cli_arguments().items() for part in option]
            subprocess.run([*plan.command, "arguments", *options], env={**os.environ, **plan.job_env}, check=True)
        arrived.custom = list(session.get_custom_messages())
        return session

    return materialize([_asset(run)], instance)


def several_writers(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """Two processes, each with params of its own, one after the other."""

    def run(context: Any) -> Any:
        (injector, first), (_, second) = halves(plan, "a"), halves(plan, "b")
        reader = dg.PipesCompositeMessageReader([first, second])
        with dg.open_pipes_session(context=context, context_injector=injector, message_reader=reader) as session:
            for variables in session.get_per_writer_bootstrap_env_vars():
                env = {**os.environ, **plan.job_env, **variables}
                subprocess.run([*plan.command, "levels"], env=env, check=True)
        return session

    return materialize([_asset(run)], instance)


class StreamReader(dg.PipesMessageReader):
    """Messages on the job's stdout, as Dagster's readers for Kubernetes and Lambda ask for them."""

    def __init__(self, key: Literal["stdio", "buffered_stdio"]) -> None:
        self._key = key

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[Any]:
        yield {self._key: "stdout"}

    def no_messages_debug_text(self) -> str:
        return "on stdout"


def _stream(key: Literal["stdio", "buffered_stdio"]) -> Scene:
    def scene(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
        def run(context: Any) -> Any:
            with dg.open_pipes_session(
                context=context, context_injector=dg.PipesEnvContextInjector(), message_reader=StreamReader(key)
            ) as session:
                env = {**os.environ, **plan.job_env, **session.get_bootstrap_env_vars()}
                done = subprocess.run(
                    [*plan.command, "captured"], env=env, stdout=subprocess.PIPE, text=True, check=True
                )
                with open(os.devnull, "w") as ordinary:  # noqa: PTH123 - any file
                    for line in done.stdout.splitlines():
                        extract_message_or_forward_to_file(session.message_handler, line, ordinary)
            arrived.chunks = {"stdout": done.stdout}
            return session

        return materialize([_asset(run)], instance)

    return scene


def captured(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """The reader asks for the job's output, too."""

    def run(context: Any) -> Any:
        injector, reader = halves(plan, "captured")
        reader.include_stdio_in_messages = True
        return run_job(plan, "captured", context, arrived, halves=(injector, reader))

    return materialize([_asset(run)], instance)


def restarted(plan: Plan, arrived: Arrived, instance: dg.DagsterInstance) -> str:
    """Whoever runs the job starts it again after it was killed, with the same params."""

    def run(context: Any) -> Any:
        twice = 'unset PAIRING_LIFE; "$@"; PAIRING_LIFE=2 exec "$@"'
        command = ["/bin/sh", "-c", twice, "sh", *plan.command, "restarted"]
        return run_job(plan, "restarted", context, arrived, command=command)

    return materialize([_asset(run)], instance)


SCENES: Final[dict[str, Scene]] = {
    "no_asset": no_asset,
    "range": range_of_partitions,
    "only_checks": only_checks,
    "ephemeral": ephemeral,
    "inline": inline,
    "arguments": arguments,
    "several_writers": several_writers,
    "stdout": _stream("stdio"),
    "buffered stdout": _stream("buffered_stdio"),
    "captured": captured,
    "levels": _simple("levels"),
    "restarted": restarted,
    "steady": _simple("steady"),
}
