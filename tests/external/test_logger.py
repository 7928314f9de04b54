"""`pipes.log`: records of standard logging as messages."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from blobpipes.external.logger import make_logger


@pytest.fixture
def sent() -> list[Any]:
    return []


@pytest.fixture
def log(sent: list[Any]) -> logging.Logger:
    return make_logger(lambda message: sent.append(message["params"]))


def test_a_record_is_sent_with_its_arguments_filled_in(log: logging.Logger, sent: list[Any]) -> None:
    log.info("%d of %s", 3, "ten")
    log.debug("é")
    assert sent == [{"message": "3 of ten", "level": "INFO"}, {"message": "é", "level": "DEBUG"}]


@pytest.mark.parametrize(("level", "name"), [(1, "DEBUG"), (25, "INFO"), (45, "ERROR"), (99, "CRITICAL")])
def test_a_custom_level_becomes_the_next_lower_standard_one(
    log: logging.Logger, sent: list[Any], level: int, name: str
) -> None:
    log.log(level, "x")
    assert sent == [{"message": "x", "level": name}]


def test_a_traceback_is_appended_if_it_was_logged(log: logging.Logger, sent: list[Any]) -> None:
    try:
        raise ValueError("no rows")
    except ValueError:
        log.exception("failed")
        log.error("without")
    assert sent[0]["message"].startswith("failed\nTraceback (most recent call last):\n")
    assert sent[0]["message"].endswith("ValueError: no rows")
    assert sent[1]["message"] == "without"
    log.exception("nothing was raised")  # noqa: LOG004 - a mistake that programs make
    assert sent[2]["message"] == "nothing was raised"


def test_a_stack_is_appended_if_asked_for(log: logging.Logger, sent: list[Any]) -> None:
    log.info("here", stack_info=True)
    assert sent[0]["message"].startswith("here\nStack (most recent call last):\n")


def test_arguments_that_do_not_fit_are_shown_and_end_nothing(
    log: logging.Logger, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log.info("%d rows", "many")
    assert sent == [{"message": "%d rows", "level": "INFO"}]
    assert "Logging error" in capsys.readouterr().err


def test_what_the_channel_raises_reaches_the_caller() -> None:
    def refuse(message: Any) -> None:
        raise RuntimeError("fenced")

    with pytest.raises(RuntimeError, match="fenced"):
        make_logger(refuse).info("x")


def test_the_handler_can_serve_other_loggers(log: logging.Logger, sent: list[Any]) -> None:
    other = logging.getLogger("tests.external.other")
    other.addHandler(log.handlers[0])
    try:
        other.warning("from a library")
    finally:
        other.removeHandler(log.handlers[0])
    assert sent == [{"message": "from a library", "level": "WARNING"}]
