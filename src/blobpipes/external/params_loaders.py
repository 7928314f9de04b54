"""Where does this process find its bootstrap params? In its environment, its arguments, or any string mapping.

The presence of the context entry alone says that an orchestration process launched us. From there on
everything missing or damaged is an error at the start: a job that went on silently would report to nobody.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.params import (
    CONTEXT_CLI_OPTION,
    CONTEXT_ENV_VAR,
    MESSAGES_CLI_OPTION,
    MESSAGES_ENV_VAR,
    PipesParams,
    decode_params,
)


class PipesParamsLoader(ABC):
    """Finds the params that the orchestration process sent along. Subclass it for a carrier of your own."""

    @abstractmethod
    def is_dagster_pipes_process(self) -> bool:
        """Whether an orchestration process launched this one."""

    @abstractmethod
    def load_context_params(self) -> PipesParams:
        """How to find the context; for the context loader."""

    @abstractmethod
    def load_messages_params(self) -> PipesParams:
        """Where messages go; for the message writer."""


class PipesMappingParamsLoader(PipesParamsLoader):
    """Params from a mapping of strings: a Lambda event, notebook widgets, the environment of another process."""

    _entry = "the entry {}"

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._mapping = mapping

    def is_dagster_pipes_process(self) -> bool:
        return CONTEXT_ENV_VAR in self._mapping

    def load_context_params(self) -> PipesParams:
        return self._load(CONTEXT_ENV_VAR)

    def load_messages_params(self) -> PipesParams:
        return self._load(MESSAGES_ENV_VAR)

    def _load(self, key: str) -> PipesParams:
        name = self._entry.format(key)
        if key not in self._mapping:
            raise _absent(name)
        return decode_params(self._mapping[key], name=name)


class PipesEnvVarParamsLoader(PipesMappingParamsLoader):
    """Params from the environment variables DAGSTER_PIPES_CONTEXT and DAGSTER_PIPES_MESSAGES."""

    _entry = "the environment variable {}"

    def __init__(self) -> None:
        super().__init__(os.environ)


class PipesCliArgsParamsLoader(PipesParamsLoader):
    """Params from the options --dagster-pipes-context and --dagster-pipes-messages.

    `--option VALUE` and `--option=VALUE` are one; the last one given counts. All other arguments are
    the program's own.
    """

    def is_dagster_pipes_process(self) -> bool:
        return any(_is_option(argument, CONTEXT_CLI_OPTION) for argument in sys.argv[1:])

    def load_context_params(self) -> PipesParams:
        return _load_option(CONTEXT_CLI_OPTION, sys.argv[1:])

    def load_messages_params(self) -> PipesParams:
        return _load_option(MESSAGES_CLI_OPTION, sys.argv[1:])


def default_params_loader() -> PipesParamsLoader:
    """The environment, unless only the command line says that this is a pipes process."""
    from_env, from_cli = PipesEnvVarParamsLoader(), PipesCliArgsParamsLoader()
    if from_cli.is_dagster_pipes_process() and not from_env.is_dagster_pipes_process():
        return from_cli
    return from_env


def _is_option(argument: str, option: str) -> bool:
    return argument == option or argument.startswith(f"{option}=")


def _load_option(option: str, arguments: Sequence[str]) -> PipesParams:
    name = f"the command line option {option}"
    places = [at for at, argument in enumerate(arguments) if _is_option(argument, option)]
    if not places:
        raise _absent(name)
    at = places[-1]
    following = arguments[at + 1] if at + 1 < len(arguments) else "--"
    _, joined, value = arguments[at].partition("=")
    if not joined:
        if following.startswith("--"):
            raise DagsterPipesError(f"{name} has no value", remedy=f"Write {option} VALUE or {option}=VALUE.")
        value = following
    return decode_params(value, name=name)


def _absent(name: str) -> DagsterPipesError:
    return DagsterPipesError(
        f"{name} is absent",
        remedy="Hand over both values that the session's get_bootstrap_env_vars() or "
        "get_bootstrap_cli_arguments() gives: one for the context, one for the messages.",
    )
