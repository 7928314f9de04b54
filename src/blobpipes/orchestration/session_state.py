"""How does a session stand, by its last chunk? Pure: for looking from outside, where no verdict was heard.

The log itself says how it ended: by the writer's own end, or by the seal of a reader. Before that, a log that
has been still for several heartbeats is silent, which is all that an onlooker can know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from blobpipes.chunklog.archive_note import ArchiveNote
from blobpipes.chunklog.closing import closing_of
from blobpipes.chunklog.header import AnyChunk, ChunkHeader, CorruptChunk, Flag, LegacyChunk
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.pacing import heartbeat_pause

SILENT_HEARTBEATS: Final = 5  # as the reader of the log counts

SessionState: TypeAlias = Literal[
    "waiting",  # opened, and no message has come yet
    "running",
    "silent",  # neither ended nor heard of for several heartbeats
    "complete",  # the job closed normally
    "failed",  # the job closed with an exception
    "truncated",  # the process ended without closing
    "damaged",  # the last chunk cannot be read, or chunks before it are missing
    "cleaned",  # its messages were removed after the end
]
OPEN_STATES: Final = ("waiting", "running", "silent")


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """A state and what it rests on."""

    state: SessionState
    detail: str  # one sentence for people
    messages: int | None = None  # how many there are; None where the chunks do not tell

    @property
    def is_open(self) -> bool:
        """More may come."""
        return self.state in OPEN_STATES


def standing_of(
    last: AnyChunk | None,
    before: AnyChunk | None,
    *,
    age: float | None,
    holes: int,
    options: LogOptions | None = None,
) -> SessionStanding:
    """The standing of a log whose last two chunks these are.

    Args:
        age: seconds since the last chunk was stored; None if nobody knows.
        holes: chunks that are missing before the last one.
    """
    if last is None:
        return SessionStanding("waiting", "No message has come yet.", 0)
    if isinstance(last, CorruptChunk):
        return SessionStanding("damaged", f"The last chunk cannot be read: {last.reason}.")
    header = last.marks if isinstance(last, LegacyChunk) else last.header
    messages = sum(header.high_water.values()) if header else None
    state, detail = _state(last, before, age, options or LogOptions())
    if holes and state != "cleaned":
        are = "chunks before the last one are" if holes > 1 else "chunk before the last one is"
        state, detail = "damaged", f"{holes} {are} missing."
    return SessionStanding(state, detail, messages)


def standing_in_archive(note: ArchiveNote) -> SessionStanding:
    """The standing of a session whose archive is there."""
    known = note.state if note.state in get_args(SessionState) else "damaged"
    return SessionStanding(cast(SessionState, known), note.detail, note.messages)


def _state(last: AnyChunk, before: AnyChunk | None, age: float | None, options: LogOptions) -> tuple[SessionState, str]:
    header = _header(last)
    if header is not None and header.has(Flag.TOMB) and header.archive is not None:
        return "damaged", "It was folded into an archive, which is missing."
    if header is not None and header.has(Flag.TOMB):
        return "cleaned", "Its messages were removed after the end."
    ending = _ending(last) or (_ending(before) if header is not None and header.has(Flag.READER_SEAL) else None)
    if ending == "clean":
        return "complete", "The job closed normally."
    if ending == "failed":
        return "failed", "The job ended with an exception."
    if header is not None and header.seals:
        return "truncated", "The process ended without closing."
    patience = SILENT_HEARTBEATS * heartbeat_pause(options)
    if age is not None and age > patience:
        return "silent", "No chunk for longer than five heartbeats; the process may be dead."
    return "running", "It has not ended yet."


def _ending(chunk: AnyChunk | None) -> Literal["clean", "failed"] | None:
    """How the process closed in this chunk, if it did."""
    header = _header(chunk)
    if header is not None:
        return "clean" if header.has(Flag.END) else "failed" if header.has(Flag.FAIL) else None
    if isinstance(chunk, LegacyChunk):
        return next((closing for line in reversed(chunk.lines) if (closing := closing_of(line))), None)
    return None


def _header(chunk: AnyChunk | None) -> ChunkHeader | None:
    """A header with flags; an official or compatible chunk has none."""
    return None if chunk is None or isinstance(chunk, (LegacyChunk, CorruptChunk)) else chunk.header
