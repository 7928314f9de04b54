"""Shells with one bug each, planted on purpose: a search that finds none of them proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from blobpipes.chunklog import writer as writer_module
from blobpipes.chunklog.layout import chunk_key
from blobpipes.chunklog.reader import LogReader, Stepped
from blobpipes.chunklog.reader_types import ReaderAction
from blobpipes.chunklog.writer import ChunkWriter
from blobpipes.chunklog.writer_core import Request, State, Verb
from blobpipes.errors import DagsterPipesError, StoreError
from blobpipes.orchestration.poller import Poller
from tests.simulation.parts import Parts

# --- the writer ---------------------------------------------------------------------------------------


class WakesNoUploader(ChunkWriter):
    """A message is taken, and nobody is told."""

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        with self._changed:
            _may_write(self)
            self._core.accept(line, self._clock.monotonic(), urgent=urgent)


class TellsNobody(ChunkWriter):
    """The store has answered, and who waits for it is not woken."""

    def _run(self) -> None:
        while (request := self._next_request()) is not None:
            answer = self._ask(request)
            with self._changed:
                if not self._core.is_over:
                    answer(self._clock.monotonic())


class AnswersFlushEarly(ChunkWriter):
    def flush(self, timeout: float | None = None) -> bool:
        super().flush(0.0)
        return True


class TakesSilenceForStored(ChunkWriter):
    """A put without an answer is taken for done."""

    def _failed(self, error: StoreError) -> Callable[[float], None]:
        tell = super()._failed(error)
        return self._core.on_stored if self._core.state is State.OPEN else tell


class DoesNotAwait(ChunkWriter):
    """Chunks go out side by side, so that the later may be stored first."""

    def _ask(self, request: Request) -> Callable[[float], None]:
        if request.verb is not Verb.PUT or self._core.state is not State.OPEN:
            return super()._ask(request)

        def put() -> None:
            self._store.put_if_absent(chunk_key(request.number), request.data)

        writer_module.threading.Thread(target=put, name="another", daemon=True).start()
        return self._core.on_stored


class ClosesAnyway(ChunkWriter):
    """Out of time, it says that all is well."""

    def _give_up(self, reason: str) -> None:
        self._core.state = State.CLOSED


class StaysForEver(ChunkWriter):
    """The uploader does not end with the log."""

    def _next_request(self) -> Request | None:
        request = super()._next_request()
        with self._changed:
            while request is None:
                self._changed.wait()
        return request


class TakesNoLock(ChunkWriter):
    """Two threads that write at once, or one and the uploader, are in each other's way."""

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        with self._changed:
            _may_write(self)
        self._core.accept(line, self._clock.monotonic(), urgent=urgent)
        with self._changed:
            self._changed.notify_all()


def _may_write(writer: ChunkWriter) -> None:
    writer._raise_failure()
    if writer._closing:
        raise DagsterPipesError("a message came after `closed`")


# --- the reader and the poller ------------------------------------------------------------------------


class TellsNoScheduler(LogReader):
    """An answer has come, and nobody steps the reader for it."""

    def _tell(self, event: Callable[[float], list[ReaderAction]]) -> None:
        self._inbox.put(event)


class EndsBeforeItHasDelivered(LogReader):
    """Who waits for the end may go on while the handler still works."""

    def _perform(self, actions: Any) -> None:
        super()._perform(sorted(actions, key=lambda action: type(action).__name__ != "Finish"))


class ForgetsWhoWasWoken(Poller):
    """A task that is woken while it is stepped is not stepped again."""

    def _step(self, task: Stepped) -> None:
        again = task.step()
        with self._changed:
            self._running.discard(task)
            self._woken.discard(task)
        if again is not None:
            self._at(again, task)


class StepsTwiceAtOnce(Poller):
    """A task that is being stepped may be given to another worker."""

    def _next_task(self) -> Stepped:
        task = super()._next_task()
        self._running.discard(task)
        return task


class TakesTheLastTimer(Poller):
    """An earlier moment does not take the place of a later one."""

    def _at(self, moment: float, task: Stepped) -> None:
        with self._changed:
            if task in self._planned:
                return
        super()._at(moment, task)


BROKEN: Final[Mapping[str, Parts]] = {
    kind.__name__: parts
    for kind, parts in (
        *((kind, Parts(writer=kind)) for kind in (
            WakesNoUploader, TellsNobody, AnswersFlushEarly, TakesSilenceForStored, DoesNotAwait, ClosesAnyway,
            StaysForEver, TakesNoLock,
        )),
        *((kind, Parts(reader=kind)) for kind in (TellsNoScheduler, EndsBeforeItHasDelivered)),
        *((kind, Parts(poller=kind)) for kind in (ForgetsWhoWasWoken, StepsTwiceAtOnce, TakesTheLastTimer)),
    )
}  # fmt: skip
