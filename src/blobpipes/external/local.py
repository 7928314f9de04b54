"""A process that no orchestrator launched: the same context, whose messages are shown where the program runs.

So a job can be tried out as it is, `python job.py`. Every call is checked as in a launched process.
Reports without an asset key are shown for `(asset)`; what the context would tell is None or empty.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.message_writers import PipesMessageWriter
from blobpipes.external.params_loaders import PipesParamsLoader
from blobpipes.wire.log_levels import LEVELS
from blobpipes.wire.messages import PipesMessage, encode_message
from blobpipes.wire.params import PipesParams

LOCAL_ASSET: Final = "(asset)"
_LONGEST: Final = 500  # characters of one report that are shown

_logger = logging.getLogger("blobpipes.local")


class LocalParamsLoader(PipesParamsLoader):
    """An empty context, given in the params themselves."""

    def is_dagster_pipes_process(self) -> bool:
        return False

    def load_context_params(self) -> PipesParams:
        return {"data": {"run_id": "local"}}

    def load_messages_params(self) -> PipesParams:
        return {}


class LocalMessageWriter(PipesMessageWriter["LocalChannel"]):
    """Shows messages by Python's logging."""

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[LocalChannel]:
        yield LocalChannel()


class LocalChannel(PipesMessageWriterChannel):
    """Each message is a record of the logger `blobpipes.local`; on stderr, if the program set up no logging."""

    def write_message(self, message: PipesMessage) -> None:
        encode_message(message)  # what could not be sent is no less wrong here
        shown = _shown(message["method"], message["params"] or {})
        if shown is None:
            return
        if _logger.hasHandlers():
            _logger.log(*shown)
        else:
            level, text = shown
            _stderr.handle(_logger.makeRecord(_logger.name, level, "", 0, text, (), None))


class _StderrHandler(logging.Handler):
    """On whatever `sys.stderr` is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:
            sys.stderr.write(f"{self.format(record)}\n")


_stderr = _StderrHandler()
_stderr.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))


def _shown(method: str, params: Any) -> tuple[int, str] | None:
    if method == "log":
        return LEVELS[params["level"]], params["message"]
    if method == "report_asset_materialization":
        version = f", data version {params['data_version']}" if params["data_version"] is not None else ""
        return logging.INFO, f"materialized {params['asset_key']}{version}{_metadata(params)}"
    if method == "report_asset_check":
        level = logging.INFO if params["passed"] else LEVELS["WARNING" if params["severity"] == "WARN" else "ERROR"]
        verdict = "passed" if params["passed"] else "failed"
        return level, f"check {params['check_name']} of {params['asset_key']} {verdict}{_metadata(params)}"
    if method == "report_custom_message":
        return logging.INFO, f"custom message: {_clip(params['payload'])}"
    if method == "log_external_stream":
        return logging.INFO, f"{params['stream']}: {params['text']}"
    return None


def _metadata(params: Any) -> str:
    values = {label: value["raw_value"] for label, value in (params["metadata"] or {}).items()}
    return f": {_clip(values)}" if values else ""


def _clip(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
