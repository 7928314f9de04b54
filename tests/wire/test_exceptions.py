"""Exceptions on the wire. The official package is the oracle: it describes the same exception beside us."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from traceback import TracebackException, format_exception
from typing import Any

import dagster_pipes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobpipes.wire.exceptions import PipesException, describe_exception, format_exception_tree, parse_exception
from blobpipes.wire.messages import closed, encode_message


class OddError(Exception):
    pass


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def fail(error: BaseException) -> None:
    raise error


def with_cause() -> None:
    try:
        fail(KeyError("rows"))
    except KeyError as error:
        raise ValueError("no rows") from error


def with_context() -> None:
    try:
        fail(KeyError("rows"))
    except KeyError:
        fail(ValueError("no rows"))


def from_none() -> None:
    try:
        fail(KeyError("rows"))
    except KeyError:
        raise ValueError("no rows") from None


def with_both() -> None:
    try:
        fail(KeyError("context"))
    except KeyError:
        raise ValueError("no rows") from OSError("cause")


def with_a_long_chain() -> None:
    error = OddError("0")
    for number in range(1, 50):
        following = OddError(str(number))
        if number % 2:
            following.__cause__ = error
        else:
            following.__context__ = error
        error = following
    raise error


def with_a_cycle() -> None:
    first, second = OddError("first"), OddError("second")
    first.__context__, second.__cause__ = second, first
    raise first


def that_is_its_own_context() -> None:
    error = OddError("mirror")
    error.__cause__ = error
    raise error


def with_notes() -> None:
    error = ValueError("no rows")
    error.__notes__ = ["tried twice", "on two\nlines"]  # type: ignore[attr-defined]
    raise error


def with_broken_notes() -> None:
    error = ValueError("no rows")
    error.__notes__ = [MuteError()]  # type: ignore[attr-defined]
    raise error


def endlessly() -> None:
    endlessly()


def of_a_local_class() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("inside")


def of_bad_syntax() -> None:
    compile("def f(:\n  pass", "made up.py", "exec")


def with_group() -> None:
    group = getattr(builtins, "ExceptionGroup", lambda text, _members: OddError(text))  # Python 3.10 has no groups
    raise group("many", [ValueError("a"), KeyError("b")])


RAISERS: list[Callable[[], None]] = [
    lambda: fail(ValueError("no rows")),
    lambda: fail(OddError()),
    lambda: fail(OddError("a\nb")),
    lambda: fail(MuteError()),
    lambda: fail(OddError("\udc80 é")),
    lambda: fail(SystemExit(0)),
    lambda: fail(KeyboardInterrupt()),
    lambda: fail(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")),
    with_cause,
    with_context,
    from_none,
    with_both,
    with_a_long_chain,
    with_a_cycle,
    that_is_its_own_context,
    with_notes,
    with_broken_notes,
    endlessly,
    of_a_local_class,
    of_bad_syntax,
    with_group,
]


def raised_by(raiser: Callable[[], None]) -> BaseException:
    try:
        raiser()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("raiser", RAISERS, ids=lambda raiser: raiser.__name__)
def test_an_exception_is_described_as_the_official_package_describes_it(raiser: Callable[[], None]) -> None:
    error = raised_by(raiser)
    official = dagster_pipes._pipes_exc_from_tb(TracebackException(type(error), error, error.__traceback__))
    ours = describe_exception(error)
    assert ours == official
    assert list(ours) == list(official)
    assert parse_exception(json.loads(json.dumps(official))) == official
    assert (
        encode_message(closed(ours))
        == json.dumps(
            {"__dagster_pipes_version": "0.1", "method": "closed", "params": {"exception": official}}
        ).encode()
    )


def test_a_chain_is_cut_where_it_would_break_json_readers() -> None:
    error = OddError("0")
    for number in range(1, 5000):
        following = OddError(str(number))
        following.__cause__ = error
        error = following
    described: PipesException | None = describe_exception(error)
    assert encode_message(closed(described))
    length = 0
    while described is not None:
        length, described = length + 1, described["cause"]
    assert length == 100


class UnprintableError(SyntaxError):
    @property
    def text(self) -> str:  # type: ignore[override]
        raise RuntimeError("broken")


def test_an_exception_whose_own_code_fails_is_still_reported_by_its_name() -> None:
    described = describe_exception(UnprintableError("x"))
    assert described["name"] == "UnprintableError"
    assert described["message"] == "UnprintableError: <could not be described: RuntimeError>\n"
    assert set(described) == {"message", "stack", "name", "cause", "context"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("disk full", {"message": "disk full", "stack": [], "name": None}),
        ("", {"message": "unknown exception", "stack": [], "name": None}),
        (None, {"message": "null", "stack": [], "name": None}),
        ({}, {"message": "unknown exception", "stack": [], "name": None}),
        (
            {"name": "java.io.IOException"},
            {"message": "java.io.IOException", "stack": [], "name": "java.io.IOException"},
        ),
        ({"message": "x", "stack": None, "context": []}, {"message": "x", "stack": [], "name": None}),
        ({"message": "x", "stack": "one\ntwo"}, {"message": "x", "stack": ["one\ntwo"], "name": None}),
        (
            {"message": {"a": 1}, "stack": [1, "f"], "name": 3},
            {"message": '{"a": 1}', "stack": ["1", "f"], "name": "3"},
        ),
    ],
)
def test_what_other_languages_make_of_an_exception_is_taken(raw: Any, expected: dict[str, Any]) -> None:
    assert parse_exception(raw) == {**expected, "cause": None, "context": None}


def test_a_cause_without_a_stack_as_java_sends_it_is_taken() -> None:
    raw = {"message": "a", "stack": ["f"], "name": "A", "cause": {"message": "b", "stack": None}, "context": []}
    parsed = parse_exception(raw)
    assert parsed["cause"] == {"message": "b", "stack": [], "name": None, "cause": None, "context": None}
    assert parsed["context"] is None


def test_a_received_chain_is_cut_at_the_same_length() -> None:
    raw: dict[str, Any] = {"message": "x"}
    for _ in range(500):
        raw = {"message": "x", "context": raw}
    shown: PipesException | None = parse_exception(raw)
    length = 0
    while shown is not None:
        length, shown = length + 1, shown["context"]
    assert length == 100


@pytest.mark.parametrize(
    "raiser", [with_cause, with_context, with_both, RAISERS[0]], ids=lambda raiser: raiser.__name__
)
def test_an_exception_is_printed_as_python_prints_it(raiser: Callable[[], None]) -> None:
    error = raised_by(raiser)
    assert format_exception_tree(describe_exception(error)) == "".join(format_exception(error))


def test_an_exception_without_frames_is_printed_without_a_traceback_and_with_its_name() -> None:
    assert format_exception_tree(parse_exception({"message": "disk full", "name": "Io"})) == "Io: disk full\n"
    assert format_exception_tree(parse_exception("disk full")) == "disk full\n"
    assert format_exception_tree(parse_exception({"message": "no such Io", "name": "Io"})) == "Io: no such Io\n"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.sampled_from(["message", "stack", "name", "cause", "context", "x"]), parts, max_size=5)
    ),
    max_leaves=30,
)


@given(json_values)
def test_no_json_value_is_so_odd_that_the_exception_is_lost(raw: Any) -> None:
    parsed = parse_exception(raw)
    assert set(parsed) == {"message", "stack", "name", "cause", "context"}
    assert format_exception_tree(parsed).endswith("\n")
    assert parse_exception(parsed) == parsed
