"""`pipes.log`: a standard logger whose records become messages, so that any logging code can use the pipe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from blobpipes.wire.log_levels import level_name
from blobpipes.wire.messages import PipesMessage, make_message

LOGGER_NAME: Final = "dagster-pipes"


class PipesLogHandler(logging.Handler):
    """Sends records as `log` messages. It may be added to other loggers, the root logger included.

    The message is the record's text. A traceback is appended to it if the record was logged with one,
    by `log.exception(...)` or `exc_info=True`. Custom levels become the next lower standard one.
    """

    _formatter: Final = logging.Formatter()

    def __init__(self, write: Callable[[PipesMessage], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Unlike most handlers this one raises what the channel raises: nobody else would tell the program."""
        params = {"message": self._text(record), "level": level_name(record.levelno)}
        self._write(make_message("log", params))

    def _text(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit never end a program that logs
            self.handleError(record)
            text = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            text += f"\n{self._formatter.formatException(record.exc_info)}"
        if record.stack_info:
            text += f"\n{self._formatter.formatStack(record.stack_info)}"
        return text


def make_logger(write: Callable[[PipesMessage], None]) -> logging.Logger:
    """A logger that belongs to one context and to no hierarchy. No level is filtered."""
    logger = logging.Logger(LOGGER_NAME)  # noqa: LOG001 - one for each context, not one for the process
    logger.addHandler(PipesLogHandler(write))
    return logger
