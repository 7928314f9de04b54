"""How context params and messages params are handed over: one line of text per value.

JSON, UTF-8, zlib (not gzip), standard base64 with padding. The line travels as an environment variable,
as the argument after a command line option, or as a value of any string mapping.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from blobpipes.errors import DagsterPipesError
from blobpipes.wire.checks import json_type
from blobpipes.wire.jsonable import dumps

PipesParams: TypeAlias = Mapping[str, Any]
PipesExtras: TypeAlias = Mapping[str, Any]

CONTEXT_ENV_VAR: Final = "DAGSTER_PIPES_CONTEXT"
MESSAGES_ENV_VAR: Final = "DAGSTER_PIPES_MESSAGES"
CONTEXT_CLI_OPTION: Final = "--dagster-pipes-context"
MESSAGES_CLI_OPTION: Final = "--dagster-pipes-messages"


def encode_param(value: Any) -> str:
    """`value` as the text that `decode_param` takes back, byte for byte what the official package writes.

    Raises:
        UnserializableError: `value` cannot become JSON.
    """
    return base64.b64encode(zlib.compress(dumps(value).encode("ascii"))).decode("ascii")


def decode_param(value: str, *, name: str = "the bootstrap value") -> Any:
    """What `encode_param` was given. Takes any zlib level and JSON spacing.

    White space, quotes and whatever else is not of base64 is passed over, as the official decoder does: env
    files and shells add them, and zlib's checksum finds real damage.

    Args:
        name: what errors call the value, for instance its environment variable. The value itself is
            never shown, because params can lead to data.

    Raises:
        DagsterPipesError: not text, or one of the three layers is damaged; says which.
    """
    if not isinstance(value, str):
        raise _undecodable(name, f"it is {json_type(value)}, not text")
    try:
        return json.loads(zlib.decompress(base64.b64decode(value)).decode("utf-8"))
    except (binascii.Error, ValueError, RecursionError, zlib.error) as error:
        raise _undecodable(name, _damage(error)) from None


def decode_params(value: str, *, name: str = "the bootstrap value") -> PipesParams:
    """As `decode_param`, for a value which must be a JSON object, as all params are."""
    params = decode_param(value, name=name)
    if not isinstance(params, dict):
        raise _undecodable(name, f"it holds {json_type(params)}, not an object")
    return params


def _damage(error: Exception) -> str:
    if isinstance(error, zlib.error):
        return "its content is not a zlib stream"
    if isinstance(error, UnicodeDecodeError):
        return "its content is not UTF-8"
    if isinstance(error, (json.JSONDecodeError, RecursionError)):
        return "its content is not JSON"
    return "it is not standard base64 with padding"


def _undecodable(name: str, reason: str) -> DagsterPipesError:
    return DagsterPipesError(
        f"cannot decode {name}: {reason}",
        remedy="Hand the value over whole and unchanged, as get_bootstrap_env_vars() or "
        "get_bootstrap_cli_arguments() of the session gives it.",
    )
