"""Messages from the chunk log in a store: by a URL, or by the hooks that a subclass writes."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from blobpipes.chunklog.compressing import ZSTD, codecs_here
from blobpipes.chunklog.layout import SESSION_KEY, SessionDescriptor, chunk_key, decode_descriptor, lane_prefix
from blobpipes.chunklog.options import changed_options, parse_options
from blobpipes.chunklog.reader import LogReader
from blobpipes.chunklog.reader_types import Delivered, Problem, ReaderSettings
from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.cost.prices import UNKNOWN
from blobpipes.errors import DagsterPipesError, InvalidOptionError, InvalidUrlError, SessionExistsError
from blobpipes.orchestration.archive import fold
from blobpipes.orchestration.archived_store import ArchivedStore, open_archive
from blobpipes.orchestration.cleanup import bury, is_owned_by
from blobpipes.orchestration.handler import PipesMessageHandler
from blobpipes.orchestration.hook_store import HookStore
from blobpipes.orchestration.lanes import checked_lanes, reading_fixed, reading_found
from blobpipes.orchestration.log_readers import PipesLogReader
from blobpipes.orchestration.poller import shared_poller
from blobpipes.orchestration.reading import Watched, followed
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.safe_options import checked_hints
from blobpipes.orchestration.session_place import OPENING, SessionPlace, parse_storage
from blobpipes.orchestration.threaded_reader import LogReaderHolder
from blobpipes.storage.capabilities import Capabilities, probe
from blobpipes.storage.metered import Meter
from blobpipes.storage.prefixed import PrefixedStore
from blobpipes.storage.store import Store
from blobpipes.wire.params import PipesParams

Cleanup = Literal["keep", "archive", "delete"]

_KNOWN: Final[dict[str, Capabilities]] = {}  # by storage: asked once per process, because two puts are not free
_WEAK: Final = (
    "This store cannot create an object only where there is none, so a second process that writes to the same "
    "session may go unnoticed."
)


class PipesBlobStoreMessageReader(LogReaderHolder):
    """Reads numbered chunks from a store, under a new prefix for each session.

    Complete with a URL. Without one it is the base for stores that no URL names: a subclass writes
    `get_params` and `download_messages_chunk`.

    Args:
        url: under which sessions live.
        interval: seconds, or text with a unit: the longest pause between two looks, and how often the job
            puts a chunk. By default the URL's, else 10.
        include_stdio_in_messages: ask the job to send its output, too.
        log_readers: logs to copy beside the messages.
        session: the session's name under the URL, for a reader that is used once.
        storage_options: for the file system; never passed on to the job.
        pass_storage_options: what of it the job shall have too (endpoint, region); no credentials.
        lanes: how many processes write, each to a log of its own (array index or rank), or "auto" to take
            whoever comes. By default one process writes.
        restarts: how many times a process that failed may be followed by another that continues its log.
        attach: read the session called `session` that an earlier process has opened, from its first message.
        cleanup: once everything has arrived and the job has succeeded, "archive" folds the session into one
            compressed object that every reader reads like the original, "delete" leaves only tombstones.
        options: of the URL, and stronger than those.
    """

    def __init__(
        self,
        url: str | None = None,
        interval: float | str | None = None,
        include_stdio_in_messages: bool = False,
        log_readers: Sequence[PipesLogReader] | None = None,
        *,
        session: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        pass_storage_options: Mapping[str, Any] | None = None,
        lanes: int | str | None = None,
        restarts: int = 0,
        attach: bool = False,
        cleanup: Cleanup = "keep",
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        super().__init__(log_readers)
        options = {**options, "interval": interval}
        self._storage = parse_storage(url, storage_options, options) if url else None
        self._options = self._storage.options if self._storage else parse_options(options)
        self._include_stdio = include_stdio_in_messages
        self._session = session
        self._hints = checked_hints(pass_storage_options)
        self._lanes = checked_lanes(lanes)
        self._attach = attach
        self._cleanup = cleanup
        if cleanup not in get_args(Cleanup):
            raise InvalidOptionError(f"cleanup={cleanup!r}", remedy="One of 'keep', 'archive' and 'delete'.")
        if self._options.compression == ZSTD and ZSTD not in codecs_here():
            raise InvalidOptionError(
                "compression=zstd: this Python cannot read it",
                remedy="Use Python 3.14, install backports.zstd, or give compression=gzip.",
            )
        if attach and session is None:
            raise InvalidOptionError("attach needs the name of the session", remedy="Pass session=.")
        self._restarts = restarts
        self._clock = clock
        if self._storage is not None:
            self._storage.session(session)  # a name that cannot be one is refused here
        elif not self._has_hook():
            raise InvalidUrlError("PipesBlobStoreMessageReader has no URL to read from")

    # --- hooks ----------------------------------------------------------------------------------------

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        """Hook: the params by which the job finds where to write, new ones for each session."""
        if self._storage is None:
            raise DagsterPipesError(
                f"{type(self).__name__} has neither a URL nor get_params", remedy="Write get_params, or pass a URL."
            )
        place = self._storage.session(self._session)
        ours: dict[str, Any] = {"v": 1, "url": place.url, "sid": place.name, "restarts": self._restarts}
        if self._lanes is not None:
            ours["lanes"] = self._lanes
        if not self._has_hook():  # which answers with text
            ours["z"] = list(codecs_here())
        yield {
            **place.official_params("key_prefix"),
            "include_stdio_in_messages": self._include_stdio,
            "blobpipes": {**ours, "options": changed_options(self._options), **self._hints},
        }

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """Hook: the text of chunk `index` (from 1), or None while it is not there. Raise for everything else."""
        raise NotImplementedError("with a URL, chunks are read without this hook")

    # --- reading --------------------------------------------------------------------------------------

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Read until the block ends, and then until the end of the log is proved.

        Raises:
            StoreError: the store refused, or could not be reached, before anything was launched.
            SessionExistsError: the name is taken.
        """
        handler.inbox.may_restart |= self._restarts > 0
        with self.get_params() as params:
            log = self._hooked(params, handler) if self._has_hook() else self._prepared(params, handler)
            handler.inbox.metered_by(log.meter)
            handler.inbox.price_key = UNKNOWN if self._storage is None or self._has_hook() else self._storage.price_key
            if self._cleanup != "keep":
                handler.inbox.after_success(lambda: _clean_up(log, self._cleanup))
            with self.reading_logs(log.params, handler), self._reading_all(log, handler):
                yield log.params

    @property
    def expected_writer_count(self) -> int:
        """One for each lane that was announced."""
        return self._lanes if isinstance(self._lanes, int) else 1

    def _reading_all(self, log: _Log, handler: PipesMessageHandler) -> AbstractContextManager[None]:
        """The one log, or the lanes."""

        def read_lane(name: str, number: int) -> AbstractContextManager[None]:
            return _reading(log.lane(name), handler.child(self, number), self._clock)

        if self._lanes is None:
            return _reading(log, handler, self._clock)
        if isinstance(self._lanes, int):
            return reading_fixed(self._lanes, handler, read_lane)
        return reading_found(
            log.store,
            handler,
            read_lane,
            scheduler=shared_poller(),
            clock=self._clock,
            pause=self._options.interval,
        )

    def no_messages_debug_text(self) -> str:
        """Which store, or which hook."""
        if self._storage is None:
            return f"Attempted to read message chunks by {type(self).__name__}.download_messages_chunk."
        return f"Attempted to read message chunks from the store {self._storage.shown}."

    def _has_hook(self) -> bool:
        return type(self).download_messages_chunk is not PipesBlobStoreMessageReader.download_messages_chunk

    def _hooked(self, params: PipesParams, handler: PipesMessageHandler) -> _Log:
        def download(index: int) -> str | None:
            return self.download_messages_chunk(index, {**params, **handler.inbox.launched})

        store = HookStore(download, type(self).__name__)
        return _Log(params, store, Meter(), ReaderSettings(self._options, may_seal=False))

    def _prepared(self, params: PipesParams, handler: PipesMessageHandler) -> _Log:
        """The log at its place, once the store has shown what it can do."""
        assert self._storage is not None
        ours = params["blobpipes"]
        place = self._storage.session(ours["sid"])
        owner, meter = secrets.token_hex(8), Meter()
        found, is_news = self._preflight(place, self._descriptor(place, handler.context, owner), meter)
        if is_news and not found.atomic_create:
            handler.say(logging.WARNING, f"{place.storage.shown}: single-writer guarantees only. {_WEAK}")
        settings = ReaderSettings(
            self._options,
            owner=owner,
            may_seal=found.atomic_create,
            restarts=self._restarts,
            denied_is_absent=found.hides_absence,
        )
        told = {**params, "blobpipes": {**ours, "create": found.atomic_create}}
        archived = open_archive(place.open_store(retry=OPENING, meter=meter)) if self._attach else None
        return _Log(told, archived or place.open_store(retry=None, meter=meter), meter, settings)

    def _preflight(self, place: SessionPlace, descriptor: SessionDescriptor, meter: Meter) -> tuple[Capabilities, bool]:
        """What the store can do, and whether that was unknown before.

        Refused credentials, a missing bucket, a name that is taken: all of that is found here.
        """
        store = place.open_store(retry=OPENING, meter=meter)
        existing = store.get(SESSION_KEY) if self._session is not None else None
        if existing is not None:
            return self._take_over(place, existing, descriptor, store)
        if self._session is not None and not self._attach and store.get(chunk_key(1)) is not None:
            raise SessionExistsError(f"{place.url} holds chunks already, though no session of ours")
        known = _KNOWN.get(place.storage.identity)
        if known is None:
            found = probe(store, SESSION_KEY, descriptor.encode(), chunk_key(1))
            _KNOWN[place.storage.identity] = found
            return found, True
        if not store.put_if_absent(SESSION_KEY, descriptor.encode()):
            raise SessionExistsError(f"the session {place.url} already exists")
        return known, False

    def _take_over(
        self, place: SessionPlace, existing: bytes, descriptor: SessionDescriptor, store: Store
    ) -> tuple[Capabilities, bool]:
        """An earlier orchestration process has opened this session: from here on we are its owner."""
        if not self._attach:
            raise SessionExistsError(f"the session {place.url} already exists")
        created = decode_descriptor(existing).created
        store.put(SESSION_KEY, replace(descriptor, created=created).encode())
        known = _KNOWN.get(place.storage.identity)
        if known is not None:
            return known, False
        trial = f"_bp/{descriptor.owner}.json"
        _KNOWN[place.storage.identity] = found = probe(store, trial, b"{}", f"_bp/{descriptor.owner}.absent")
        store.delete(trial)
        return found, True

    def _descriptor(self, place: SessionPlace, context: RunContext, owner: str) -> SessionDescriptor:
        return SessionDescriptor(
            name=place.name,
            created=self._clock.wall(),
            run_id=context.run_id,
            job_name=context.job_name,
            partition_key=context.partition_key,
            owner=owner,
            options=changed_options(self._options),
        )


@dataclass(frozen=True, slots=True)
class _Log:
    """One session's log, ready to be read."""

    params: PipesParams
    store: Store
    meter: Meter
    settings: ReaderSettings

    def lane(self, name: str) -> _Log:
        """The log of one lane."""
        prefix = lane_prefix(name)
        return replace(self, store=PrefixedStore(self.store, prefix) if prefix else self.store)


@contextmanager
def _reading(log: _Log, handler: PipesMessageHandler, clock: Clock) -> Iterator[None]:
    reader = LogReader(
        log.store,
        scheduler=Watched(shared_poller(), is_ended=lambda: reader.is_ended, on_end=handler.inbox.reading_ended),
        deliver=_deliver_to(handler),
        report=_report_to(handler),
        settings=log.settings,
        clock=clock,
    )
    with followed(reader, handler.inbox):
        yield
    end = reader.wait()
    if end is not None:
        handler.inbox.log_ended(handler.writer, end)


def _clean_up(log: _Log, how: Cleanup) -> None:
    """Clean up, unless a newer orchestration process has taken the session over."""
    if isinstance(log.store, ArchivedStore) or not is_owned_by(log.store, log.settings.owner):
        return
    if how == "archive":
        fold(log.store)
    else:
        bury(log.store)


def _deliver_to(handler: PipesMessageHandler) -> Callable[[Sequence[Delivered]], None]:
    def deliver(messages: Sequence[Delivered]) -> None:
        for message in messages:
            handler.handle_line(message.line, chunk=message.chunk)

    return deliver


def _report_to(handler: PipesMessageHandler) -> Callable[[Problem], None]:
    def report(problem: Problem) -> None:
        handler.report_problem(problem.kind, problem.text, chunk=problem.chunk)

    return report
