"""What can go wrong, and what the reader of the traceback can do next.

Programs match on the class, never on the text. A class exists only where somebody handles it
differently from its siblings; every class has a remedy, which a raiser may replace by a better one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BlobpipesError(Exception):
    """Base of all our errors. `remedy` is what the reader of the traceback can do next."""

    remedy = "Please report this, with the log at DEBUG level."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if remedy is not None:
            self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}"


# --- configuration: raised at construction, before anything is launched or paid for -----------------


class InvalidUrlError(BlobpipesError, ValueError):
    """The storage URL cannot be understood: no scheme, unknown scheme, no bucket."""

    remedy = "Give a storage URL such as s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///dir."


class InvalidOptionError(BlobpipesError, ValueError):
    """An option in the URL, the environment or a keyword argument is unknown or has a bad value."""

    remedy = "See docs/guide/url.md for the options and their units."


class MissingBackendError(BlobpipesError, ImportError):
    """The file system for the URL's scheme is not installed."""

    remedy = "Install the package that provides this scheme."


# --- storage: absent is an answer (None); refused and unreachable are two errors --------------------


class StoreError(BlobpipesError):
    """The store did not do what was asked. `reason` is the backend's own word for it, for counting and showing."""

    remedy = "See the cause above."

    def __init__(self, message: str, *, reason: str = "", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason  # one word, such as SlowDown, conflict, timeout, AccessDenied; "" if unknown


class StoreUnavailableError(StoreError):
    """The store failed in a way that may pass. The only error that is retried.

    After a failed put, the object may or may not have been stored.
    """

    remedy = "Check the network and the provider's status page, then try again."


class StoreDeniedError(StoreError):
    """The store refused the credentials or the permission. Nothing was stored."""

    remedy = "Check the credentials in this process's environment and the permissions on the prefix."


class StorePlaceMissingError(StoreError):
    """The bucket or container itself does not exist. Nothing was stored."""

    remedy = "Create the bucket or container first, or correct the URL."


# --- the wire protocol ------------------------------------------------------------------------------


class DagsterPipesError(BlobpipesError):
    """The pipes API was used against its rules, or the other side sent something that breaks them."""

    remedy = "Correct the call; docs/guide/external.md shows each one."


class MalformedMessageError(DagsterPipesError):
    """One message breaks the protocol. It is reported and skipped; what follows is not affected."""

    remedy = "Correct the program that writes the message; docs/protocol.md lists every method."


class UnserializableError(DagsterPipesError, TypeError):
    """A value cannot become JSON. Raised in the caller's frame; no message was written."""

    remedy = "Convert the value to a JSON type before reporting it."


class MessageTooLargeError(DagsterPipesError, ValueError):
    """One message is larger than any store takes in one request. It was not accepted."""

    remedy = "Write the data to the store as an object of its own and report its URL."


class DagsterPipesWarning(Warning):
    """Something works, but not as the caller may think. Warned once per process and cause."""


# --- the writing side of the chunk log --------------------------------------------------------------


class WriterError(BlobpipesError):
    """This process can no longer add to its log."""


class UndeliveredError(WriterError):
    """`close` gave up: messages were accepted which the store has not confirmed."""

    remedy = "Check that the store is reachable and the credentials are valid, or raise `close_timeout`."

    def __init__(self, message: str, *, count: int, spool: Path | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.count = count  # accepted messages that the store has not confirmed
        self.spool = spool  # where they are kept on local disk, if they are


class FencedError(WriterError):
    """Another process has taken over this log, or its reader has ended it."""

    remedy = "Stop this process: what it does from here on is seen by nobody."


class ForkedError(WriterError):
    """A forked child used the context of its parent, whose log it cannot write to."""

    remedy = (
        "Report from the parent process, or start the child with the `spawn` method and hand it what it needs; "
        "its printed output is captured all the same where the session asks for that."
    )


class LogSealedError(WriterError):
    """The log had already ended when this process tried to open it."""

    remedy = "Start a new session; an ended one cannot be continued."


# --- the reading side -------------------------------------------------------------------------------


class SessionExistsError(BlobpipesError, ValueError):
    """A session was to be opened under a name that another session has."""

    remedy = "Choose another name, or leave it out to get a new one; `blobpipes show` reads the old session."


class IncompleteError(BlobpipesError):
    """The session ended without proof that every message arrived. `report` says what is known."""

    remedy = "Look at the job's own output, or pass on_incomplete='warn' to go on with what arrived."

    def __init__(self, message: str, *, report: object = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.report = report


class NeverOpenedError(IncompleteError):
    """The process ended, and not one message of it ever came."""

    remedy = (
        "Check that the program calls open_dagster_pipes(), that it got the bootstrap variables, "
        "and that both sides can reach the storage URL."
    )


class SessionNotFoundError(BlobpipesError, LookupError):
    """No session of this name is under the URL, or none at all."""

    remedy = "Check the URL; `blobpipes ls URL` shows the sessions under it."


class NotArchivedError(BlobpipesError):
    """A session cannot be folded into an archive as it stands. It was left as it was."""

    remedy = "Archive it once it has ended; `blobpipes show` says how it stands."


class DamagedArchiveError(BlobpipesError):
    """The archive of a session is missing, cut short, or holds something else than the session's objects."""

    remedy = "Restore the object from a backup, or from the bucket's older versions; the small objects are gone."


class JobFailedError(BlobpipesError):
    """The external process ended with a failure. `cause` is what ended it, as in `blobpipes.clients.place.Cause`."""

    remedy = "Read the job's log and exception above."

    def __init__(
        self, message: str, *, exit_code: int | None = None, cause: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code
        self.cause = cause
        self.report: object = None  # the session's report, once it has ended


class LaunchError(BlobpipesError):
    """The external process could not be started at all."""

    remedy = "Correct the command, its working directory or its permissions."


# --- places that run jobs: the same three answers as a store's, and nothing is left running unless one says so ----


class PlaceError(LaunchError):
    """The place that is to run the job did not do what was asked. `reason` is its own word for it."""

    remedy = "See the cause above."

    def __init__(self, message: str, *, reason: str = "", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason  # one word or phrase, such as Throttling, QOSMaxSubmitJobLimit; "" if unknown


class PlaceUnavailableError(PlaceError):
    """The place cannot be reached, or is too busy, which may pass. The only one that is retried."""

    remedy = "Check the network and that the machine or service is up, then try again."


class PlaceDeniedError(PlaceError):
    """The place refused the credentials or the permission."""

    remedy = "Check the credentials in this process's environment and what they permit."


class PlaceMissingError(PlaceError):
    """What was named is not there: no such host, queue, partition, region, image or tool."""

    remedy = "Correct the name, or create it first."


class PlaceFullError(PlaceError):
    """The place has no room: a full disk, a quota."""

    remedy = "Free some of it or raise the limit, then try again."


class JobStillRunningError(BlobpipesError):
    """The job was told to end, and it is not known that it did. It may still cost money."""

    remedy = "Look at the place itself, and end the job there."
