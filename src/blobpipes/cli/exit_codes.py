"""How a command ends, for programs. The job's own code is passed on, so ours keep out of its way.

The numbers are those of sysexits.h and of shells; docs/cli.md has the table.
"""

from __future__ import annotations

import signal
from typing import Final

from blobpipes.errors import (
    BlobpipesError,
    DamagedArchiveError,
    InvalidOptionError,
    InvalidUrlError,
    JobStillRunningError,
    LaunchError,
    MissingBackendError,
    NotArchivedError,
    PlaceDeniedError,
    PlaceFullError,
    PlaceMissingError,
    PlaceUnavailableError,
    SessionExistsError,
    SessionNotFoundError,
    StoreDeniedError,
    StorePlaceMissingError,
    StoreUnavailableError,
)

OK: Final = 0
FAILED: Final = 1  # the job ended with an exception, though its exit code was 0 or is not known here
USAGE: Final = 64  # EX_USAGE: a wrong argument, URL, option or unit
INCOMPLETE: Final = 65  # EX_DATAERR: messages are or may be missing, though the job exited with 0
NO_SESSION: Final = 66  # EX_NOINPUT: no such session
UNAVAILABLE: Final = 69  # EX_UNAVAILABLE: the store or the place that runs the job cannot be reached, or is full
SOFTWARE: Final = 70  # EX_SOFTWARE: a fault of blobpipes itself
EXISTS: Final = 73  # EX_CANTCREAT: a session of this name is there already
UNDELIVERED: Final = 75  # EX_TEMPFAIL: the program exited with 0, but what it said could not be sent; not archived
REFUSED: Final = 77  # EX_NOPERM: the store or the place refused us, or there is no such bucket
MISSING: Final = 78  # EX_CONFIG: a package is not installed, or the place has no such host, queue or partition
NOT_EXECUTABLE: Final = 126  # as in a shell
NOT_FOUND: Final = 127  # as in a shell
INTERRUPTED: Final = 128 + signal.SIGINT
TERMINATED: Final = 128 + signal.SIGTERM

_BY_ERROR: Final[tuple[tuple[type[BlobpipesError], int], ...]] = (
    (InvalidUrlError, USAGE),
    (InvalidOptionError, USAGE),
    (MissingBackendError, MISSING),
    (PlaceUnavailableError, UNAVAILABLE),
    (PlaceFullError, UNAVAILABLE),
    (JobStillRunningError, UNAVAILABLE),
    (PlaceDeniedError, REFUSED),
    (PlaceMissingError, MISSING),
    (LaunchError, NOT_EXECUTABLE),
    (SessionExistsError, EXISTS),
    (SessionNotFoundError, NO_SESSION),
    (DamagedArchiveError, INCOMPLETE),
    (NotArchivedError, UNDELIVERED),
    (StoreDeniedError, REFUSED),
    (StorePlaceMissingError, REFUSED),
    (StoreUnavailableError, UNAVAILABLE),
)

_BY_VERDICT: Final = {
    "complete": OK,
    "failed": FAILED,
    "truncated": INCOMPLETE,
    "damaged": INCOMPLETE,
    "refused": REFUSED,
    "unreachable": UNAVAILABLE,
}


def of_error(error: BlobpipesError) -> int:
    """The code for an error that ended the command."""
    if isinstance(error, CommandError):
        return error.exit_code
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), SOFTWARE)


def of_verdict(verdict: str) -> int:
    """The code for how a session ended; one that has not ended yet is no fault."""
    return _BY_VERDICT.get(verdict, OK)


class CommandError(BlobpipesError):
    """The command line itself cannot be carried out."""

    def __init__(self, message: str, *, exit_code: int = USAGE, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code
