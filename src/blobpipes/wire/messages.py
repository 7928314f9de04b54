"""Messages, both ways: build and encode them on one side, parse them on the other.

One message is one JSON object on one line. This module is the door to three others: the envelope, the
builders of the sending side, and the payloads of the reading side.
"""

from __future__ import annotations

from blobpipes.wire.builders import (
    asset_check,
    asset_materialization,
    closed,
    custom,
    external_stream,
    log,
    opened,
)
from blobpipes.wire.envelope import (
    PROTOCOL_VERSION,
    VERSION_FIELD,
    Method,
    PipesMessage,
    encode_message,
    make_message,
    parse_line,
)
from blobpipes.wire.payloads import (
    AssetCheck,
    AssetMaterialization,
    Closed,
    CustomMessage,
    ExternalStream,
    Log,
    Opened,
    Payload,
    PipesAssetCheckSeverity,
    StreamName,
    parse_payload,
)

__all__ = [
    "PROTOCOL_VERSION",
    "VERSION_FIELD",
    "AssetCheck",
    "AssetMaterialization",
    "Closed",
    "CustomMessage",
    "ExternalStream",
    "Log",
    "Method",
    "Opened",
    "Payload",
    "PipesAssetCheckSeverity",
    "PipesMessage",
    "StreamName",
    "asset_check",
    "asset_materialization",
    "closed",
    "custom",
    "encode_message",
    "external_stream",
    "log",
    "make_message",
    "opened",
    "parse_line",
    "parse_payload",
]
