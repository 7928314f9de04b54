"""Names that are unique and sort by the time they were made: for runs and for sessions."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from typing import Final

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import InvalidOptionError

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+@-]*")
_TAKEN: Final = ("lanes",)  # what the chunk log itself puts beside its chunks; `_bp` is no segment anyway
_MAX_LENGTH: Final = 400  # characters; with a prefix and a chunk's name still far below the 1024 bytes of S3 and GCS


def new_id(clock: Clock = SYSTEM_CLOCK) -> str:
    """For instance `20261122-170036-123-9f3a0c11d2`: UTC to the millisecond, then 40 random bits."""
    wall = clock.wall()
    moment = datetime.fromtimestamp(wall, timezone.utc)
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}-{secrets.token_hex(5)}"


def checked_session_name(name: str) -> str:
    """`name`, if it can be part of every store's keys as it stands.

    Raises:
        InvalidOptionError: empty, too long, or with characters that some store or shell would take for something else.
    """
    segments = name.split("/")
    plain = all(_SEGMENT.fullmatch(segment) for segment in segments) and not set(segments) & set(_TAKEN)
    if not plain or len(name) > _MAX_LENGTH:
        raise InvalidOptionError(
            f"{name!r} cannot name a session",
            remedy=f"Use letters, digits and . _ = + @ - in parts joined by /, each beginning with a letter or digit, "
            f"at most {_MAX_LENGTH} characters, and none called 'lanes'.",
        )
    return name
