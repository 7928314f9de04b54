"""What a backend's exception means: one table, consulted once, at the seam.

Backends agree on little: an expired token is a PermissionError here, a plain OSError there, and a class
of its own elsewhere. What they do carry is a code (the provider's, an HTTP status, an errno) somewhere along
the chain of causes. We collect these words, most telling first, and look each up. Nothing here imports a
backend, and an exception nobody knows is `UNAVAILABLE`: better one retry too many than a lost message.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from blobpipes.errors import StoreDeniedError, StoreError, StorePlaceMissingError, StoreUnavailableError


class Kind(Enum):
    """The answers that callers tell apart."""

    ABSENT = "absent"
    EXISTS = "exists"
    DENIED = "denied"
    PLACE_MISSING = "place missing"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Failure:
    """One classified exception."""

    kind: Kind
    reason: str  # the word that decided: a provider's code, HTTP-503, an errno's name or the class name
    remedy: str | None = None  # better than the error class's own, where we know one


def classify(error: BaseException) -> Failure:
    """The meaning of an exception raised by any fsspec file system or by the operating system."""
    words = list(dict.fromkeys(_words(error)))
    for word in words:
        kind = _KINDS.get(word)
        if kind is not None:
            return Failure(kind, _REASONS.get(word, word), _REMEDIES.get(word))
    return Failure(Kind.UNAVAILABLE, words[0])


def as_store_error(failure: Failure, message: str) -> StoreError:
    """The error to raise for a failure that is no answer to the verb.

    "Absent" and "exists" come here only when they mean something else than the object: a file where a directory
    should be. Trying again does not help with those.
    """
    remedy = failure.remedy
    if failure.kind is Kind.UNAVAILABLE:
        return StoreUnavailableError(message, reason=failure.reason, remedy=remedy)
    if failure.kind is Kind.PLACE_MISSING:
        return StorePlaceMissingError(message, reason=failure.reason, remedy=remedy)
    return StoreDeniedError(message, reason=failure.reason, remedy=remedy)


# --- the words that an exception carries ------------------------------------------------------------


def _words(error: BaseException) -> Iterator[str]:
    """Codes along the chain first, then statuses, then errnos and class names: from telling to vague."""
    chain = list(_chain(error))
    for link in chain:
        yield from _provider_codes(link)
    for link in chain:
        yield from _statuses(link)
    for link in chain:
        yield from _system_words(link)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__  # not __context__: that may be what our caller happens to be handling


def _provider_codes(error: BaseException) -> Iterator[str]:
    response = getattr(error, "response", None)  # botocore: a dict; azure: an object, its code is on the error
    if isinstance(response, Mapping):
        yield str(response.get("Error", {}).get("Code", ""))
    code = getattr(error, "error_code", None)
    if code is not None:
        yield str(getattr(code, "value", code))


def _statuses(error: BaseException) -> Iterator[str]:
    response = getattr(error, "response", None)
    found: list[Any] = [getattr(error, name, None) for name in ("status_code", "status", "code")]
    if isinstance(response, Mapping):
        found.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for status in found:
        text = str(int(status)) if isinstance(status, int) else str(status)  # Google's are members of an enum
        if text.isdigit() and 400 <= int(text) < 600:
            yield f"HTTP-{text}"


def _system_words(error: BaseException) -> Iterator[str]:
    if isinstance(error, OSError) and str(error).startswith("Forbidden"):
        yield "Forbidden"  # gcsfs tells 403 in the text only
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        yield errno.errorcode[error.errno]
    if getattr(error, "retryable", None) is True:  # google.auth: the token service could not be reached
        yield "token service"
    yield from (cls.__name__ for cls in type(error).__mro__ if cls not in (Exception, BaseException, object))


# --- the table --------------------------------------------------------------------------------------

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (2026-11)
# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes (2026-11)
_ABSENT: Final = ("NoSuchKey", "NoSuchVersion", "404", "BlobNotFound", "ResourceNotFound", "HTTP-404", "HTTP-410")
_ABSENT_HERE: Final = ("ENOENT", "ENOTDIR", "EISDIR", "FileNotFoundError", "NotADirectoryError", "IsADirectoryError")
_EXISTS: Final = (
    "PreconditionFailed",
    "412",
    "HTTP-412",
    "BlobAlreadyExists",
    "UnauthorizedBlobOverwrite",  # Azure: a key that may create but not overwrite met an existing blob
    "ConditionNotMet",
    "EEXIST",
    "FileExistsError",
)
_PLACE_MISSING: Final = (
    "NoSuchBucket",
    "InvalidBucketName",
    "ContainerNotFound",
    "ContainerBeingDeleted",
    "InvalidResourceName",
    "ContainerDisabled",
)
_DENIED_BY_PROVIDER: Final = (
    *("AccessDenied", "AccountProblem", "AllAccessDisabled", "InvalidSecurity", "NotSignedUp", "403", "401"),
    *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"),
    *("SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "PermanentRedirect", "301"),
    *("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException", "MethodNotAllowed"),
    *("AuthenticationFailed", "AuthorizationFailure", "AuthorizationPermissionMismatch", "NoAuthenticationInformation"),
    *("InvalidAuthenticationInfo", "PublicAccessNotPermitted", "KeyBasedAuthenticationNotPermitted"),
    *("AccountIsDisabled", "InsufficientAccountPermissions", "AuthorizationProtocolMismatch"),
    *("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch", "AuthorizationSourceIPMismatch"),
    *("HTTP-401", "HTTP-403", "HTTP-405"),
)
_DENIED_HERE: Final = (
    *("Forbidden", "EACCES", "EPERM", "EROFS", "PermissionError", "NotImplementedError"),
    *("ClientAuthenticationError", "DefaultCredentialsError", "RefreshError", "InvalidOperation"),
    "ParamValidationError",  # botocore: it did not even ask
)
_NO_CREDENTIALS: Final = (
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("UnauthorizedSSOTokenError", "SSOTokenLoadError", "ProfileNotFound", "NoAuthTokenError"),
)
_CONFLICT: Final = ("ConditionalRequestConflict", "OperationAborted", "409", "HTTP-409")
_UNAVAILABLE: Final = (
    *("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ServerBusy", "OperationTimedOut"),
    *("429", "500", "502", "503", "504", "HTTP-408", "HTTP-429", "HTTP-500", "HTTP-502", "HTTP-503", "HTTP-504"),
    *("token service", "TimeoutError", "FSTimeoutError", "ETIMEDOUT"),
)

_KINDS: Final[Mapping[str, Kind]] = {
    word: kind
    for kind, words in (
        (Kind.ABSENT, _ABSENT + _ABSENT_HERE),
        (Kind.EXISTS, _EXISTS),
        (Kind.PLACE_MISSING, _PLACE_MISSING),
        (Kind.DENIED, _DENIED_BY_PROVIDER + _DENIED_HERE + _NO_CREDENTIALS),
        (Kind.UNAVAILABLE, _CONFLICT + _UNAVAILABLE),
    )
    for word in words
}

_REASONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_CONFLICT, "conflict"),  # two writers met; nobody's object need be there: ask again
    **dict.fromkeys(("TimeoutError", "FSTimeoutError", "ETIMEDOUT", "RequestTimeout", "OperationTimedOut"), "timeout"),
}

_S3_CREDENTIALS: Final = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached; "
    "for a public bucket pass storage_options={'anon': True}."
)
AZURE_CREDENTIALS: Final = (
    "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or log in with "
    "`az login`, or pass storage_options."
)
_REMEDIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(_NO_CREDENTIALS, _S3_CREDENTIALS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), "Renew the credentials."),
    **dict.fromkeys(
        ("PermanentRedirect", "301", "AuthorizationHeaderMalformed"),
        "Set AWS_REGION, or storage_options={'client_kwargs': {'region_name': ...}}, to the bucket's region.",
    ),
    "RequestTimeTooSkewed": "Set this machine's clock: it differs from the store's by more than 15 minutes.",
    "ClientAuthenticationError": AZURE_CREDENTIALS,
    "DefaultCredentialsError": "Set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`.",
    "NotImplementedError": "This file system cannot do that; choose a scheme that can be written.",
    "EROFS": "The disk is mounted read-only; choose another directory.",
    **dict.fromkeys(("EACCES", "EPERM"), "This user may not do that there; change the permissions or the directory."),
    **dict.fromkeys(("ENOTDIR", "EISDIR", "EEXIST"), "A file or directory is in the way; choose another directory."),
    **dict.fromkeys(("ENOSPC", "EDQUOT", "EFBIG"), "Make room on the disk, or choose another directory."),
}
