"""One meaning for every backend's exceptions. The exceptions are the real ones, made by the libraries' own code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno

import pytest

from blobpipes.errors import StoreDeniedError, StorePlaceMissingError, StoreUnavailableError
from blobpipes.storage.failures import Kind, as_store_error, classify


def s3(code: str, status: int, **more: str) -> BaseException:
    from botocore.exceptions import ClientError
    from s3fs.errors import translate_boto_error

    answer = {"Error": {"Code": code, "Message": "words", **more}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: BaseException = translate_boto_error(ClientError(answer, "PutObject"))
    return error


@pytest.mark.parametrize(
    ("code", "status", "kind", "reason"),
    [
        ("NoSuchKey", 404, Kind.ABSENT, "NoSuchKey"),
        ("404", 404, Kind.ABSENT, "404"),
        ("NoSuchBucket", 404, Kind.PLACE_MISSING, "NoSuchBucket"),
        ("InvalidBucketName", 400, Kind.PLACE_MISSING, "InvalidBucketName"),
        ("PreconditionFailed", 412, Kind.EXISTS, "PreconditionFailed"),
        ("ConditionalRequestConflict", 409, Kind.UNAVAILABLE, "conflict"),
        ("OperationAborted", 409, Kind.UNAVAILABLE, "conflict"),
        ("AccessDenied", 403, Kind.DENIED, "AccessDenied"),
        ("ExpiredToken", 400, Kind.DENIED, "ExpiredToken"),
        ("InvalidAccessKeyId", 403, Kind.DENIED, "InvalidAccessKeyId"),
        ("SignatureDoesNotMatch", 403, Kind.DENIED, "SignatureDoesNotMatch"),
        ("RequestTimeTooSkewed", 403, Kind.DENIED, "RequestTimeTooSkewed"),
        ("PermanentRedirect", 301, Kind.DENIED, "PermanentRedirect"),
        ("SomethingNewAboutRights", 403, Kind.DENIED, "HTTP-403"),
        ("SlowDown", 503, Kind.UNAVAILABLE, "SlowDown"),
        ("InternalError", 500, Kind.UNAVAILABLE, "InternalError"),
        ("RequestTimeout", 400, Kind.UNAVAILABLE, "timeout"),
        ("NeverHeardOf", 400, Kind.UNAVAILABLE, "NeverHeardOf"),
    ],
)
def test_s3_answers_are_told_apart_by_their_code(code: str, status: int, kind: Kind, reason: str) -> None:
    failure = classify(s3(code, status))
    assert (failure.kind, failure.reason) == (kind, reason)


def test_a_request_that_boto3_itself_refuses_is_not_tried_again() -> None:
    from botocore.exceptions import ParamValidationError

    assert classify(ParamValidationError(report="Invalid bucket name")).kind is Kind.DENIED


@pytest.mark.parametrize(
    ("name", "kind"),
    [("NotFound", Kind.ABSENT), ("PreconditionFailed", Kind.EXISTS), ("Forbidden", Kind.DENIED), ("Conflict", None)],
)
def test_the_errors_of_googles_own_client_have_their_status(name: str, kind: Kind | None) -> None:
    from google.api_core import exceptions

    assert classify(getattr(exceptions, name)("words")).kind is (kind or Kind.UNAVAILABLE)


def test_a_412_is_exists_with_and_without_the_name_of_its_condition() -> None:
    named = s3("PreconditionFailed", 412, Condition="If-None-Match")
    bare = s3("PreconditionFailed", 412)
    assert isinstance(named, FileExistsError)
    assert isinstance(bare, OSError)
    assert bare.errno == errno.EINVAL
    assert classify(named).kind is classify(bare).kind is Kind.EXISTS


@pytest.mark.parametrize("name", ["NoCredentialsError", "ProfileNotFound", "TokenRetrievalError"])
def test_missing_aws_credentials_are_a_refusal_with_a_remedy(name: str) -> None:
    import botocore.exceptions

    error = getattr(botocore.exceptions, name)(profile="p", provider="sso", error_msg="words")
    failure = classify(error)
    assert failure.kind is Kind.DENIED
    assert "AWS_ACCESS_KEY_ID" in (failure.remedy or "")


@pytest.mark.parametrize(
    "name", ["EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "SSLError"]
)
def test_aws_connection_trouble_may_pass(name: str) -> None:
    import botocore.exceptions

    error = getattr(botocore.exceptions, name)(endpoint_url="http://localhost", error="words")
    assert classify(error).kind is Kind.UNAVAILABLE
    assert classify(error).reason == name


def gcs(status: int, body: bytes) -> BaseException:
    from gcsfs.retry import validate_response

    try:
        validate_response(status, body, "b/bucket/o/key")
    except Exception as error:
        return error
    raise AssertionError("gcsfs took it for a success")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", Kind.ABSENT),
        (412, b"", Kind.EXISTS),
        (403, b'{"error": {"message": "no access"}}', Kind.DENIED),
        (401, b'{"error": {"code": 401, "message": "Invalid Credentials"}}', Kind.DENIED),
        (409, b'{"error": {"code": 409, "message": "conflict"}}', Kind.UNAVAILABLE),
        (429, b"slow", Kind.UNAVAILABLE),
        (502, b"", Kind.UNAVAILABLE),
        (503, b'{"error": "busy"}', Kind.UNAVAILABLE),
    ],
)
def test_google_answers_are_told_apart(status: int, body: bytes, kind: Kind) -> None:
    assert classify(gcs(status, body)).kind is kind


def test_google_token_trouble_is_told_from_a_refused_token() -> None:
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

    assert classify(DefaultCredentialsError("none found")).kind is Kind.DENIED
    assert classify(RefreshError("revoked")).kind is Kind.DENIED
    assert classify(RefreshError("503 from the token service", retryable=True)).kind is Kind.UNAVAILABLE
    assert classify(TransportError("no route")).kind is Kind.UNAVAILABLE


def azure(code: str, status: int) -> BaseException:
    from azure.core import exceptions
    from azure.storage.blob import StorageErrorCode

    kinds = {401: exceptions.ClientAuthenticationError, 404: exceptions.ResourceNotFoundError}
    error: BaseException = kinds.get(status, exceptions.HttpResponseError)("words")
    error.status_code = status  # type: ignore[attr-defined]
    error.error_code = StorageErrorCode(code) if code in StorageErrorCode._value2member_map_ else code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("code", "status", "kind", "reason"),
    [
        ("BlobNotFound", 404, Kind.ABSENT, "BlobNotFound"),
        ("ContainerNotFound", 404, Kind.PLACE_MISSING, "ContainerNotFound"),
        ("ContainerBeingDeleted", 409, Kind.PLACE_MISSING, "ContainerBeingDeleted"),
        ("BlobAlreadyExists", 409, Kind.EXISTS, "BlobAlreadyExists"),
        ("ConditionNotMet", 412, Kind.EXISTS, "ConditionNotMet"),
        ("UnauthorizedBlobOverwrite", 403, Kind.EXISTS, "UnauthorizedBlobOverwrite"),
        ("AuthenticationFailed", 403, Kind.DENIED, "AuthenticationFailed"),
        ("AuthorizationPermissionMismatch", 403, Kind.DENIED, "AuthorizationPermissionMismatch"),
        ("SomethingNew", 403, Kind.DENIED, "HTTP-403"),
        ("LeaseIdMissing", 409, Kind.UNAVAILABLE, "conflict"),
        ("ServerBusy", 503, Kind.UNAVAILABLE, "ServerBusy"),
        ("OperationTimedOut", 500, Kind.UNAVAILABLE, "timeout"),
    ],
)
def test_azure_answers_are_told_apart_by_their_code(code: str, status: int, kind: Kind, reason: str) -> None:
    failure = classify(azure(code, status))
    assert (failure.kind, failure.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOENT, Kind.ABSENT, "ENOENT"),
        (errno.ENOTDIR, Kind.ABSENT, "ENOTDIR"),
        (errno.EEXIST, Kind.EXISTS, "EEXIST"),
        (errno.EACCES, Kind.DENIED, "EACCES"),
        (errno.EROFS, Kind.DENIED, "EROFS"),
        (errno.ENOSPC, Kind.UNAVAILABLE, "ENOSPC"),
        (errno.EIO, Kind.UNAVAILABLE, "EIO"),
        (errno.ECONNREFUSED, Kind.UNAVAILABLE, "ECONNREFUSED"),
    ],
)
def test_the_operating_system_speaks_by_errno(number: int, kind: Kind, reason: str) -> None:
    failure = classify(OSError(number, "words"))
    assert (failure.kind, failure.reason) == (kind, reason)


@pytest.mark.parametrize("error", [TimeoutError(), asyncio.TimeoutError(), concurrent.futures.TimeoutError()])
def test_every_library_s_timeout_is_a_timeout(error: BaseException) -> None:
    assert classify(error).reason == "timeout"


def test_what_nobody_knows_is_unavailable_and_named() -> None:
    class WeirdError(Exception):
        pass

    failure = classify(WeirdError("?"))
    assert (failure.kind, failure.reason) == (Kind.UNAVAILABLE, "WeirdError")


def test_what_the_caller_happens_to_be_handling_decides_nothing() -> None:
    error = RuntimeError("ours")
    error.__context__ = PermissionError("of the user's own")
    assert classify(error).reason == "RuntimeError"


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = OSError("loop")
    error.__cause__ = error
    assert classify(error).kind is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("AccessDenied", StoreDeniedError),
        ("NoSuchBucket", StorePlaceMissingError),
        ("SlowDown", StoreUnavailableError),
    ],
)
def test_each_kind_has_its_error_with_the_reason(code: str, cls: type[StoreDeniedError]) -> None:
    error = as_store_error(classify(s3(code, 400)), "cannot put")
    assert type(error) is cls
    assert error.reason == code
    assert error.remedy
