"""The job's end of the pipe: what the orchestration process told it, and everything that it reports back."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, ClassVar

from blobpipes.errors import DagsterPipesError, StoreError
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.context_loaders import PipesContextLoader
from blobpipes.external.context_view import ContextView
from blobpipes.external.local import LOCAL_ASSET
from blobpipes.external.logger import make_logger
from blobpipes.external.message_writers import PipesMessageWriter
from blobpipes.external.params_loaders import PipesParamsLoader
from blobpipes.external.stream_tee import write_diagnostic
from blobpipes.wire.context import PipesContextData, parse_context
from blobpipes.wire.exceptions import PipesException, describe_exception
from blobpipes.wire.messages import (
    PipesAssetCheckSeverity,
    PipesMessage,
    asset_check,
    asset_materialization,
    closed,
    custom,
    external_stream,
    opened,
)
from blobpipes.wire.metadata import PipesMetadataRawValue, PipesMetadataValue
from blobpipes.wire.params import PipesExtras, PipesParams

_Metadata = Mapping[str, PipesMetadataRawValue | PipesMetadataValue]


class PipesContext(ContextView):
    """One open pipe. Made by `open_dagster_pipes`; several threads may report through it at once.

    As a context manager it closes itself, and reports the exception that leaves the block, if one does.
    `sys.exit()` and `sys.exit(0)` are a normal end.
    """

    _instance: ClassVar[PipesContext | None] = None

    @classmethod
    def is_initialized(cls) -> bool:
        """Whether `get` has a context to give."""
        return cls._instance is not None

    @classmethod
    def set(cls, context: PipesContext | None) -> None:
        """Make `context` the one that `get` and `open_dagster_pipes` give; None for tests that begin anew."""
        cls._instance = context

    @classmethod
    def get(cls) -> PipesContext:
        """The context that was opened last in this process, also after it was closed.

        Raises:
            DagsterPipesError: none was opened yet.
        """
        if cls._instance is None:
            raise DagsterPipesError("no pipes context is open", remedy="Call open_dagster_pipes() first.")
        return cls._instance

    def __init__(
        self,
        params_loader: PipesParamsLoader,
        context_loader: PipesContextLoader,
        message_writer: PipesMessageWriter[Any],
    ) -> None:
        context_params = params_loader.load_context_params()
        messages_params = params_loader.load_messages_params()
        self._pid = os.getpid()
        self._is_launched = params_loader.is_dagster_pipes_process()
        self._materialized: set[str] = set()
        self._lock = threading.RLock()
        self._is_closing = self._is_closed = False
        with ExitStack() as stack:
            try:
                self._data: PipesContextData = parse_context(
                    stack.enter_context(context_loader.load_context(context_params))
                )
            except Exception as error:
                _report_failed_start(message_writer, messages_params, error)
                raise
            self._channel = stack.enter_context(message_writer.open(messages_params))
            self._channel.write_message(opened(message_writer.get_opened_payload()["extras"]))
            self._io_stack = stack.pop_all()
        self._logger = make_logger(self._write)

    def __enter__(self) -> PipesContext:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close(None if exc is None or _is_normal_exit(exc) else describe_exception(exc))
        except BaseException as failure:
            if exc is None:
                raise
            raise failure from exc  # what happened first must stay to be seen

    def close(self, exc: PipesException | BaseException | None = None) -> None:
        """Send what is left, then `closed`, and wait until all of it is stored. A second close does nothing.

        Nor does a close in a forked child: the pipe is its parent's.

        Args:
            exc: why the job failed; None for a normal end.

        Raises:
            UndeliveredError: the store did not take everything in time.
        """
        with self._lock:
            if self._is_closing or os.getpid() != self._pid:
                return
            self._is_closing = True
            with self._io_stack:
                try:
                    _stop_sources(self._channel)
                finally:
                    self._is_closed = True
                described = describe_exception(exc) if isinstance(exc, BaseException) else exc
                self._channel.write_message(closed(described))

    @property
    def is_closed(self) -> bool:
        """Whether reporting is over."""
        return self._is_closed

    @property
    def log(self) -> logging.Logger:
        """A standard logger whose records are sent as messages, all levels of them."""
        return self._logger

    def report_asset_materialization(
        self,
        metadata: _Metadata | None = None,
        data_version: str | None = None,
        asset_key: str | None = None,
    ) -> None:
        """Tell that an asset was made; once per asset.

        Args:
            metadata: labels and values; a value is bare, or `{"type": ..., "raw_value": ...}`.
            asset_key: may be left out where the step has exactly one asset.

        Raises:
            DagsterPipesError: an argument breaks the protocol, or the asset was reported before.
            UnserializableError: a metadata value cannot become JSON; names it. Nothing was sent.
        """
        key = self._resolve_asset_key(asset_key, "report_asset_materialization")
        message = asset_materialization(key, data_version=data_version, metadata=metadata)
        with self._lock:
            if key in self._materialized:
                raise DagsterPipesError(
                    f"the asset {key!r} has been reported as materialized already",
                    remedy="Report each asset once, with all of its metadata.",
                )
            self._materialized.add(key)
        try:
            self._write(message)
        except BaseException:
            self._materialized.discard(key)
            raise

    def report_asset_check(
        self,
        check_name: str,
        passed: bool,
        severity: PipesAssetCheckSeverity = "ERROR",
        metadata: _Metadata | None = None,
        asset_key: str | None = None,
    ) -> None:
        """Tell the result of a check. numpy's bool is taken for `passed`, too.

        Args:
            severity: `"WARN"` or `"ERROR"`: what it means if the check did not pass.

        Raises:
            DagsterPipesError, UnserializableError: as `report_asset_materialization`.
        """
        key = self._resolve_asset_key(asset_key, "report_asset_check")
        self._write(asset_check(key, check_name, passed, severity=severity, metadata=metadata))

    def report_custom_message(self, payload: Any) -> None:
        """Send any value that can become JSON; the other side finds it in `get_custom_messages()`."""
        self._write(custom(payload))

    def log_external_stream(self, stream: str, text: str, extras: PipesExtras | None = None) -> None:
        """Send output that was captured elsewhere, as text of `"stdout"` or `"stderr"`."""
        self._write(external_stream(stream, text, extras))

    def _write(self, message: PipesMessage) -> None:
        if self._is_closed:
            raise DagsterPipesError(
                "the pipes context is closed", remedy="Report inside the `with open_dagster_pipes()` block."
            )
        self._channel.write_message(message)

    def _resolve_asset_key(self, given: str | None, method: str) -> str:
        known = self._data["asset_keys"]
        if given is not None and not isinstance(given, str):
            raise DagsterPipesError(f"`asset_key` of `{method}` must be a string, not {type(given).__name__}")
        if given and known and given not in known:
            raise DagsterPipesError(
                f"the asset {given!r} is not one of the step's", remedy=f"Use one of {', '.join(map(repr, known))}."
            )
        if given:
            return given
        if not self._is_launched:
            return LOCAL_ASSET
        if known and len(known) == 1:
            return known[0]
        reason = f"the step targets {len(known)} assets" if known else "the step does not target an asset"
        raise DagsterPipesError(f"`{method}` needs an asset key: {reason}", remedy="Pass asset_key=...")


def _is_normal_exit(exc: BaseException) -> bool:
    return isinstance(exc, SystemExit) and (exc.code is None or exc.code == 0)


def _stop_sources(channel: PipesMessageWriterChannel) -> None:
    if isinstance(channel, PipesMessageWriterChannel):  # a writer of the official package has a channel of its own kind
        channel.stop_sources()


def _report_failed_start(writer: PipesMessageWriter[Any], params: PipesParams, error: Exception) -> None:
    """Let the orchestration side see why this process never began, if the way there is not what failed."""
    if isinstance(error, StoreError):
        return
    try:
        with writer.open(params) as channel:
            channel.write_message(opened(writer.get_opened_payload()["extras"]))
            _stop_sources(channel)
            channel.write_message(closed(describe_exception(error)))
    except Exception as failure:  # noqa: BLE001 - the first error is the one to raise
        write_diagnostic(f"blobpipes: the failed start could not be reported: {failure}")
