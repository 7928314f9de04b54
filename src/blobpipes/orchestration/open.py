"""Opens a session, and ends it with a verdict.

Leaving the block means that the external process is gone. Then everything that it wrote is read, however
much that is, the end of its log is proved, and only then does the block return or raise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from blobpipes.clock import SYSTEM_CLOCK, Clock
from blobpipes.errors import InvalidOptionError, InvalidUrlError
from blobpipes.orchestration.blob_store_reader import Cleanup, PipesBlobStoreMessageReader
from blobpipes.orchestration.context_injectors import PipesBlobStoreContextInjector, PipesContextInjector
from blobpipes.orchestration.ending import OnIncomplete, attach_report, checked_policy, clean_up, judge
from blobpipes.orchestration.handler import PipesEvent, PipesMessageHandler
from blobpipes.orchestration.ids import new_id
from blobpipes.orchestration.message_readers import PipesMessageReader
from blobpipes.orchestration.report import build_report
from blobpipes.orchestration.run_context import RunContext
from blobpipes.orchestration.session import PipesSession
from blobpipes.storage.metered import Meter
from blobpipes.wire.context import encode_context

URL_ENV_VAR: Final = "BLOBPIPES_URL"


@contextmanager
def open_pipes_session(
    context: RunContext,
    context_injector: PipesContextInjector | None = None,
    message_reader: PipesMessageReader | None = None,
    *,
    url: str | None = None,
    extras: Mapping[str, Any] | None = None,
    session: str | None = None,
    include_stdio_in_messages: bool = False,
    on_incomplete: OnIncomplete = "raise",
    on_event: Callable[[PipesEvent], None] | None = None,
    attach: bool = False,
    cleanup: Cleanup = "keep",
    storage_options: Mapping[str, Any] | None = None,
    pass_storage_options: Mapping[str, Any] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    **options: Any,
) -> Iterator[PipesSession]:
    """Open both directions of the pipe around one external process.

    Launch the process inside the block, with `session.get_bootstrap_env_vars()`, and wait for it there.
    If the block raises, what was written is still read, then the block's own exception goes on; it has
    the report as its attribute `report`.

    Args:
        context: what is known of the run.
        context_injector, message_reader: how to send the context and to read the messages. What is left
            out goes through the store at `url`, under one prefix.
        url: under which sessions live; by default BLOBPIPES_URL.
        extras: for the job, on top of the run's own.
        session: the name of the session under the URL; by default a new one that sorts by time.
        include_stdio_in_messages: ask the job to send its output, too.
        on_incomplete: whether a session that ended without proof that everything came raises or only warns.
        on_event: sees every message as it comes, in a thread of ours. What it raises is reported; if the
            message was a result, the session counts as incomplete.
        storage_options: for the file system; never passed on to the job.
        pass_storage_options: what of it the job shall have too (endpoint, region); no credentials.
        attach: read a session of that name which an earlier process has opened; everything comes again from
            the first message. Wait with `session.wait_for_close()` for a job that is still running.
        cleanup: once everything has arrived and the job has succeeded, "archive" folds the session into one
            compressed object that every reader reads like the original, and "delete" leaves only a tombstone; a
            session that failed keeps everything. By default "keep".
        options: of the URL (interval, heartbeat, ...), and stronger than those.

    Raises:
        InvalidUrlError, InvalidOptionError, MissingBackendError: nothing was opened or launched.
        StoreError: the store refused, or could not be reached, when the session was to be opened.
        SessionExistsError: the name is taken.
        NeverOpenedError: not one message came; says where each side wrote and looked.
        IncompleteError: messages came, but not provably all.
    """
    checked_policy(on_incomplete)
    if attach and session is None and message_reader is None:
        raise InvalidOptionError("attach needs the name of the session", remedy="Pass session=.")
    if message_reader is not None:
        _refuse(
            "a message_reader",
            include_stdio_in_messages=include_stdio_in_messages or None,
            attach=attach or None,
            cleanup=None if cleanup == "keep" else cleanup,
            **options,
        )
    if context_injector is None or message_reader is None:
        location = _Location(url, session, storage_options, pass_storage_options)
        context_injector = context_injector or location.injector(attach)
        reading = {"attach": attach, "cleanup": cleanup, **options}
        message_reader = message_reader or location.reader(include_stdio_in_messages, reading)
    else:
        _refuse(
            "both a context_injector and a message_reader",
            url=url,
            session=session,
            storage_options=storage_options,
            pass_storage_options=pass_storage_options,
        )
    handler = PipesMessageHandler(context, message_reader, on_event=on_event)
    meter = Meter()
    handler.inbox.metered_by(meter)
    context_injector = context_injector.with_meter(meter)
    data = context.data_with(extras)
    encode_context(data)  # what cannot become JSON is said before anything is stored
    started = clock.monotonic()
    opened: PipesSession | None = None
    failure: BaseException | None = None
    try:
        with ExitStack() as stack:
            # The reader claims the session's name, so it begins first; but the context stays until all is read.
            until_all_is_read = stack.enter_context(ExitStack())
            reader_params = stack.enter_context(handler.handle_messages())
            injector_params = until_all_is_read.enter_context(context_injector.inject_context(data))
            opened = PipesSession(context, data, handler, injector_params, reader_params, clock=clock)
            try:
                yield opened
            except BaseException as error:  # noqa: BLE001 - raised again below, once everything has been read
                failure = error
    except BaseException as error:
        handler.inbox.end()
        if failure is None:
            raise
        handler.report_pipes_framework_exception("ending the session", (type(error), error, error.__traceback__))
    assert opened is not None  # or else something was raised
    report = build_report(
        handler.inbox, session=opened.name, url=opened.url, run_id=context.run_id, duration=clock.monotonic() - started
    )
    if failure is None:
        report = clean_up(report, handler)
    opened.end(report)
    if failure is not None:
        attach_report(report, failure)
        raise failure
    looked = f"{context_injector.no_messages_debug_text()} {message_reader.no_messages_debug_text()}"
    judge(report, handler, looked=looked, on_incomplete=on_incomplete)


class _Location:
    """The one prefix that both halves of a session by URL share."""

    def __init__(
        self,
        url: str | None,
        session: str | None,
        storage_options: Mapping[str, Any] | None,
        pass_storage_options: Mapping[str, Any] | None,
    ) -> None:
        found = url or os.environ.get(URL_ENV_VAR)
        if not found:
            raise InvalidUrlError(
                "the session has no storage URL",
                remedy=f"Pass url=, or set {URL_ENV_VAR}, or pass both a context_injector and a message_reader.",
            )
        self._url = found
        self._common: dict[str, Any] = {
            "session": session or new_id(),
            "storage_options": storage_options,
            "pass_storage_options": pass_storage_options,
        }

    def injector(self, attach: bool) -> PipesContextInjector:
        return PipesBlobStoreContextInjector(self._url, attach=attach, **self._common)

    def reader(self, include_stdio_in_messages: bool, options: Mapping[str, Any]) -> PipesMessageReader:
        return PipesBlobStoreMessageReader(
            self._url, include_stdio_in_messages=include_stdio_in_messages, **self._common, **options
        )


def _refuse(beside: str, **given: Any) -> None:
    """What would be given to nobody must not be given at all."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise InvalidOptionError(
            f"{names[0]} has no effect beside {beside}", remedy=f"Give {names[0]} to those objects themselves."
        )
