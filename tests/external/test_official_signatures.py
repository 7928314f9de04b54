"""Code written for the official package runs as it is: our names take the arguments that theirs take."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster_pipes as official
import pytest

import blobpipes
from tests.external.launching import bootstrap, messages_of, methods

INSIDES = {  # what a subclass or a caller is not told of
    "PipesBlobStoreMessageWriterChannel.flush_messages",
    "PipesStdioLogWriterChannel.handler",
    "PipesStdioLogWriterChannel.WAIT_FOR_TEE_SECONDS",
}
SHARED = sorted(name for name in vars(official) if not name.startswith("_") and name in blobpipes.__all__)


def members(name: str) -> Iterator[tuple[str, Any, Any]]:
    """Each public member of the official class `name`, theirs and ours."""
    theirs, ours = getattr(official, name), getattr(blobpipes, name)
    for member in vars(theirs):
        is_public = member == "__init__" or not member.startswith("_")
        if is_public and f"{name}.{member}" not in INSIDES:
            yield member, getattr(theirs, member), getattr(ours, member, None)


def parameters(function: Any) -> list[tuple[str, Any]]:
    return [(each.name, each.kind) for each in inspect.signature(function).parameters.values()]


def test_the_names_of_the_guide_are_there() -> None:
    assert {"open_dagster_pipes", "PipesContext", "PipesEnvVarParamsLoader", "PipesFileMessageWriterChannel"} < {
        *SHARED
    }
    assert len(SHARED) > 30


@pytest.mark.parametrize("name", [name for name in SHARED if inspect.isclass(getattr(official, name))])
def test_a_class_has_the_members_and_takes_the_arguments_of_the_official_one(name: str) -> None:
    for member, theirs, ours in members(name):
        if isinstance(theirs, property) or not callable(theirs):
            continue
        assert ours is not None, member
        accepted = dict(parameters(ours))
        if any(kind is inspect.Parameter.VAR_KEYWORD for kind in accepted.values()):
            continue
        for parameter, kind in parameters(theirs):
            assert accepted.get(parameter) in (kind, inspect.Parameter.POSITIONAL_OR_KEYWORD), f"{member}({parameter})"


def test_loaders_and_writers_of_the_official_package_can_be_passed(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    given: dict[str, Any] = {
        "params_loader": official.PipesMappingParamsLoader(bootstrap({"path": str(path)})),
        "context_loader": official.PipesDefaultContextLoader(),
        "message_writer": official.PipesDefaultMessageWriter(),
    }
    with blobpipes.open_dagster_pipes(**given) as context:
        context.log.info(context.run_id)
    assert methods(messages_of(path.read_text().splitlines())) == ["opened", "log", "closed"]


@pytest.mark.parametrize("name", ["open_dagster_pipes", "encode_param", "decode_param"])
def test_a_function_takes_the_arguments_of_the_official_one(name: str) -> None:
    theirs, ours = parameters(getattr(official, name)), parameters(getattr(blobpipes, name))
    assert ours[: len(theirs)] == theirs
