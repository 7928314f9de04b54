"""Runs a program under supervision: any program in any language, seen to its end whatever that is.

What the program says is on local disk before anything is done with it, and goes to the store from this
process. So a program that is killed loses nothing that it said, and how it ended is told by who saw it.
"""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import default_spool_root, spool_directory
from blobpipes.errors import UndeliveredError, WriterError
from blobpipes.external.addresses import entry_of, leads_to_store, log_options, messages_address
from blobpipes.external.blob_store_channel import PipesBlobStoreMessageWriterChannel
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.exits import term_grace
from blobpipes.external.local import LOCAL_ASSET, LocalMessageWriter
from blobpipes.external.message_writers import (
    INCLUDE_STDIO,
    PipesBlobStoreMessageWriter,
    PipesDefaultMessageWriter,
)
from blobpipes.external.params_loaders import PipesParamsLoader, default_params_loader
from blobpipes.external.stream_tee import write_diagnostic
from blobpipes.external.supervisor.default_asset import default_asset
from blobpipes.external.supervisor.endings import Ending
from blobpipes.external.supervisor.message_file import MessageFile
from blobpipes.external.supervisor.place import RunPlace, new_place
from blobpipes.external.supervisor.program import CannotStartError, Program
from blobpipes.external.supervisor.relay import Relay
from blobpipes.storage.url import without_secrets
from blobpipes.wire.params import CONTEXT_ENV_VAR, MESSAGES_CLI_OPTION, MESSAGES_ENV_VAR, PipesParams, encode_param

MESSAGES_FILE_VARIABLE: Final = "BLOBPIPES_MESSAGES_FILE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a supervised run."""

    ending: Ending
    failure: WriterError | None = None  # why not everything that it said is stored


def supervise(command: Sequence[str], *, spool: str | None = None) -> Outcome:
    """Run the command to its end, with this process' environment and streams. Called in the main thread.

    Args:
        spool: what goes to local disk, as the option of that name; every message if nobody says otherwise.

    Raises:
        BlobpipesError: what the orchestration process handed over cannot be used; nothing was run.
        OSError: the local disk does not take the messages file; nothing was run.
        KeyboardInterrupt: the program has ended, and somebody did not want to wait until all was sent.
    """
    return _Run(command, default_params_loader(), spool).run()


class _Run:
    """One supervised run. Used once."""

    def __init__(self, command: Sequence[str], loader: PipesParamsLoader, spool: str | None) -> None:
        self._command = list(command)
        self._grace = term_grace(os.environ)
        self._is_launched = loader.is_dagster_pipes_process()
        self._context_params = loader.load_context_params() if self._is_launched else {}
        self._params = loader.load_messages_params() if self._is_launched else {}
        self._spool = spool
        self._taken = 0  # bytes of the messages file
        self._default_asset = default_asset(self._context_params) if self._is_launched else lambda: LOCAL_ASSET

    def run(self) -> Outcome:
        with ExitStack() as stack:
            place = stack.enter_context(_place())
            self._file = MessageFile(
                place.messages,
                take=self._take,
                caught_up=self._caught_up,
                complain=self._complain,
                woken=self._on_signals,
            )  # fmt: skip
            self._place = place
            self._program = Program(self._arguments(), grace=self._grace, wake=self._file.wake)
            stack.enter_context(self._program.signals_forwarded())
            try:
                with self._open_channel() as channel:
                    self._channel = channel
                    self._relay = Relay(channel, self._default_asset, self._on_lost)
                    return Outcome(self._supervise(channel))
            except WriterError as error:
                return Outcome(self._ending, error)

    def _supervise(self, channel: PipesMessageWriterChannel) -> Ending:
        self._relay.open({"supervisor": self._introduction()})
        self._file.start()
        environment = self._environment(self._place.messages)
        try:
            self._program.start(environment)
        except CannotStartError as error:
            self._ending = error.ending
        else:
            self._describe_place()
            self._ending = self._program.wait()
        channel.stop_sources()
        self._read_to_the_end()
        self._relay.close(self._ending)
        return self._ending

    # --- what goes where -----------------------------------------------------------------------------

    def _open_channel(self) -> AbstractContextManager[PipesMessageWriterChannel]:
        if not self._is_launched:
            write_diagnostic(
                "warning: This process was not launched by an orchestration process: the command is run all the "
                "same, and its messages are only shown here."
            )
            return LocalMessageWriter().open({})
        if not leads_to_store(self._params):
            return PipesDefaultMessageWriter().open(self._params)
        writer: PipesBlobStoreMessageWriter[PipesBlobStoreMessageWriterChannel] = PipesBlobStoreMessageWriter(
            spool=self._spool or spool_mode(self._params)
        )
        return writer.open(self._params)

    def _arguments(self) -> list[str]:
        """The command. Where its own arguments lead to the store, they lead to us instead."""
        given = list(self._command)
        for at, argument in enumerate(given):
            if argument == MESSAGES_CLI_OPTION and at + 1 < len(given):
                given[at + 1] = self._messages_param()
            elif argument.startswith(f"{MESSAGES_CLI_OPTION}="):
                given[at] = f"{MESSAGES_CLI_OPTION}={self._messages_param()}"
        return given if self._is_launched else self._command

    def _messages_param(self) -> str:
        return encode_param({"path": str(self._place.messages), INCLUDE_STDIO: False})

    def _environment(self, messages: Path) -> dict[str, str]:
        """Ours, with the way back to us in place of the way to the store."""
        given = {**os.environ, MESSAGES_FILE_VARIABLE: str(messages)}
        if self._is_launched:
            given[CONTEXT_ENV_VAR] = encode_param(self._context_params)
            given[MESSAGES_ENV_VAR] = self._messages_param()
        if self._params.get(INCLUDE_STDIO):
            given.setdefault("PYTHONUNBUFFERED", "1")  # else what Python holds back is lost if it is killed
        return given

    def _describe_place(self) -> None:
        """For whoever finds the folder, should we be killed."""
        if not leads_to_store(self._params):
            return
        url = without_secrets(messages_address(self._params, None, {}).url)
        spool = spool_directory(self._place.directory.parent, url).name
        is_negotiated = entry_of(self._params) is not None
        about = {"url": url, "spool": spool, "negotiated": is_negotiated, "context": self._context_params}
        try:
            self._place.describe({**about, **self._program.identity()})
        except OSError as error:
            write_diagnostic(f"blobpipes exec: should this process be killed, messages may be lost: {error}")

    def _introduction(self) -> dict[str, Any]:
        """Who runs what. Arguments may hold secrets."""
        return {"program": Path(self._command[0]).name, "host": platform.node(), "pid": os.getpid()}

    # --- the messages file's thread ------------------------------------------------------------------

    def _take(self, line: bytes, start: int, end: int) -> None:
        self._place.mark(start, end, self._accepted)  # and so everything before has been accepted
        self._taken = end
        self._relay.take(line)

    def _caught_up(self) -> None:
        self._place.mark(self._taken, self._taken, 0)

    def _complain(self, text: str) -> None:
        self._relay.complain(text)

    @property
    def _accepted(self) -> int:
        return self._channel.accepted if isinstance(self._channel, PipesBlobStoreMessageWriterChannel) else 0

    def _on_signals(self, numbers: bytes) -> None:
        """The file has been read once more: what the program said until now leaves at once."""
        if signal.SIGTERM in numbers and isinstance(self._channel, PipesBlobStoreMessageWriterChannel):
            self._channel.flush(0)

    def _on_lost(self, error: WriterError) -> None:
        """Nobody sees what the program does from here on: another process may do the same already."""
        write_diagnostic(f"blobpipes exec: the program is told to end, because {error.message}")
        self._program.terminate()

    def _read_to_the_end(self) -> None:
        timeout = log_options(self._params, None, {}).close_timeout
        if not self._file.finish(timeout):
            raise UndeliveredError(
                f"not all that the program said was stored within {timeout:g} s; it is kept in {self._place.directory}",
                count=0,
                spool=self._place.directory,
                remedy=f"Deliver it when the store can be reached: blobpipes resend {self._place.directory}",
            )


def spool_mode(params: PipesParams) -> str:
    """Every message goes to disk, unless the orchestration side or BLOBPIPES_URL says otherwise."""
    asked = log_options(params, None, {}).spool
    return "wal" if asked == LogOptions().spool else asked


@contextmanager
def _place() -> Iterator[RunPlace]:
    """The run's folder, removed in the end; kept if a program that was started did not come to its end in order."""
    place = new_place(default_spool_root(os.environ))
    try:
        yield place
        place.remove()
    except BaseException:
        if not place.about():
            place.remove()
        raise
    finally:
        place.release()
