"""What a program is told when its messages could not be delivered: how many, why, and where they are now."""

from __future__ import annotations

from pathlib import Path

from blobpipes.chunklog.writer_core import State, WriterCore
from blobpipes.errors import FencedError, LogSealedError, StoreError, UndeliveredError, WriterError


def ending_error(core: WriterCore, url: str, *, kept: Path | None, last_error: StoreError | None) -> WriterError:
    """The error for a core that has ended without being closed. `kept`: the spool that holds the messages."""
    lost = f"{core.undelivered} messages were not delivered"
    if core.state is State.SEALED:
        return LogSealedError(f"cannot write to {url}: {core.obstacle}; {lost}")
    if core.state is State.FENCED:
        return FencedError(f"lost the log at {url}: {core.obstacle}; {lost}")
    remedy = last_error.remedy if last_error is not None else None
    where = ""
    if kept is not None:
        where = f" and are kept in {kept}"
        remedy = f"{remedy or ''} Then deliver them: blobpipes resend {kept}".strip()
    return UndeliveredError(
        f"{lost} to {url}{where}: {core.obstacle}", count=core.undelivered, spool=kept, remedy=remedy
    )
