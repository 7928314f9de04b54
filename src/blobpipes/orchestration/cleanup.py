"""Removing what a session left in the store, without freeing names that somebody may still write to.

The first chunk of each log is overwritten by a tombstone, which says how far every stream was delivered; the other
chunks go. A process that is still about to close finds the tombstone and knows whether its messages arrived; one
that starts again finds it and is refused. The descriptor stays, so that the session keeps its name in listings,
until `collect` removes both by age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from blobpipes.chunklog.archive_note import ArchiveNote
from blobpipes.chunklog.header import ChunkHeader, Flag, LegacyChunk, encode_chunk, flags, merge_marks, parse_chunk
from blobpipes.chunklog.layout import (
    ARCHIVE_KEY,
    SESSION_KEY,
    chunk_key,
    chunk_number,
    decode_descriptor,
    is_our_key,
    lane_and_number,
    lane_names,
    lane_prefix,
)
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import InvalidOptionError, MalformedMessageError
from blobpipes.orchestration.catalog import SessionCatalog, SessionSummary
from blobpipes.storage.prefixed import PrefixedStore
from blobpipes.storage.store import Store

Action = Literal["emptied", "removed"]

YOUNGEST: Final = 3600.0  # seconds: what is younger may be running, whatever it looks like
DEFAULT_AGE: Final = 7 * 86_400.0  # as a bucket's lifecycle rule should have it, at the least


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of one old session, or would."""

    name: str
    url: str
    state: str  # before: complete, failed, truncated, silent, ...
    action: Action
    age: float  # seconds since its last chunk
    objects: int  # how many go
    bytes: int


def is_owned_by(store: Store, owner: str) -> bool:
    """Whether this attempt is the newest orchestration process of the session in `store`."""
    data = store.get(SESSION_KEY)
    try:
        return data is not None and decode_descriptor(data).owner == owner
    except MalformedMessageError:
        return False


def bury(store: Store, archive: ArchiveNote | None = None) -> int:
    """Leave a tombstone of every log of the session in `store`; how many objects went.

    Each log's tombstone is there before the first of its chunks goes. With `archive` the session's own tombstone
    names it, and is there before anything else changes: at that moment the archive takes the chunks' place.
    """
    keys = [info.key for info in store.list("")]
    removed = _bury_log(store, _numbers(keys, ""), archive)  # also where there is none: a job may still come
    for lane in sorted(lane_names(keys) - {"0"}):
        prefix = lane_prefix(lane)
        removed += _bury_log(PrefixedStore(store, prefix), _numbers(keys, prefix), None)
    kept = (SESSION_KEY, ARCHIVE_KEY) if archive is not None else (SESSION_KEY,)
    for key in keys:
        if key.startswith("_bp/") and key not in kept:
            store.delete(key)
            removed += 1
    return removed


def collect(
    url: str,
    *,
    older_than: float = DEFAULT_AGE,
    dry_run: bool = False,
    storage_options: Mapping[str, object] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Collected]:
    """Clean up the sessions under `url` whose last chunk is older than `older_than` seconds; one by one, as they go.

    A session is emptied first (see `bury`), and removed by a later collection that finds it as old again: until then
    a process that wakes up late is told that its session is over. One that was archived so long ago is removed at once:
    its tombstone has stood since. Other objects under a session's prefix are left alone.

    Raises:
        InvalidOptionError: `older_than` is so short that running sessions would be hit.
        StoreError: the store refused, or could not be reached. What was said to be done is done.
    """
    if older_than < YOUNGEST:
        raise InvalidOptionError(
            f"sessions younger than {YOUNGEST:.0f} s are not collected", remedy="Give a longer age, such as 7d."
        )
    catalog = SessionCatalog(url, storage_options=storage_options, clock=clock)
    now = clock.wall()
    for summary in catalog.summaries():
        newest = _newest(summary)
        if newest and now - newest >= older_than:
            yield _collect_one(catalog, summary, now, older_than, dry_run)


def _collect_one(
    catalog: SessionCatalog, summary: SessionSummary, now: float, older_than: float, dry_run: bool
) -> Collected:
    store = catalog.store_of(summary.name)
    objects = [info for info in store.list("") if is_our_key(info.key)]  # what lies beside them is not ours to remove
    archived = summary.archived_at is not None and now - summary.archived_at >= older_than
    buried = summary.standing.state == "cleaned" or archived  # a tombstone has stood for long enough
    going = objects if buried else [info for info in objects if not _stays(info.key)]
    if not dry_run and buried:
        for info in sorted(objects, key=lambda info: info.key == SESSION_KEY):  # the descriptor last: it names the rest
            store.delete(info.key)
    elif not dry_run:
        bury(store)
    action: Action = "removed" if buried else "emptied"
    size = sum(info.size for info in going)
    return Collected(
        summary.name, summary.url, summary.standing.state, action, now - _newest(summary), len(going), size
    )


def _newest(summary: SessionSummary) -> float:
    """When something came last, in seconds since 1970; 0 where nobody knows."""
    return max(summary.last_at or 0.0, summary.created or 0.0)


def _stays(key: str) -> bool:
    """What a burial leaves: the descriptor, and a tombstone in the first slot of each log."""
    found = lane_and_number(key)
    return key == SESSION_KEY or (found is not None and found[1] == 1)


def _numbers(keys: Sequence[str], prefix: str) -> list[int]:
    """Of the chunks of one log, in order."""
    own = (key.removeprefix(prefix) for key in keys if key.startswith(prefix))
    return sorted(number for key in own if (number := chunk_number(key)) is not None)


def _bury_log(log: Store, numbers: list[int], archive: ArchiveNote | None) -> int:
    last = log.get(chunk_key(numbers[-1])) if numbers else None
    log.put(chunk_key(1), _tombstone(last, archive))
    for number in numbers:
        if number != 1:
            log.delete(chunk_key(number))
    return len(numbers) - (1 if 1 in numbers else 0)


def _tombstone(last: bytes | None, archive: ArchiveNote | None) -> bytes:
    """What stands in slot 1 after the log whose last chunk was `last`."""
    chunk = parse_chunk(last) if last is not None else None
    header = chunk.marks if isinstance(chunk, LegacyChunk) else chunk.header if chunk is not None else None
    tomb = ChunkHeader(
        stream="tomb",
        epoch=(header.epoch if header else 0) + 1,
        number=1,
        first=1,
        count=0,
        elapsed=0.0,
        next_within=0.0,
        high_water=merge_marks(header.high_water) if header else {},
        flags=flags(Flag.TOMB, Flag.END),
        archive=archive,
    )
    return encode_chunk(tomb, [])
