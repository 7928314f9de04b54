"""Messages among the logs of the Prefect run that this process is part of. Nothing of Prefect is imported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from blobpipes.errors import DagsterPipesError, MessageTooLargeError
from blobpipes.external.channels import LineChannel
from blobpipes.external.message_writers import PipesMessageWriter
from blobpipes.wire.messages import PipesMessage, closed, encode_message, log
from blobpipes.wire.params import PipesParams

_REMEDY: Final = "Report less, or use a message writer with a storage URL."


class PipesPrefectLogsMessageWriter(PipesMessageWriter["PipesPrefectLogsMessageWriterChannel"]):
    """Writes each message as one record of a child of Prefect's run logger, inside a flow run or task run.

    Prefect's handler takes the run from its own context and sends the record to Prefect's server, from which the
    orchestration side reads it.
    """

    PREFECT_LOGS_KEY = "prefect_logs"
    MAX_MESSAGE_BYTES_KEY = "max_message_bytes"
    LOGGER_NAME = "prefect.flow_runs.dagster_pipes"  # below the name whose own records need fields that we lack
    DEFAULT_MAX_MESSAGE_BYTES = 900_000  # Prefect's limit is 1 MB, what it adds to the text included

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[PipesPrefectLogsMessageWriterChannel]:
        if not isinstance(params.get(self.PREFECT_LOGS_KEY), bool):
            raise DagsterPipesError(f"the param `{self.PREFECT_LOGS_KEY}` must be true or false")
        limit = params.get(self.MAX_MESSAGE_BYTES_KEY)
        if limit is not None and not isinstance(limit, int):
            raise DagsterPipesError(f"the param `{self.MAX_MESSAGE_BYTES_KEY}` must be a whole number")
        yield PipesPrefectLogsMessageWriterChannel(
            logging.getLogger(self.LOGGER_NAME), limit or self.DEFAULT_MAX_MESSAGE_BYTES
        )


class PipesPrefectLogsMessageWriterChannel(LineChannel):
    """One message is one INFO record. Prefect would cut a longer one, and half a message is none.

    A result or a custom message that is too long is refused: `MessageTooLargeError`. In place of a log message, or of
    the exception of `closed`, a short one says that it was too long, because whoever wrote it cannot be asked.
    """

    def __init__(self, logger: logging.Logger, max_message_bytes: int) -> None:
        super().__init__()
        self._logger = logger
        self._max_message_bytes = max_message_bytes

    def write_message(self, message: PipesMessage) -> None:
        size = len(encode_message(message))
        super().write_message(message if size <= self._max_message_bytes else self._instead_of(message, size))

    def _write_line(self, line: bytes) -> None:
        self._logger.info(line.decode("ascii").removesuffix("\n"))

    def _instead_of(self, message: PipesMessage, size: int) -> PipesMessage:
        method = message["method"]
        text = f"a message `{method}` of {size} bytes is over the limit of {self._max_message_bytes} for Prefect's logs"
        if method == "closed":
            name = ((message["params"] or {}).get("exception") or {}).get("name")
            return closed({"message": text, "stack": [], "name": name, "cause": None, "context": None})
        if method in ("log", "log_external_stream"):
            return log(text, "ERROR")
        raise MessageTooLargeError(text, remedy=_REMEDY)
