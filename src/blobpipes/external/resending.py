"""What processes of this machine left on its disk, delivered by a later one.

Three kinds of processes leave something: one whose store could not be reached until it ended, one that was
killed with a journal of its messages, and a supervisor that was killed while its program had more to say.
Nothing is said in their name that they did not say: a stream whose last message is not `closed` stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from blobpipes.chunklog.journal import Journal, is_journal
from blobpipes.chunklog.options import LogOptions
from blobpipes.chunklog.spool import Spool
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.supervisor.default_asset import default_asset
from blobpipes.external.supervisor.message_file import MessageFile
from blobpipes.external.supervisor.place import Mark, RunPlace, is_run_place
from blobpipes.external.supervisor.program import still_runs
from blobpipes.external.supervisor.relay import Relay
from blobpipes.storage.metered import Meter
from blobpipes.storage.open import open_store
from blobpipes.wire.messages import PipesMessage, encode_message

_LIMIT: Final = 1 << 50  # bytes: what is on disk already may stay there while it is delivered
State = Literal["left", "alive", "unreadable"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one process left: messages on disk, and which log they belong to."""

    directory: Path  # its spool; need not exist, if a supervised run left only unread lines
    state: State  # `alive`: its process, or the program that it supervised, still runs
    url: str | None = None  # the log
    messages: int = 0  # in the journal; some of them may be in the log already
    size: int = 0  # bytes of them
    unread: int = 0  # bytes of the messages file that a killed supervisor had not taken
    negotiated: bool = True
    run: Path | None = None  # the folder of that supervised run

    @property
    def path(self) -> Path:
        """The folder that names it."""
        return self.directory if self.run is None or self.directory.exists() else self.run


def leftovers(root: Path) -> list[Leftover]:
    """Everything that is left below `root`, by the folders' names."""
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    runs = [_look_at_run(path) for path in folders if is_run_place(path)]
    of_spool = {each.directory: each for each in runs if each.state != "unreadable"}
    spools = [_look_at_spool(path, of_spool.get(path)) for path in folders if is_journal(path)]
    told = {each.run for each in spools}
    return spools + [each for each in runs if each.run not in told]


def leftover_in(directory: Path) -> Leftover | None:
    """What is left in one folder, a spool's or a supervised run's. None if it is neither."""
    return next((each for each in leftovers(directory.parent) if directory in (each.directory, each.run)), None)


def deliver(leftover: Leftover, *, timeout: float, on_warning: Callable[[str], None] = lambda text: None) -> int:
    """Put what was left into its log, each message once, and remove it here; how many messages it was.

    Raises:
        WriterError: the store cannot be reached for `timeout` seconds, or the log has ended. All stays on disk.
        BlockingIOError: a process has taken the folder meanwhile.
        BlobpipesError: the log's URL cannot be used here.
    """
    with _taken(leftover.run) as place:
        mark = place.marked() if place is not None else Mark(0, 0, 0)
        journaled = _journaled(leftover.directory, mark)
        spool = Spool(leftover.directory, "wal", limit=_LIMIT, on_trouble=on_warning)
        if leftover.messages and spool.left is None:
            raise BlockingIOError(f"{leftover.directory} belongs to a process that runs")
        count = leftover.messages
        if leftover.messages or leftover.unread:
            count = _Delivery(leftover, spool, timeout, on_warning).run(place, journaled)
        if place is not None:
            place.remove()
        return count


class _Delivery:
    """One log's messages on their way."""

    def __init__(self, leftover: Leftover, spool: Spool, timeout: float, on_warning: Callable[[str], None]) -> None:
        assert leftover.url is not None  # it has been looked at
        self._left = spool.left
        meter = Meter()
        self._writer = ChunkWriter(
            open_store(leftover.url, meter=meter),
            options=LogOptions(close_timeout=timeout),
            negotiated=leftover.negotiated,
            on_warning=on_warning,
            spool=spool,
            usage=meter.snapshot,
        )

    def run(self, place: RunPlace | None, journaled: frozenset[bytes]) -> int:
        """Deliver the journal, then what is in no journal yet; how many messages."""
        closing = self._left.closing if self._left is not None else None
        self._writer.resume(closing)
        if place is not None and closing is None:
            self._write_unread(place, journaled)
        self._writer.finish(closing)
        return self._writer.stats.accepted - (self._left.first - 1 if self._left is not None else 0)

    def _write_unread(self, place: RunPlace, journaled: frozenset[bytes]) -> None:
        """The rest of the messages file; not a line that was journaled in the moment of the supervisor's death."""
        mark = place.marked()
        relay = Relay(_Channel(self._writer), default_asset(place.about().get("context") or {}))

        def take(line: bytes, start: int, end: int) -> None:
            message = relay.message_for(line)
            is_known = start == mark.start and message is not None and encode_message(message) in journaled
            if message is not None and not is_known:
                place.mark(start, end, self._writer.stats.accepted)
                relay.send(message)
            place.mark(end, end, self._writer.stats.accepted)

        MessageFile(place.messages, take=take, complain=relay.complain, start=mark.start).read_all()
        if relay.failure is not None:
            raise relay.failure


class _Channel(PipesMessageWriterChannel):
    """The writer as what a relay writes to."""

    def __init__(self, writer: ChunkWriter) -> None:
        self._writer = writer

    def write_message(self, message: PipesMessage) -> None:
        self._writer.write(encode_message(message))


def _journaled(directory: Path, mark: Mark) -> frozenset[bytes]:
    """What the journal took since the last line of the messages file was taken up, if that was not completed."""
    if mark.end == mark.start or not is_journal(directory):
        return frozenset()
    journal = Journal(directory)
    try:
        return frozenset(record.line for record in journal.read(mark.accepted))
    finally:
        journal.close(keep=True)


# --- looking ------------------------------------------------------------------------------------------


def _look_at_run(path: Path) -> Leftover:
    try:
        with _taken(path) as place:
            assert place is not None
            about, unread = place.about(), place.messages.stat().st_size - place.marked().start
    except BlockingIOError:
        return Leftover(path, "alive", run=path)
    except OSError:
        return Leftover(path, "unreadable", run=path)
    url, spool = about.get("url"), about.get("spool")
    if not isinstance(url, str) or not isinstance(spool, str):
        return Leftover(path, "unreadable", run=path)
    state: State = "alive" if still_runs(about.get("group"), about.get("started")) else "left"
    return Leftover(
        path.with_name(spool), state, url, unread=max(0, unread), negotiated=bool(about.get("negotiated")), run=path
    )  # fmt: skip


def _look_at_spool(directory: Path, run: Leftover | None) -> Leftover:
    """A spool, with what a supervised run has to add to it."""
    try:
        journal = Journal(directory)
    except BlockingIOError:
        return Leftover(directory, "alive", run=run.run if run is not None else None)
    except OSError:
        return Leftover(directory, "unreadable")
    try:
        meta, size = journal.meta(), journal.size
        count = sum(1 for _ in journal.read(0))
    finally:
        journal.close(keep=True)
    url = meta.get("url")
    if not isinstance(url, str) or not isinstance(meta.get("stream"), str):
        return Leftover(directory, "unreadable", size=size)
    is_negotiated = bool(meta.get("negotiated"))
    if run is None:
        return Leftover(directory, "left", url, count, size, negotiated=is_negotiated)
    return Leftover(directory, run.state, url, count, size, run.unread, is_negotiated, run.run)


@contextmanager
def _taken(path: Path | None) -> Iterator[RunPlace | None]:
    """A supervised run's folder, for this process alone."""
    if path is None:
        yield None
        return
    place = RunPlace(path)
    try:
        yield place
    finally:
        place.release()
