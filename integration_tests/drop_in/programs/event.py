"""Params in an event, messages on standard output, as in a function of Lambda."""

import json
import os

import dagster_pipes


def handler(event):
    loader = dagster_pipes.PipesMappingParamsLoader(event)
    params: dagster_pipes.PipesParams = loader.load_messages_params()
    print("the messages go to", params)
    with dagster_pipes.open_dagster_pipes(
        params_loader=loader,
        context_loader=dagster_pipes.PipesDefaultContextLoader(),
        message_writer=dagster_pipes.PipesDefaultMessageWriter(),
    ) as pipes:
        print("between messages")
        pipes.log.info("called with %d entries", len(event))
        pipes.report_custom_message({"answer": 42})
    print("afterwards")


handler(json.loads(os.environ["EVENT"]))
