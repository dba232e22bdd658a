"""Every error a caller can meet: a stable code, a sentence, and what to do.

The class docstring is the default message. The API turns these into answers; nothing below it knows HTTP
beyond the number each class carries.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar


class Code(StrEnum):
    """The closed set of error codes of the API."""

    INVALID_REQUEST = "invalid_request"
    INVALID_JSON = "invalid_json"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    UNKNOWN_MODEL = "unknown_model"
    WRONG_KIND = "wrong_kind"
    UNSUPPORTED_VALUE = "unsupported_value"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NO_ENDPOINTS = "no_endpoints"
    CONFLICT = "conflict"
    NOT_FINISHED = "not_finished"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    FORBIDDEN_URL = "forbidden_url"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    BUDGET_EXCEEDED = "budget_exceeded"
    RATE_LIMITED = "rate_limited"
    HEADERS_TOO_LARGE = "headers_too_large"
    OVERLOADED = "overloaded"
    INVALID_CATALOG = "invalid_catalog"
    UNAVAILABLE = "unavailable"
    GENERATION_REFUSED = "generation_refused"
    GENERATION_FAILED = "generation_failed"
    GENERATION_IN_DOUBT = "generation_in_doubt"
    GENERATION_CANCELLED = "generation_cancelled"
    TIMED_OUT = "timed_out"
    STILL_RUNNING = "still_running"
    INTERNAL = "internal"


class GenqueueError(Exception):
    """Something went wrong inside genqueue; the request id finds it in the logs."""

    code: ClassVar[Code] = Code.INTERNAL
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        accepted: Sequence[object] | None = None,
        retry_after_seconds: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or " ".join((self.__doc__ or "").split())
        self.param = param
        self.accepted = list(accepted) if accepted is not None else None
        self.retry_after_seconds = retry_after_seconds
        self.details = dict(details) if details is not None else None
        super().__init__(self.message)


class InvalidRequestError(GenqueueError):
    """The request does not fit the schema; `param` names the field."""

    code = Code.INVALID_REQUEST
    status = 400


class InvalidJsonError(InvalidRequestError):
    """The body is not valid JSON; send an object encoded as UTF-8."""

    code = Code.INVALID_JSON


class UnknownFieldError(InvalidRequestError):
    """The request has a field this route does not know; remove it."""

    code = Code.UNKNOWN_FIELD


class MissingFieldError(InvalidRequestError):
    """A required field is missing; add it."""

    code = Code.MISSING_FIELD


class UnknownModelError(InvalidRequestError):
    """No model has this name; `accepted` lists near matches, `GET /v1/models` lists all."""

    code = Code.UNKNOWN_MODEL


class WrongKindError(InvalidRequestError):
    """This model makes something else; send the request to the route of its kind."""

    code = Code.WRONG_KIND


class UnsupportedValueError(InvalidRequestError):
    """The model does not offer this value; `accepted` lists what it does."""

    code = Code.UNSUPPORTED_VALUE


class ForbiddenUrlError(InvalidRequestError):
    """We may not call this URL; `details.rule` tells which rule it breaks."""

    code = Code.FORBIDDEN_URL


class UnauthenticatedError(GenqueueError):
    """A valid key is needed: send `Authorization: Bearer <key>`."""

    code = Code.UNAUTHENTICATED
    status = 401


class ForbiddenError(GenqueueError):
    """This key may not do that; use one with the scope named in `param`."""

    code = Code.FORBIDDEN
    status = 403


class NotFoundError(GenqueueError):
    """There is nothing with this id here."""

    code = Code.NOT_FOUND
    status = 404


class MethodNotAllowedError(GenqueueError):
    """This route does not know this method; the Allow header lists those it does."""

    code = Code.METHOD_NOT_ALLOWED
    status = 405


class NoEndpointsError(GenqueueError):
    """No endpoint can serve this request; `details` tells which filter removed them."""

    code = Code.NO_ENDPOINTS
    status = 404


class ConflictError(GenqueueError):
    """The job's state does not allow this; read it again and decide."""

    code = Code.CONFLICT
    status = 409


class NotFinishedError(ConflictError):
    """The job has no output yet; poll it until its status is `completed`."""

    code = Code.NOT_FINISHED


class GoneError(GenqueueError):
    """The output existed but has been deleted or has expired; run the job again."""

    code = Code.GONE
    status = 410


class TooLargeError(GenqueueError):
    """The body is larger than this route takes."""

    code = Code.TOO_LARGE
    status = 413


class UnsupportedMediaTypeError(GenqueueError):
    """Send the body as `Content-Type: application/json`."""

    code = Code.UNSUPPORTED_MEDIA_TYPE
    status = 415


class IdempotencyMismatchError(GenqueueError):
    """This Idempotency-Key was used with another body; use a new key for a new request."""

    code = Code.IDEMPOTENCY_MISMATCH
    status = 422


class IdempotencyInFlightError(GenqueueError):
    """The first request with this Idempotency-Key has not ended yet; send it again after Retry-After."""

    code = Code.IDEMPOTENCY_IN_FLIGHT
    status = 409


class BudgetExceededError(GenqueueError):
    """The budget does not allow this job; `details` tells which one, what is left and when it resets."""

    code = Code.BUDGET_EXCEEDED
    status = 402


class RateLimitedError(GenqueueError):
    """Too much at once; `details` names the limit. Send it again after Retry-After."""

    code = Code.RATE_LIMITED
    status = 429


class HeadersTooLargeError(GenqueueError):
    """The request's headers are larger than we take."""

    code = Code.HEADERS_TOO_LARGE
    status = 431


class OverloadedError(GenqueueError):
    """The queue is full, and low priorities are turned away first; send it again after Retry-After."""

    code = Code.OVERLOADED
    status = 503


class InvalidCatalogError(GenqueueError):
    """The catalog's files cannot be used, and the old catalog goes on serving; `details.faults` says what to mend."""

    code = Code.INVALID_CATALOG
    status = 422


class UnavailableError(GenqueueError):
    """The service cannot store anything right now; try again after the time in Retry-After."""

    code = Code.UNAVAILABLE
    status = 503


class GenerationRefusedError(GenqueueError):
    """The provider refused the prompt or the input; change the request. `details` names the fault and the job."""

    code = Code.GENERATION_REFUSED
    status = 400


class GenerationFailedError(GenqueueError):
    """Every provider that may serve this failed; `details` names the last fault and the job."""

    code = Code.GENERATION_FAILED
    status = 502


class GenerationInDoubtError(GenqueueError):
    """A provider may have made and charged this, and nobody can know; look before you ask again."""

    code = Code.GENERATION_IN_DOUBT
    status = 409


class GenerationCancelledError(GenqueueError):
    """The job was cancelled while this request waited for it."""

    code = Code.GENERATION_CANCELLED
    status = 409


class TimedOutError(GenqueueError):
    """The job was not done before its deadline; `details` names it."""

    code = Code.TIMED_OUT
    status = 504


class StillRunningError(GenqueueError):
    """The answer can be held no longer, but the job goes on: read it at the URL in `details`."""

    code = Code.STILL_RUNNING
    status = 504
