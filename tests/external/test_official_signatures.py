"""Code written for the official package runs as it is: our names take the arguments that theirs take."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final, ForwardRef, Literal, TypeVar, get_origin

import dagster_pipes as official
import pytest

import blobpipes
from tests.external.launching import bootstrap, messages_of, methods

ABSENT: Final = object()
PAGE = Path(__file__).parents[2] / "docs" / "drop-in.md"


KNOWN: Final = "1.13.29"  # the version of dagster-pipes that the page was written for
VERSION: Final = metadata.version("dagster-pipes")
is_newer = [*map(int, VERSION.split(".")[:3])] > [*map(int, KNOWN.split("."))]
not_newer = pytest.mark.skipif(is_newer, reason=f"dagster-pipes {VERSION} is newer than docs/drop-in.md, {KNOWN}")


def defined_names() -> Iterator[str]:
    """The public names of the official package: what its module defines and not what it imports."""
    assert official.__file__ is not None
    for node in ast.parse(Path(official.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


OFFICIAL = sorted(name for name in defined_names() if not name.startswith("_"))
CLASSES = [name for name in OFFICIAL if inspect.isclass(getattr(official, name)) and hasattr(blobpipes, name)]


def table() -> dict[str, str]:
    """The page's tables: each name of a first column, and what the row says of it."""
    rows = [line.strip("| ").split(" | ", 1) for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    return {name: rest[0] for first, *rest in rows if rest for name in re.findall(r"`([\w.]+)`", first)}


def is_constant(value: Any) -> bool:
    return isinstance(value, str) or get_origin(value) is Literal


def members(name: str) -> Iterator[tuple[str, Any, Any]]:
    """Each public member of the official class `name` that the page does not call absent, theirs and ours."""
    theirs, ours = getattr(official, name), getattr(blobpipes, name)
    told = table()
    for member in vars(theirs):
        is_public = member == "__init__" or not member.startswith("_")
        if is_public and f"{name}.{member}" not in told:
            declared = vars(ours).get("__annotations__", {}).get(member, ABSENT)  # set for each object by its __init__
            yield member, getattr(theirs, member), getattr(ours, member, declared)


def parameters(function: Any) -> list[tuple[str, Any]]:
    return [(each.name, each.kind) for each in inspect.signature(function).parameters.values()]


@not_newer
def test_every_public_name_of_the_official_package_is_ours_too() -> None:
    assert {"PipesContext", "PipesS3MessageWriter", "DAGSTER_PIPES_CLI_PARSER", "T_LogChannel", "Method"} < {*OFFICIAL}
    assert [name for name in OFFICIAL if name not in blobpipes.__all__] == []


@not_newer
def test_the_page_says_of_every_public_name_what_differs() -> None:
    told = table()
    assert [name for name in OFFICIAL if not told.get(name)] == []


@pytest.mark.skipif(VERSION != KNOWN, reason=f"dagster-pipes {VERSION} is not the page's, {KNOWN}")
def test_the_page_names_nothing_that_the_official_package_does_not_have() -> None:
    for name in table():
        thing: Any = official
        for part in name.split("."):
            thing = getattr(thing, part)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_members_and_takes_the_arguments_of_the_official_one(name: str) -> None:
    for member, theirs, ours in members(name):
        assert ours is not ABSENT, f"{name}.{member}"
        if isinstance(theirs, property) or not callable(theirs):
            continue
        accepted = dict(parameters(ours))
        if any(kind is inspect.Parameter.VAR_KEYWORD for kind in accepted.values()):
            continue
        for parameter, kind in parameters(theirs):
            assert accepted.get(parameter) in (kind, inspect.Parameter.POSITIONAL_OR_KEYWORD), f"{member}({parameter})"


@pytest.mark.parametrize("name", [name for name in OFFICIAL if is_constant(getattr(official, name))])
def test_a_constant_has_the_official_value(name: str) -> None:
    assert getattr(blobpipes, name) == getattr(official, name)


def test_a_class_constant_has_the_official_value() -> None:
    checked = 0
    for name in CLASSES:
        for member, theirs, ours in members(name):
            if isinstance(theirs, (str, int)):
                assert ours == theirs, f"{name}.{member}"
                checked += 1
    assert checked > 10


@pytest.mark.parametrize("name", [name for name in OFFICIAL if isinstance(getattr(official, name), TypeVar)])
def test_a_type_variable_is_bound_to_our_class_of_the_same_name(name: str) -> None:
    theirs, ours = getattr(official, name).__bound__, getattr(blobpipes, name).__bound__
    bound = theirs.__forward_arg__ if isinstance(theirs, ForwardRef) else theirs.__name__
    assert ours is getattr(blobpipes, bound)


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


@pytest.mark.parametrize("name", [name for name in OFFICIAL if inspect.isfunction(getattr(official, name))])
def test_a_function_takes_the_arguments_of_the_official_one(name: str) -> None:
    theirs, ours = parameters(getattr(official, name)), parameters(getattr(blobpipes, name))
    assert ours[: len(theirs)] == theirs
