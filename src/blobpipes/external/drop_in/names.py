"""Constants and small functions of the official package under its own names. What they mean is `wire`'s business."""

from __future__ import annotations

import argparse
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import Final

from blobpipes.wire.asset_keys import parse_asset_key
from blobpipes.wire.envelope import PROTOCOL_VERSION, VERSION_FIELD
from blobpipes.wire.params import (
    CONTEXT_CLI_OPTION,
    CONTEXT_ENV_VAR,
    MESSAGES_CLI_OPTION,
    MESSAGES_ENV_VAR,
    decode_param,
    encode_param,
)

PIPES_PROTOCOL_VERSION: Final = PROTOCOL_VERSION
PIPES_PROTOCOL_VERSION_FIELD: Final = VERSION_FIELD

DAGSTER_PIPES_CONTEXT_ENV_VAR: Final = CONTEXT_ENV_VAR
DAGSTER_PIPES_MESSAGES_ENV_VAR: Final = MESSAGES_ENV_VAR
DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT: Final = CONTEXT_CLI_OPTION
DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT: Final = MESSAGES_CLI_OPTION
DAGSTER_PIPES_CONTEXT_WIDGET_KEY: Final = CONTEXT_ENV_VAR
DAGSTER_PIPES_MESSAGES_WIDGET_KEY: Final = MESSAGES_ENV_VAR

ESCAPE_CHARACTER: Final = "\\"
encode_env_var = encode_param
decode_env_var = decode_param


def to_asset_key_path(asset_key: str) -> list[str]:
    """The parts of an escaped asset key."""
    return parse_asset_key(asset_key)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How a job is told where it reports to.", add_help=False)
    parser.add_argument(CONTEXT_CLI_OPTION, help="where the context is, encoded")
    parser.add_argument(MESSAGES_CLI_OPTION, help="where the messages go, encoded")
    return parser


DAGSTER_PIPES_CLI_PARSER: Final = _parser()
"""For programs that have it among the parents of their own. Our loader of arguments does without."""


class ExcThread(threading.Thread):
    """A thread whose exception, if it ended by one, is shown on stderr when it is joined."""

    def run(self) -> None:
        self.exceptions: SimpleQueue[str] = SimpleQueue()
        try:
            super().run()
        except Exception:  # noqa: BLE001 - shown by `join`
            self.exceptions.put(traceback.format_exc())

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        while not self.is_alive() and not self.exceptions.empty():
            sys.stderr.write(self.exceptions.get())
