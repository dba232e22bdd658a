"""What can go wrong with the storage, sorted by what to do about it."""

from typing import ClassVar

from botocore import exceptions

from shared import errors

_PASSING_CODES = frozenset(
    {
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "SlowDown",
        "Throttling",
        "TooManyRequests",
        # The multipart upload is gone, most likely finished by a request whose answer was lost: start over.
        "NoSuchUpload",
    }
)
_MISSING_CODES = frozenset({"NoSuchKey", "NotFound", "404"})
RETRY_AFTER_SECONDS = 5


class StorageError(errors.GenqueueError):
    """The storage refused what we asked; the operator must mend its settings or rights (`genqueue doctor`)."""


class StorageUnavailableError(StorageError):
    """The storage cannot be reached right now; try again after the time in Retry-After."""

    code: ClassVar[errors.Code] = errors.Code.UNAVAILABLE
    status: ClassVar[int] = 503


class ObjectMissingError(StorageError):
    """The storage has no object under this key."""


class BadRangeError(StorageError):
    """The range asked for lies outside the object."""


class TooBigError(StorageError):
    """The body is longer than the cap; nothing of it was kept."""


class ProbeError(StorageError):
    """One step of the self-test failed: `step` names it, the message says why."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"Storage self-test, step {step!r}: {reason}")
        self.step = step
        self.reason = reason


def of(error: Exception) -> StorageError:
    """Our error for one of botocore's. Faults that pass by themselves become StorageUnavailableError."""
    if not isinstance(error, exceptions.ClientError):
        return _of_the_line(error)
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    sentence = f"The storage answered {status} {code} to {error.operation_name}."
    if status >= 500 or status == 429 or code in _PASSING_CODES:
        return StorageUnavailableError(sentence, retry_after_seconds=RETRY_AFTER_SECONDS)
    if code in _MISSING_CODES:
        return ObjectMissingError(sentence)
    if status == 416:
        return BadRangeError(sentence)
    return StorageError(sentence)


def _of_the_line(error: Exception) -> StorageError:
    """Errors of botocore itself: a bad parameter is ours to mend, everything about the line passes."""
    if isinstance(error, exceptions.ParamValidationError | exceptions.NoCredentialsError):
        return StorageError(f"The storage request is wrong: {error}")
    return StorageUnavailableError(
        f"The storage cannot be reached: {type(error).__name__}.", retry_after_seconds=RETRY_AFTER_SECONDS
    )
