"""Errors as the OpenAI clients read them: `error.message`, `type`, `param`, `code`; retries by header."""

from collections.abc import Mapping
from typing import Any

import fastapi
import orjson

from shared import errors

# What our codes are called there, and the status that goes with it where it is another.
_CODES = {
    "unauthenticated": "invalid_api_key",
    "unknown_field": "unknown_parameter",
    "missing_field": "missing_required_parameter",
    "unknown_model": "model_not_found",
    "unsupported_value": "unsupported_value",
    "rate_limited": "rate_limit_exceeded",
    "budget_exceeded": "insufficient_quota",
    "internal": "server_error",
}
_STATUSES = {"unknown_model": 404, "budget_exceeded": 429}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# These clients repeat 408, 409, 429 and every 5xx by themselves. Here, that would only cost again.
_FINAL = frozenset(
    {
        "conflict",
        "not_finished",
        "budget_exceeded",
        "generation_failed",
        "generation_in_doubt",
        "generation_cancelled",
        "timed_out",
        "still_running",
        "internal",
    }
)
# Our words for fields that are called otherwise there.
_PARAMS = {"duration": "seconds", "format": "output_format"}
MOST_SHOWN = 12


def respond(error: errors.GenqueueError, request_id: str, headers: Mapping[str, str]) -> fastapi.Response:
    """The error as an answer."""
    status = _STATUSES.get(error.code, error.status)
    retries = {"x-should-retry": "false"} if error.code in _FINAL else {}
    content = orjson.dumps(envelope(error, request_id))
    return fastapi.Response(content, status, {**headers, **retries}, "application/json")


def envelope(error: errors.GenqueueError, request_id: str) -> dict[str, Any]:
    """`{"error": …}`; `accepted`, `details` and `request_id` ride along where there are any."""
    more = {"accepted": error.accepted, "details": error.details, "request_id": request_id or None}
    body = {
        "message": _message(error),
        "type": _type(error),
        "param": _PARAMS.get(error.param or "", error.param),
        "code": _CODES.get(error.code, str(error.code)),
    }
    return {"error": body | {name: value for name, value in more.items() if value is not None}}


def _message(error: errors.GenqueueError) -> str:
    """Clients show the message and nothing else: what is accepted belongs into it."""
    param = error.param or ""
    message = error.message.replace(param, _PARAMS.get(param, param)) if param else error.message
    shown = [str(value) for value in error.accepted or () if isinstance(value, str | int | float)]
    return f"{message} Accepted: {', '.join(shown)}." if 0 < len(shown) <= MOST_SHOWN else message


def _type(error: errors.GenqueueError) -> str:
    if error.code == "budget_exceeded":
        return "insufficient_quota"
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    return _TYPES.get(error.status, fallback)
