"""Errors as the OpenRouter clients read them: `error.code` is the status, `metadata.error_type` the kind.

A field that is absent is left out: their TypeScript client refuses null.
"""

from collections.abc import Mapping
from typing import Any

import fastapi
import orjson

from shared import errors

_TYPES = {
    "unauthenticated": "authentication",
    "forbidden": "permission_denied",
    "budget_exceeded": "payment_required",
    "rate_limited": "rate_limit_exceeded",
    "not_found": "not_found",
    "no_endpoints": "not_found",
    "too_large": "payload_too_large",
    "idempotency_mismatch": "unprocessable",
    "generation_refused": "content_policy_violation",
    "generation_failed": "provider_unavailable",
    "timed_out": "timeout",
    "still_running": "timeout",
    "overloaded": "provider_overloaded",
    "internal": "server",
}
_BY_STATUS = {
    400: "invalid_request",
    404: "not_found",
    405: "invalid_request",
    415: "invalid_request",
    422: "unprocessable",
    500: "server",
    503: "provider_overloaded",
}
# Our words for fields that are called otherwise there.
_PARAMS = {"webhook_url": "callback_url", "format": "output_format"}
# Their client repeats every 5xx for an hour. The job of one that is still running would be made again and again.
_STATUSES = {"still_running": 408}


def respond(error: errors.GenqueueError, _request_id: str, headers: Mapping[str, str]) -> fastapi.Response:
    """The error as an answer."""
    content = orjson.dumps(envelope(error))
    return fastapi.Response(content, status_of(error), dict(headers), "application/json")


def status_of(error: errors.GenqueueError) -> int:
    """The status their clients are to see."""
    return _STATUSES.get(error.code, error.status)


def envelope(error: errors.GenqueueError) -> dict[str, Any]:
    """`{"error": …}`."""
    return {"error": {"code": status_of(error), "message": _message(error), "metadata": metadata(error)}}


def metadata(error: errors.GenqueueError) -> dict[str, Any]:
    """Their closed word for the kind of fault, and ours with what we know of it."""
    known = {
        "error_type": _TYPES.get(error.code) or _BY_STATUS.get(error.status, "unmapped"),
        "code": str(error.code),
        "param": _PARAMS.get(error.param or "", error.param),
        "accepted": error.accepted,
        "details": error.details,
        "retry_after_seconds": error.retry_after_seconds,
    }
    return {name: value for name, value in known.items() if value is not None}


def _message(error: errors.GenqueueError) -> str:
    if not error.accepted or not all(isinstance(value, str | int | float) for value in error.accepted):
        return error.message
    return f"{error.message} Accepted values: {', '.join(str(value) for value in error.accepted)}"
