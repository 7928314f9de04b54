"""AWS's own Python library: loaded when a job is launched there, with its failures told in the words of places."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from blobpipes.errors import (
    DagsterPipesError,
    PlaceDeniedError,
    PlaceError,
    PlaceFullError,
    PlaceMissingError,
    PlaceUnavailableError,
)

Client: TypeAlias = Any  # boto3 makes its classes when they are asked for

_CREDENTIALS: Final = "Give this process credentials (AWS_PROFILE, a role, or keys), and check what they permit."
_REGION: Final = "Set the region: region=, AWS_REGION, or the profile's."
# Parts of AWS's error codes, the first that fits. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_CODES: Final[tuple[tuple[str, type[PlaceError], str | None], ...]] = (
    ("Throttl", PlaceUnavailableError, "AWS asks for fewer requests a second: try again in a while."),
    ("TooManyRequests", PlaceUnavailableError, "AWS asks for fewer requests a second: try again in a while."),
    ("RequestLimitExceeded", PlaceUnavailableError, "AWS asks for fewer requests a second: try again in a while."),
    ("InternalError", PlaceUnavailableError, None),
    ("InternalFailure", PlaceUnavailableError, None),
    ("ServerException", PlaceUnavailableError, None),
    ("Unavailable", PlaceUnavailableError, None),
    ("AccessDenied", PlaceDeniedError, _CREDENTIALS),
    ("Unauthorized", PlaceDeniedError, _CREDENTIALS),
    ("UnrecognizedClient", PlaceDeniedError, _CREDENTIALS),
    ("InvalidClientTokenId", PlaceDeniedError, _CREDENTIALS),
    ("InvalidSignature", PlaceDeniedError, _CREDENTIALS),
    ("SignatureDoesNotMatch", PlaceDeniedError, _CREDENTIALS),
    ("AuthFailure", PlaceDeniedError, _CREDENTIALS),
    ("Expired", PlaceDeniedError, "The credentials have expired: renew them."),
    ("LimitExceeded", PlaceFullError, "Ask AWS for a higher quota (Service Quotas), or end other machines."),
    ("InsufficientInstanceCapacity", PlaceFullError, "AWS has none free: try another type, zone, or on demand."),
    ("NotFound", PlaceMissingError, None),
    ("Malformed", PlaceMissingError, None),  # an id that can be none
)


class LazyClient:
    """boto3's client of one service, made when it is first asked for, by any thread; or the one that was given.

    Args:
        service: as boto3 calls it, such as "ec2".
        region: by default as the environment says.
        given: a client of the caller's making.
    """

    def __init__(self, service: str, region: str | None, given: Client | None) -> None:
        self._service = service
        self._region = region
        self._client = given
        self._lock = threading.Lock()

    def __call__(self) -> Client:
        """The client.

        Raises:
            DagsterPipesError: boto3 is not installed.
            PlaceError: the region or the profile is not known.
        """
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _make(self) -> Client:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise DagsterPipesError(
                "boto3 is not installed, which launches jobs on AWS", remedy="pip install 'blobpipes[aws]'"
            ) from None
        with aws_failures(self._service):
            # the run loop retries as well, and knows for how long
            quick = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=10, read_timeout=30)
            # a session of its own: the shared one is not made for threads, and remembers credentials
            return boto3.session.Session().client(self._service, region_name=self._region, config=quick)


@contextmanager
def aws_failures(what: str) -> Iterator[None]:
    """Raise what boto3 raises as a `PlaceError` that says what was asked.

    Raises:
        PlaceError: the class says whether the same call may succeed later.
    """
    try:
        yield
    except PlaceError:
        raise
    except Exception as error:
        place_error = as_place_error(what, error)
        if place_error is None:
            raise
        raise place_error from error


def as_place_error(what: str, error: Exception) -> PlaceError | None:
    """In our words; None if it does not come from AWS's library."""
    kind = type(error).__name__
    if not type(error).__module__.startswith(("botocore", "boto3")):
        return None
    if kind == "NoRegionError":
        return PlaceMissingError(f"{what}: no region is known", reason=kind, remedy=_REGION)
    if kind in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"):
        return PlaceDeniedError(f"{what}: {error}", reason=kind, remedy=_CREDENTIALS)
    if kind in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"):
        return PlaceUnavailableError(f"{what}: {error}", reason=kind, remedy=f"Check the network. {_REGION}")
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return PlaceError(f"{what}: {error}", reason=kind)
    return _answered(what, response)


def _answered(what: str, response: dict[str, Any]) -> PlaceError:
    found = response.get("Error", {})
    code, said = str(found.get("Code", "")), str(found.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{what}: {said or code}"
    for part, kind, remedy in _CODES:
        if part in code:
            return kind(text, reason=code, remedy=remedy)
    if status >= 500:
        return PlaceUnavailableError(text, reason=code)
    if "does not exist" in said or "not found" in said.lower():
        return PlaceMissingError(text, reason=code)
    return PlaceError(text, reason=code)
