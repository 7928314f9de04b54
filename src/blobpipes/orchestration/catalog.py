"""Which sessions are there under a URL, and how do they stand?

For looking from outside: any process that may list and get can ask, also while sessions run. What a session
is, its chunks and their times come from one recursive listing; its state from its last chunk, one GET. Nothing
is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, Final

from blobpipes.chunklog.archive_note import ArchiveNote
from blobpipes.chunklog.header import AnyChunk, Flag, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import SESSION_KEY, SessionDescriptor, chunk_key, decode_descriptor
from blobpipes.chunklog.options import LogOptions, parse_options
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import BlobpipesError, MalformedMessageError, SessionNotFoundError
from blobpipes.orchestration.footprints import Footprint, collect_footprints, join_key
from blobpipes.orchestration.session_state import SessionStanding, standing_in_archive, standing_of
from blobpipes.retry import RetryPolicy
from blobpipes.storage.metered import Meter
from blobpipes.storage.open import open_store
from blobpipes.storage.prefixed import PrefixedStore
from blobpipes.storage.store import Store
from blobpipes.storage.url import join, parse_url, without_secrets

LOOKING: Final = RetryPolicy(attempts=4, deadline=15.0)  # a person waits
AT_ONCE: Final = 16  # gets under way at the same time


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One session, as it stood when it was looked at."""

    name: str
    url: str  # without secrets
    standing: SessionStanding
    created: float | None  # seconds since 1970, by the store's clock
    last_at: float | None  # when the last chunk was stored
    chunks: int
    bytes: int
    messages: int | None  # None where the chunks do not tell
    archived_at: float | None = None  # seconds since 1970: when it was folded into an archive; None: it was not


@dataclass(frozen=True, slots=True)
class FoundSession:
    """One session's place, and what it says of itself."""

    name: str
    base: str = field(repr=False)  # for fsspec; may hold a password
    options: LogOptions  # its own, with those of the URL on top
    storage_options: Mapping[str, Any] | None = field(repr=False, default=None)
    descriptor: SessionDescriptor | None = None  # None: not opened by blobpipes

    @property
    def url(self) -> str:
        """Without secrets."""
        return without_secrets(self.base)

    def open_store(self, *, retry: RetryPolicy | None = LOOKING, meter: Meter | None = None) -> Store:
        """A store rooted at the session's prefix."""
        return open_store(self.base, storage_options=self.storage_options, retry=retry, meter=meter)


class SessionCatalog:
    """The sessions under one URL. Holds no connection open; every call asks the store afresh.

    Raises, also from its methods:
        InvalidUrlError, InvalidOptionError, MissingBackendError: the URL cannot be used.
        StoreError: the store refused, or could not be reached.
    """

    def __init__(
        self,
        url: str,
        *,
        storage_options: Mapping[str, Any] | None = None,
        meter: Meter | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        parsed = parse_url(url)
        self._base = parsed.base
        self._given = parsed.options
        parse_options(self._given)  # a wrong one is said now
        self._storage_options = storage_options
        self._clock = clock
        self._store = open_store(url, storage_options=storage_options, retry=LOOKING, meter=meter)

    @property
    def url(self) -> str:
        """Without secrets."""
        return self._store.url

    def summaries(self, limit: int | None = None) -> list[SessionSummary]:
        """The newest sessions first, at most `limit` of them.

        Costs one LIST for all, a GET for each, and one more for each that is open or was ended by a reader.
        """
        found = [_Endings(each) for each in self.footprints()[:limit]]
        self._fetch((ending, ending.last_key()) for ending in found)
        self._fetch((ending, key) for ending in found for key in ending.further_keys())
        return [self._summary(ending) for ending in found]

    def footprints(self) -> list[Footprint]:
        """What the listing tells of every session, the newest first."""
        found = collect_footprints(self._store.list(""))
        return sorted(found, key=lambda each: (each.created or 0.0, each.name), reverse=True)

    def find(self, name: str | None = None) -> FoundSession:
        """The session called `name`; a unique beginning or end of a name will do. Without a name: the session that
        the URL itself is, else the newest under it.

        Raises:
            SessionNotFoundError: there is none, or several begin or end so.
        """
        own = self._look("" if name is None else name.strip("/"))
        if own is not None:
            return own
        names = [each.name for each in self.footprints()]
        matching = names[:1] if name is None else _matching(names, name.strip("/"))
        if len(matching) != 1:
            raise _not_found(name, matching, names, self.url)
        return self._found(matching[0], self._store.get(join_key(matching[0], SESSION_KEY)))

    def store_of(self, name: str) -> Store:
        """A store rooted at the prefix of the session called `name`."""
        return PrefixedStore(self._store, f"{name}/") if name else self._store

    def _look(self, name: str) -> FoundSession | None:
        """The session that is exactly there, by a GET or two."""
        try:
            descriptor = self._store.get(join_key(name, SESSION_KEY))
            if descriptor is None and self._store.get(join_key(name, chunk_key(1))) is None:
                return None
        except ValueError:  # no store has such a key
            return None
        return self._found(name, descriptor)

    def _found(self, name: str, descriptor: bytes | None) -> FoundSession:
        read = _read_descriptor(descriptor)
        options = parse_options(self._given, base=options_of(read))
        shown = name or self.url.rstrip("/").rpartition("/")[2]
        return FoundSession(shown, join(self._base, name), options, self._storage_options, read)

    def _summary(self, ending: _Endings) -> SessionSummary:
        each, note = ending.footprint, ending.note
        standing = ending.standing(self._clock.wall())
        url = join(self.url, each.name)
        return SessionSummary(
            name=each.name or url.rpartition("/")[2],
            url=url,
            standing=standing,
            created=each.created if note is None else note.created,
            last_at=each.last_at if note is None else note.last_at,
            chunks=each.chunks if note is None else note.chunks,
            bytes=each.size + (each.archive_size or 0),
            messages=standing.messages,
            archived_at=None if note is None else each.times.get(1, 0.0),
        )

    def _fetch(self, wanted: Iterable[tuple[_Endings, str | None]]) -> None:
        """Get objects for the sessions, several at once."""
        remaining = iter([(ending, key) for ending, key in wanted if key is not None])
        while group := list(islice(remaining, AT_ONCE)):
            answers = [
                (ending, key, self._store.start_get(join_key(ending.footprint.name, key))) for ending, key in group
            ]
            for ending, key, answer in answers:
                ending.take(key, answer.result())


class _Endings:
    """What was read of one session to tell how it stands."""

    def __init__(self, footprint: Footprint) -> None:
        self.footprint = footprint
        self._chunks: dict[str, AnyChunk] = {}
        self._descriptor: SessionDescriptor | None = None

    def last_key(self) -> str | None:
        """Of the last chunk, if there is one. Beside an archive, the first one tells whether the archive counts."""
        if self.footprint.archive_size is not None and 1 in self.footprint.times:
            return chunk_key(1)
        return chunk_key(self.footprint.last) if self.footprint.last else None

    def further_keys(self) -> Iterator[str]:
        """A reader's seal does not say how the job ended; an open session's descriptor says how often it beats."""
        last = self._chunks.get(chunk_key(self.footprint.last))
        if self.note is not None:
            return
        if last is None and self.footprint.archive_size is not None:  # an archive that is not finished
            yield from (chunk_key(number) for number in (self.footprint.last - 1, self.footprint.last) if number > 1)
        if isinstance(last, NegotiatedChunk) and last.header.has(Flag.READER_SEAL):
            if self.footprint.last > 1:
                yield chunk_key(self.footprint.last - 1)
        elif self.footprint.described and self.standing(0.0).is_open:
            yield SESSION_KEY

    @property
    def note(self) -> ArchiveNote | None:
        """Of the archive that stands for the session's chunks, if one does."""
        first = self._chunks.get(chunk_key(1)) if self.footprint.archive_size is not None else None
        return first.header.archive if isinstance(first, NegotiatedChunk) and first.header.has(Flag.TOMB) else None

    def take(self, key: str, data: bytes | None) -> None:
        """The object under `key`, or None if it has gone meanwhile."""
        if key == SESSION_KEY:
            self._descriptor = _read_descriptor(data)
        elif data is not None:
            self._chunks[key] = parse_chunk(data)

    def standing(self, now: float) -> SessionStanding:
        """How the session stands, `now` in seconds since 1970."""
        if self.note is not None:
            return standing_in_archive(self.note)
        number, last_at = self.footprint.last, self.footprint.last_at
        return standing_of(
            self._chunks.get(chunk_key(number)),
            self._chunks.get(chunk_key(number - 1)),
            age=None if last_at is None else max(0.0, now - last_at),
            holes=self.footprint.holes,
            options=options_of(self._descriptor),
        )


def options_of(descriptor: SessionDescriptor | None) -> LogOptions:
    """The session's own options; what a newer version added or allows is left out."""
    known = {each.name for each in fields(LogOptions)}
    said = {name: value for name, value in (descriptor.options if descriptor else {}).items() if name in known}
    try:
        return parse_options(said)
    except BlobpipesError:
        return LogOptions()


def _read_descriptor(data: bytes | None) -> SessionDescriptor | None:
    try:
        return None if data is None else decode_descriptor(data)
    except MalformedMessageError:  # the log itself can be read all the same
        return None


def _matching(names: Sequence[str], part: str) -> list[str]:
    return [name for name in names if part and (name.startswith(part) or name.endswith(part))]


def _not_found(name: str | None, matching: Sequence[str], names: Sequence[str], url: str) -> SessionNotFoundError:
    if not names:
        return SessionNotFoundError(f"there is no session under {url}")
    if not matching:
        remedy = f"The newest are: {', '.join(names[:3])}."
        return SessionNotFoundError(f"there is no session {name!r} under {url}", remedy=remedy)
    shown = ", ".join(matching[:3]) + (", ..." if len(matching) > 3 else "")
    remedy = f"Give more of its name: {shown}."
    return SessionNotFoundError(f"{len(matching)} sessions under {url} match {name!r}", remedy=remedy)
