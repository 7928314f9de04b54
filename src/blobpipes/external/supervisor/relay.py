"""From lines of the messages file to the run's one stream of messages: one `opened`, one `closed`, all else between.

The program's own library opens and closes its pipe, perhaps several processes do. The run has one of each on
the wire: ours. What the others' say beyond that is kept: an exception becomes that of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from blobpipes.errors import MalformedMessageError, MessageTooLargeError, WriterError
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.supervisor.endings import Ending
from blobpipes.external.supervisor.lines import DefaultAsset, message_of
from blobpipes.wire.checks import clip
from blobpipes.wire.exceptions import PipesException, format_exception_tree
from blobpipes.wire.messages import Closed, Opened, PipesMessage, closed, log, opened, parse_payload


class Relay:
    """Writes one run's messages to its channel. `take` is called by one thread.

    Args:
        on_lost: called once, with why nothing more can be sent.
    """

    def __init__(
        self,
        channel: PipesMessageWriterChannel,
        default_asset: DefaultAsset,
        on_lost: Callable[[WriterError], None] = lambda error: None,
    ) -> None:
        self._channel = channel
        self._default_asset = default_asset
        self._on_lost = on_lost
        self._reported: PipesException | None = None  # the first exception that the program closed with
        self.failure: WriterError | None = None  # why nothing more can be sent

    def open(self, extras: Mapping[str, Any]) -> None:
        """Say that the run has begun."""
        self._channel.write_message(opened(extras))

    def take(self, line: bytes) -> None:
        """Send what the line says; a line that says nothing understandable is named in a warning instead."""
        try:
            message = self.message_for(line)
            if message is not None:
                self.send(message)
        except MessageTooLargeError as error:
            self.complain(f"a message of the program was skipped: {error.message}")

    def message_for(self, line: bytes) -> PipesMessage | None:
        """What to send for a line; None for nothing."""
        try:
            message = message_of(line, self._default_asset)
        except MalformedMessageError as error:
            return _warning(f"a line of the messages file was skipped: {error.message}: {clip(_text(line))}")
        if message["method"] not in ("opened", "closed"):
            return message
        return self._merged(message)

    def complain(self, text: str) -> None:
        """Warn whoever follows the run."""
        self.send(_warning(text))

    def close(self, ending: Ending) -> None:
        """Say how the run has ended, and wait until everything is stored.

        Raises:
            WriterError: not everything was, or could be.
        """
        if self.failure is not None:
            raise self.failure
        self._channel.write_message(closed(ending.exception(self._reported)))

    def _merged(self, message: PipesMessage) -> PipesMessage | None:
        payload = parse_payload(message)
        if isinstance(payload, Opened) and payload.extras:
            return log(f"the program has opened its pipe, and says of itself: {dict(payload.extras)}", "DEBUG")
        if not isinstance(payload, Closed) or payload.exception is None:
            return None
        if self._reported is None:
            self._reported = payload.exception
            return None
        return log(f"another process of the program failed, too:\n{format_exception_tree(payload.exception)}", "ERROR")

    def send(self, message: PipesMessage) -> None:
        """Send one message. Once nothing can be sent any more it is dropped; `failure` says why.

        Raises:
            MessageTooLargeError: nothing was sent.
        """
        if self.failure is not None:
            return  # it was said, and is raised at the end
        try:
            self._channel.write_message(message)
        except WriterError as error:
            self.failure = error
            self._on_lost(error)


def _warning(text: str) -> PipesMessage:
    return log(f"blobpipes exec: {text}", "WARNING")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
