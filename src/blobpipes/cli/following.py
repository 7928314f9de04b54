"""What `tail` and `show` share: a session read from outside, said event by event, and judged at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from blobpipes.chunklog.reader_types import LogEnd
from blobpipes.cli import exit_codes
from blobpipes.cli.drawing import Line, Piece
from blobpipes.cli.events import Event, event_of, problem_event
from blobpipes.cli.printers import Printer
from blobpipes.cli.tally import Tally
from blobpipes.cli.waiting import Reason, reason_to_wait
from blobpipes.cli.wording import counted, duration, stopwatch
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.orchestration.catalog import FoundSession, SessionCatalog
from blobpipes.orchestration.follow import Item, SeenChunk, SessionFollower
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.storage.metered import Meter

TICK: Final = 0.5  # seconds between two thoughts about why nothing comes


class Following:
    """One session under a URL, from its first message on."""

    def __init__(
        self, url: str, session: str | None, printer: Printer, *, meter: Meter, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.session = SessionCatalog(url, meter=meter).find(session)
        self._printer = printer
        self._meter = meter
        self._clock = clock
        self._tally = Tally()
        self._began = clock.monotonic()
        self._reason: Reason | None = None
        self.end: LogEnd | None = None  # how the log ended, or stands

    def run(self, *, wait: bool, on_chunk: Callable[[SeenChunk], None] = lambda seen: None) -> int:
        """Read it, to its end or (without `wait`) as far as it is there now; the exit code."""
        self._printer.event(session_event(self.session))
        with SessionFollower(
            self.session, wait=wait, meter=self._meter, on_chunk=on_chunk, clock=self._clock
        ) as follower:
            for item in follower.items(TICK if wait else None):
                if item is None:
                    self._say_why(follower)
                else:
                    self._say(item)
                self._printer.status(self._status(follower)) if wait else None
            self._printer.status(None)
            return self._judge(follower)

    def _say(self, item: Item) -> None:
        name, now = self.session.name, self._clock.monotonic()
        self._reason = None
        if isinstance(item, SessionProblem):
            event = problem_event(item, session=name, at=self._clock.wall())
            self._tally.add(event, now)
        else:
            event = event_of(item.payload, session=name, at=item.stored_at)
            self._tally.add(event, now, chunk=item.chunk)
        self._printer.event(event)

    def _say_why(self, follower: SessionFollower) -> None:
        """Once for each new reason that is worth a line."""
        reason = self._look_why(follower)
        if reason.kind == (self._reason.kind if self._reason else None):
            return
        self._reason = reason
        if reason.is_news:
            fields = {"reason": reason.kind, "text": reason.text}
            self._printer.event(Event("waiting", self.session.name, self._clock.wall(), fields))

    def _look_why(self, follower: SessionFollower) -> Reason:
        descriptor = self.session.descriptor
        return reason_to_wait(
            follower.standing,
            now=self._clock.wall(),
            opened_at=descriptor.created if descriptor else None,
            last_chunk_at=follower.last_chunk_at,
            quiet=self._tally.quiet(self._clock.monotonic()),
            interval=self.session.options.interval,
            trouble=follower.trouble,
        )

    def _status(self, follower: SessionFollower) -> Line | None:
        if not self._printer.is_live:
            return None
        watched = stopwatch(self._clock.monotonic() - self._began)
        counts = f"{counted(self._tally.messages, 'message')}, {counted(follower.chunks, 'chunk')}"
        return [Piece(f"{watched}  {counts}  {self._look_why(follower).text}", "dim")]

    def _judge(self, follower: SessionFollower) -> int:
        self.end = end = follower.end
        assert end is not None  # items() came to its end
        state, detail = self._state(follower, end)
        fields = {
            "url": self.session.url,
            "state": state,
            "detail": detail,
            **self._tally.as_fields(),
            "chunks": end.chunks,
            "missing": end.missing,
            "requests": dict(self._meter.snapshot().requests),
            "seconds": None,
        }
        self._printer.results(self._tally)
        self._printer.event(Event("end", self.session.name, self._clock.wall(), fields))
        return exit_codes.of_verdict(state)

    def _state(self, follower: SessionFollower, end: LogEnd) -> tuple[str, str]:
        """The verdict; for a log that has not ended, how it stands."""
        standing = follower.standing
        if end.verdict == "truncated" and not end.missing and standing.is_open and not self._tally.problems:
            since = follower.last_chunk_at
            age = "" if since is None else f" The last chunk came {duration(self._clock.wall() - since)} ago."
            return standing.state, standing.detail + age
        if standing.state == "cleaned" or (standing.state == "damaged" and not end.messages):
            return standing.state, standing.detail
        return end.verdict, end.detail


def session_event(session: FoundSession) -> Event:
    """What a session says of itself."""
    descriptor = session.descriptor
    fields = {
        "url": session.url,
        "run_id": descriptor.run_id if descriptor else None,
        "job_name": descriptor.job_name if descriptor else None,
        "partition_key": descriptor.partition_key if descriptor else None,
    }
    return Event("session", session.name, descriptor.created if descriptor else None, fields)
