"""Params among the arguments of a program that has arguments of its own."""

import argparse

import dagster_pipes

parser = argparse.ArgumentParser()
parser.add_argument("--limit", type=int)
own, rest = parser.parse_known_args()
theirs, _ = dagster_pipes.DAGSTER_PIPES_CLI_PARSER.parse_known_args()
assert dagster_pipes.decode_param(theirs.dagster_pipes_context)["data"]["run_id"] == "run-1"
assert dagster_pipes.DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT in rest
assert dagster_pipes.DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT in rest

with dagster_pipes.open_dagster_pipes(params_loader=dagster_pipes.PipesCliArgsParamsLoader()) as pipes:
    pipes.log.info("limit %d of %s", own.limit, pipes.run_id)
