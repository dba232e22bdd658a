"""Which of the storage's faults pass by themselves, and which somebody must mend."""

from typing import Any

import pytest
from botocore import exceptions

from shared import errors
from shared.storage import troubles


def answer(status: int, code: str) -> exceptions.ClientError:
    told: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(told, "PutObject")


@pytest.mark.parametrize(
    "error",
    [
        answer(500, "InternalError"),
        answer(503, "SlowDown"),
        answer(429, "TooManyRequests"),
        answer(400, "RequestTimeout"),
        answer(404, "NoSuchUpload"),
        exceptions.EndpointConnectionError(endpoint_url="http://s3"),
        exceptions.ReadTimeoutError(endpoint_url="http://s3"),
        exceptions.ConnectionClosedError(endpoint_url="http://s3"),
    ],
)
def test_these_pass(error: Exception) -> None:
    ours = troubles.of(error)
    assert isinstance(ours, troubles.StorageUnavailableError)
    assert (ours.status, ours.code, ours.retry_after_seconds) == (503, errors.Code.UNAVAILABLE, 5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(403, "AccessDenied"), troubles.StorageError),
        (answer(404, "NoSuchBucket"), troubles.StorageError),
        (answer(404, "NoSuchKey"), troubles.ObjectMissingError),
        (answer(404, "404"), troubles.ObjectMissingError),
        (answer(416, "InvalidRange"), troubles.BadRangeError),
        (exceptions.ParamValidationError(report="r"), troubles.StorageError),
    ],
)
def test_these_stay(error: Exception, kind: type[troubles.StorageError]) -> None:
    ours = troubles.of(error)
    assert type(ours) is kind
    assert ours.status == 500
