"""Read any session of a URL from outside: another process, another machine, while it runs or long after.

A follower reads the log as the session's own reader does, from the first chunk, but it only looks: it never
seals and never writes, so any number of followers disturb nobody. It ends where the log ends; asked for what
is there now, it ends where the log stands.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, TypeAlias

from blobpipes.chunklog.header import parse_chunk
from blobpipes.chunklog.layout import chunk_number
from blobpipes.chunklog.reader import LogReader, Scheduler
from blobpipes.chunklog.reader_types import Delivered, LogEnd, Problem, ReaderSettings
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import MalformedMessageError, StoreDeniedError
from blobpipes.orchestration.archived_store import open_archive
from blobpipes.orchestration.catalog import FoundSession
from blobpipes.orchestration.onlooker_store import OnlookerStore
from blobpipes.orchestration.poller import shared_poller
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.orchestration.reading import Watched
from blobpipes.orchestration.session_state import SessionStanding, standing_of
from blobpipes.storage.metered import Meter
from blobpipes.storage.store import ObjectInfo, Store
from blobpipes.wire.messages import Payload, parse_line, parse_payload

MAX_WAITING: Final = 10_000  # messages read ahead of whoever takes them; then reading waits
STORE_PATIENCE: Final = 15.0  # seconds that a look at what is there now tries a store that does not answer


@dataclass(frozen=True, slots=True)
class Followed:
    """One good message."""

    payload: Payload
    stream: str  # which process said it
    seq: int  # its number there, from 1
    chunk: int
    stored_at: float | None  # seconds since 1970: when the store got its chunk; None where nobody knows


@dataclass(frozen=True, slots=True)
class SeenChunk:
    """One object of the log, as it was got."""

    number: int
    data: bytes
    stored_at: float | None  # seconds since 1970


Item: TypeAlias = Followed | SessionProblem


class SessionFollower:
    """One reading of one session, from its beginning. Use it in a `with` block; one thread iterates.

    Args:
        wait: follow the log until it ends; False: read what is there now.
        meter: counts the requests.
        on_chunk: is told of each chunk, once, in whatever order; by a thread of the poller, one at a time.

    Raises:
        DamagedArchiveError: the session was folded into an archive that cannot be read.
    """

    def __init__(
        self,
        session: FoundSession,
        *,
        wait: bool = True,
        meter: Meter | None = None,
        on_chunk: Callable[[SeenChunk], None] = lambda seen: None,
        scheduler: Scheduler | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.session = session
        self._clock = clock
        self._wait = wait
        looked = session.open_store(meter=meter)
        listed = _listing(looked)
        archived = open_archive(looked, None if listed is None else [info.key for info in listed])
        self._times = _stored_times(listed or [] if archived is None else archived.list(""))
        self._handover = _Handover()
        self._store = OnlookerStore(
            archived or session.open_store(retry=None, meter=meter),
            clock,
            on_chunk=lambda number, data: on_chunk(SeenChunk(number, data, self._times.get(number))),
        )
        self._reader = LogReader(
            self._store,
            scheduler=Watched(
                scheduler or shared_poller(), is_ended=lambda: self._reader.is_ended, on_end=self._handover.end
            ),
            deliver=self._deliver,
            report=self._report,
            settings=_settings(session, wait=wait, may_list=listed is not None),
            clock=clock,
        )

    def __enter__(self) -> SessionFollower:
        self._reader.start()
        if not self._wait:
            self._reader.process_gone()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.stop()
        self._handover.end()

    def items(self, pause: float | None = None) -> Iterator[Item | None]:
        """Messages and problems in the order of the log, until its end.

        Args:
            pause: seconds after which None comes, if nothing else does; by default never.
        """
        while (item := self._handover.take(pause)) is not _END:
            assert not isinstance(item, _End)
            yield item
        self._reader.wait(0)  # raises what ended the reading before the log's end

    @property
    def end(self) -> LogEnd | None:
        """How the log ended; None before that. Its verdict counts only if the session is not open any more."""
        return self._reader.wait(0) if self._reader.is_ended else None

    @property
    def standing(self) -> SessionStanding:
        """How the session stands by what was read so far."""
        last, before = (None if data is None else parse_chunk(data) for data in self._store.last_two)
        return standing_of(last, before, age=self._age(), holes=0, options=self.session.options)

    @property
    def chunks(self) -> int:
        """Chunks seen so far."""
        return self._store.chunks

    @property
    def last_chunk_at(self) -> float | None:
        """When the last chunk was stored, as far as that is known: seconds since 1970."""
        return self._stored_at(self._store.last_number) if self._store.chunks else None

    @property
    def trouble(self) -> str | None:
        """What the store says, while it does not answer."""
        return self._store.trouble

    def _age(self) -> float | None:
        stored = self.last_chunk_at
        return None if stored is None else max(0.0, self._clock.wall() - stored)

    def _deliver(self, messages: Sequence[Delivered]) -> None:
        self._handover.put([item for message in messages if (item := self._parse(message)) is not None])

    def _report(self, problem: Problem) -> None:
        self._handover.put([SessionProblem(problem.kind, problem.text, chunk=problem.chunk)])

    def _parse(self, message: Delivered) -> Item | None:
        if not message.line.strip():
            return None
        try:
            parsed = parse_line(message.line)
            if parsed is None:
                return SessionProblem("malformed", "a line that is no message", chunk=message.chunk)
            payload = parse_payload(parsed)
        except MalformedMessageError as error:
            return SessionProblem("malformed", error.message, chunk=message.chunk)
        return Followed(payload, message.stream, message.seq, message.chunk, self._stored_at(message.chunk))

    def _stored_at(self, chunk: int) -> float | None:
        """From the listing, else when it was first seen, if it was waited for."""
        known = self._times.get(chunk)
        return known if known is not None or not self._wait else self._store.seen_at(chunk)


def _settings(session: FoundSession, *, wait: bool, may_list: bool) -> ReaderSettings:
    """Patient only while following: what is damaged or missing now is named now."""
    settings = ReaderSettings(
        session.options,
        owner="onlooker",
        may_seal=False,
        denied_is_absent=not may_list,  # S3 says 403 for an absent key to those who may not list
    )
    if wait:
        return settings
    return replace(settings, corrupt_patience=0.0, gap_patience=0.0, store_patience=STORE_PATIENCE, end_grace=0.0)


def _listing(store: Store) -> Sequence[ObjectInfo] | None:
    """What is there already. None if we may not list."""
    try:
        return store.list("")
    except StoreDeniedError:
        return None


def _stored_times(infos: Sequence[ObjectInfo]) -> dict[int, float | None]:
    """When each chunk in a listing was stored, because messages carry no time."""
    return {number: info.modified for info in infos if (number := chunk_number(info.key)) is not None}


class _End:
    """Nothing more comes."""


_END: Final = _End()


class _Handover:
    """From the poller's threads to the one that iterates. Whoever puts too much waits until it is taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._ended = False

    def put(self, items: Sequence[Item]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < MAX_WAITING or self._ended)
            self._items.extend(items)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, pause: float | None) -> Item | _End | None:
        """The next item; None after `pause` seconds without one."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._ended, pause)
            if self._items:
                item = self._items.popleft()
                if len(self._items) < MAX_WAITING:
                    self._changed.notify_all()
                return item
            return _END if self._ended else None
