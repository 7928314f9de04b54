"""Why does nothing come? One reason, from what an onlooker can know. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blobpipes.cli.wording import duration
from blobpipes.orchestration.session_state import SessionStanding


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing comes at this moment."""

    kind: Literal["store", "first", "silent", "heartbeat", "interval"]
    text: str  # with the numbers of this moment

    @property
    def is_news(self) -> bool:
        """Worth a line of its own. That the interval is not over yet is not."""
        return self.kind != "interval"


def reason_to_wait(
    standing: SessionStanding,
    *,
    now: float,
    opened_at: float | None,
    last_chunk_at: float | None,
    quiet: float | None,
    interval: float,
    trouble: str | None,
) -> Reason:
    """The most telling reason.

    Args:
        now, opened_at, last_chunk_at: seconds since 1970.
        quiet: seconds since the last message; None before the first.
        interval: seconds within which a chunk comes, if there are messages.
        trouble: what the store says, if it does not answer.
    """
    if trouble is not None:
        return Reason("store", f"the store does not answer: {trouble}")
    if standing.state == "waiting":
        opened = "" if opened_at is None else f"; the session was opened {duration(now - opened_at)} ago"
        return Reason("first", f"no message yet{opened}")
    age = None if last_chunk_at is None else max(0.0, now - last_chunk_at)
    ago = "" if age is None else f" for {duration(age)}"
    if standing.state == "silent":
        return Reason(
            "silent", f"no chunk{ago}, not even a heartbeat: the process may be dead, and nobody ended its session"
        )
    if quiet is not None and age is not None and quiet > age + interval:
        return Reason(
            "heartbeat",
            f"no message for {duration(quiet)}; the job is alive, its last heartbeat came {duration(age)} ago",
        )
    return Reason("interval", f"the next chunk is due within {duration(interval)}")
