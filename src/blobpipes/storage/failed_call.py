"""From what a backend raised to the error that the caller gets: classified, worded and without secrets."""

from __future__ import annotations

from typing import NoReturn

from blobpipes.storage.failures import Failure, Kind, as_store_error, classify
from blobpipes.storage.scrub import Scrubber


def failure_of(error: BaseException) -> Failure:
    """What an exception of a verb means once it was no answer to it.

    Of an object "absent" would have been an answer: it is the bucket that is not there.
    """
    failure = classify(error)
    return Failure(Kind.PLACE_MISSING, failure.reason) if failure.kind is Kind.ABSENT else failure


def raise_failure(
    failure: Failure, error: BaseException, what: str, scrub: Scrubber, *, timeout: float | None = None
) -> NoReturn:
    """Raise the store error for `what` (`"put 1.json in s3://b/p"`); its cause is kept if it tells no secret.

    `timeout` is the deadline in seconds that held, where there was one of ours.
    """
    text = scrub.clean(str(error))
    detail = f" ({text})" if text and text != failure.reason else ""
    limit = f" after {timeout:g} s" if timeout is not None and failure.reason == "timeout" else ""
    cause = error if scrub.is_clean(error) else None
    raise as_store_error(failure, f"cannot {what}: {failure.reason}{limit}{detail}") from cause
