"""Fold a finished session into one compressed object: fewer objects, fewer bytes, and every reader reads it as ever.

The order makes a crash harmless. The archive is put and read back first, while the chunks are untouched; it counts
from the moment at which a tombstone that names it takes the place of the first chunk, which is one put; only then are
the chunks removed. Whatever an interrupted run left is finished, or begun anew, by the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from blobpipes.chunklog.archive_note import ArchiveNote
from blobpipes.chunklog.closing import closing_of
from blobpipes.chunklog.header import AnyChunk, CorruptChunk, Flag, NegotiatedChunk, parse_chunk
from blobpipes.chunklog.layout import ARCHIVE_KEY, SESSION_KEY, chunk_key, is_our_key, lane_and_number
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import DamagedArchiveError, InvalidOptionError, NotArchivedError
from blobpipes.orchestration.archive_file import (
    MAX_ARCHIVE,
    MAX_CONTENT,
    MAX_ENTRIES,
    MIB,
    ArchiveBuilder,
    digest_of,
)
from blobpipes.orchestration.archived_store import note_in, open_archive, read_archive
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.orchestration.cleanup import bury
from blobpipes.orchestration.session_state import standing_of
from blobpipes.storage.store import ObjectInfo, Store

DEFAULT_AGE: Final = 86_400.0  # seconds: whoever read it while it ran has read it
AT_ONCE: Final = 16  # gets under way at the same time

_LEAVE_IT: Final = "Leave it as it is; `blobpipes gc` removes it when it is old."

Action = Literal["archived", "finished", "already"]  # finished: what an interrupted run had left


@dataclass(frozen=True, slots=True)
class Folded:
    """What a session took in the store before and takes now, or would."""

    action: Action
    objects_before: int
    bytes_before: int
    objects_after: int
    bytes_after: int | None  # None: a dry run cannot know


@dataclass(frozen=True, slots=True)
class Archived:
    """What became of one session."""

    name: str
    url: str  # without secrets
    state: str  # complete, failed, running, ...
    folded: Folded | None  # None: it was left as it is
    reason: str = ""  # why it was
    remedy: str = ""  # what can be done, if it has ended and could not be folded


def archive(
    url: str,
    *,
    session: str | None = None,
    older_than: float = DEFAULT_AGE,
    dry_run: bool = False,
    storage_options: Mapping[str, object] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Archived]:
    """Fold the sessions under `url` that have ended, and whose last chunk is older than `older_than` seconds; one by
    one, as they are done. Those that cannot be folded are told with the reason. With `session` only that one.

    An orchestration process or a `tail` that is still reading such a session loses its place: hence the age.

    Raises:
        InvalidOptionError: a negative age.
        SessionNotFoundError: there is no such session.
        StoreError: the store refused, or could not be reached. Whatever was under way is whole.
    """
    if not older_than >= 0:
        raise InvalidOptionError("an age is not negative", remedy="Give 0h to archive whatever has ended.")
    catalog = SessionCatalog(url, storage_options=storage_options, clock=clock)
    wanted = None if session is None else catalog.find(session).name
    now = clock.wall()
    for summary in catalog.summaries():
        if wanted is not None and summary.name != wanted:
            continue
        age = now - max(summary.last_at or 0.0, summary.created or 0.0)
        known = summary.name, summary.url, summary.standing.state
        if summary.standing.is_open or summary.standing.state == "cleaned":
            yield Archived(*known, None, summary.standing.detail)
        elif older_than and age < older_than:
            yield Archived(*known, None, f"Its last chunk is younger than {older_than:,.0f} s.")
        else:
            yield _fold_one(catalog.store_of(_name_under(catalog.url, summary.url)), known, dry_run)


def fold(store: Store, *, dry_run: bool = False) -> Folded:
    """Fold the session in `store` into one object, `_bp/archive.tar.gz`; or say what that would take.

    Raises:
        NotArchivedError: it has not ended, is damaged, is too large, or changed while it was read. It is as it was.
        DamagedArchiveError: the store did not keep the archive as it was put; the session is as it was.
    """
    infos = [info for info in store.list("") if is_our_key(info.key)]
    chunks = _in_order(infos)
    if not chunks:
        raise NotArchivedError(f"the session {store.url} has no chunks yet")
    note = note_in(store.get(chunk_key(1)))
    if note is not None:
        return _finish(store, note, infos, dry_run)
    if dry_run:
        _check_size(store, chunks)
        _check_ended(store, chunks, {})
        return Folded("archived", len(infos), _size(infos), _left(chunks), None)
    builder, kept = _pack(store, chunks)
    data = builder.finish()
    if len(data) > MAX_ARCHIVE:
        raise _too_large(store, f"{len(data) // MIB} MiB, compressed")
    note = _note(infos, chunks, kept, digest_of(builder.entries))
    store.put(ARCHIVE_KEY, data)
    _prove(store, note.digest)
    bury(store, note)
    return _folded("archived", store, infos)


def _fold_one(store: Store, known: tuple[str, str, str], dry_run: bool) -> Archived:
    try:
        return Archived(*known, fold(store, dry_run=dry_run))
    except (NotArchivedError, DamagedArchiveError) as error:
        return Archived(*known, None, error.message, error.remedy)


def _name_under(url: str, session_url: str) -> str:
    return session_url.removeprefix(url.rstrip("/")).strip("/")


def _finish(store: Store, note: ArchiveNote, infos: Sequence[ObjectInfo], dry_run: bool) -> Folded:
    """It was archived. What an interrupted run did not remove goes now, if the archive can be read."""
    leftover = [info for info in infos if (found := lane_and_number(info.key)) is not None and found[1] != 1]
    if not leftover:
        return Folded("already", len(infos), _size(infos), len(infos), _size(infos))
    open_archive(store)  # raises if it cannot be read
    if dry_run:
        return Folded("finished", len(infos), _size(infos), len(infos) - len(leftover), _size(infos) - _size(leftover))
    bury(store, note)
    return _folded("finished", store, infos)


def _in_order(infos: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    """The chunks as they will be read: log by log, by their numbers."""
    places = [(place, info) for info in infos if (place := lane_and_number(info.key)) is not None]
    return [info for _, info in sorted(places, key=lambda each: each[0])]


def _pack(store: Store, chunks: Sequence[ObjectInfo]) -> tuple[ArchiveBuilder, dict[str, bytes]]:
    """All chunks in an archive, and the bytes of those that tell how each log ended."""
    _check_size(store, chunks)
    builder, kept = ArchiveBuilder(), {}
    wanted = _ends(chunks)
    remaining = iter(chunks)
    while group := list(islice(remaining, AT_ONCE)):
        answers = [(info, store.start_get(info.key)) for info in group]
        for info, answer in answers:
            data = answer.result()
            if data is None or len(data) != info.size:
                raise NotArchivedError(f"{info.key} of {store.url} changed while it was read", remedy="Try again.")
            if info.key in wanted:
                kept[info.key] = data
            builder.add(info.key, data, info.modified)
        if builder.size > MAX_ARCHIVE:  # no need to read the rest
            raise _too_large(store, f"more than {MAX_ARCHIVE // MIB} MiB, compressed")
    _check_ended(store, chunks, kept)
    return builder, kept


def _ends(chunks: Sequence[ObjectInfo]) -> set[str]:
    """The keys of the last two chunks of each log."""
    logs: dict[str, list[str]] = {}
    for info in chunks:
        place = lane_and_number(info.key)
        assert place is not None
        logs.setdefault(place[0], []).append(info.key)
    return {key for keys in logs.values() for key in keys[-2:]}


def _check_size(store: Store, chunks: Sequence[ObjectInfo]) -> None:
    size = _size(chunks)
    if size > MAX_CONTENT or len(chunks) > MAX_ENTRIES:
        raise _too_large(store, f"{len(chunks):,} chunks of {size // MIB:,} MiB together")


def _too_large(store: Store, text: str) -> NotArchivedError:
    return NotArchivedError(
        f"the session {store.url} is too large for one object: {text}",
        remedy=_LEAVE_IT,
    )


def _check_ended(store: Store, chunks: Sequence[ObjectInfo], kept: Mapping[str, bytes]) -> None:
    """Nothing may be added to any of its logs any more, or the archive might lack it."""
    last_of = {place[0]: info.key for info in chunks if (place := lane_and_number(info.key)) is not None}
    for lane, key in last_of.items():
        last = parse_chunk(kept.get(key) or store.get(key) or b"")
        obstacle = _obstacle(last)
        if obstacle:
            log = store.url if lane == "0" else f"lane {lane} of {store.url}"
            damaged = isinstance(last, CorruptChunk)
            raise NotArchivedError(f"{log} {obstacle}", remedy=_LEAVE_IT if damaged else None)


def _obstacle(last: AnyChunk) -> str:
    """Why a log with this last chunk cannot be archived; nothing if it can."""
    if isinstance(last, CorruptChunk):
        return f"has a last chunk that cannot be read: {last.reason}"
    if isinstance(last, NegotiatedChunk):
        if last.header.has(Flag.TOMB):
            return "was cleaned up: nothing is left to archive"
        return "" if last.header.seals else "has not ended: a process may still write to it"
    closed = any(closing_of(line) for line in last.lines)
    return "" if closed else "has not ended: its writer has not closed it"


def _note(
    infos: Sequence[ObjectInfo], chunks: Sequence[ObjectInfo], kept: Mapping[str, bytes], digest: str
) -> ArchiveNote:
    """What the tombstone will say."""
    own = [info for info in chunks if "/" not in info.key]
    last, before = ([parse_chunk(kept[info.key]) for info in reversed(own[-2:])] + [None, None])[:2]
    holes = int(own[-1].key.removesuffix(".json")) - len(own) if own else 0
    standing = standing_of(last, before, age=None, holes=holes)
    times = [info.modified for info in chunks if info.modified is not None]
    return ArchiveNote(
        digest=digest,
        state=standing.state,
        detail=standing.detail,
        messages=standing.messages,
        chunks=len(chunks),
        bytes=_size(chunks),
        created=next((info.modified for info in infos if info.key == SESSION_KEY), None) or min(times, default=None),
        last_at=max(times, default=None),
    )


def _prove(store: Store, digest: str) -> None:
    """The store gives back an archive from which every chunk can be read, byte for byte."""
    found = read_archive(store)
    if found is None or found.digest != digest:
        raise DamagedArchiveError(
            f"{store.url}/{ARCHIVE_KEY} does not read as it was put",
            remedy="Nothing was removed. Check that nobody else writes there, and try again.",
        )


def _folded(action: Action, store: Store, before: Sequence[ObjectInfo]) -> Folded:
    after = [info for info in store.list("") if is_our_key(info.key)]
    return Folded(action, len(before), _size(before), len(after), _size(after))


def _left(chunks: Sequence[ObjectInfo]) -> int:
    """How many objects stay: descriptor, archive, and a tombstone for each log."""
    logs = {place[0] for info in chunks if (place := lane_and_number(info.key)) is not None} | {"0"}
    return 2 + len(logs)


def _size(infos: Sequence[ObjectInfo]) -> int:
    return sum(info.size for info in infos)
