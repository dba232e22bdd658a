"""What the three POST routes, and a rerun, have in common."""

import math
from typing import Any

import fastapi

from api import accepting, auth, errors, parts
from api.native import answers
from shared.domain import requests, states
from shared.services import acceptance
from shared.services import idempotency as idempotency_services

LONGEST_RETRY_AFTER_SECONDS = 15

_HEADERS = {
    "Location": {"description": "The URL to poll, as `polling_url`", "schema": {"type": "string", "format": "uri"}},
    "Retry-After": {"description": "Seconds before the first poll is worth making", "schema": {"type": "integer"}},
    "Idempotent-Replayed": {
        "description": "`true` when this Idempotency-Key made the job before",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"description": "Stored; it will reach one terminal status", "headers": _HEADERS},
}
RESPONSES = {**ACCEPTED, **errors.documented(400, 401, 402, 404, 409, 413, 415, 422)}


async def submit(
    given: parts.Parts,
    caller: auth.Caller,
    kind: states.Kind,
    request: requests.AnyRequest,
    once: idempotency_services.Once | None,
    response: fastapi.Response,
) -> answers.Accepted:
    """Accept the request and fill in the response's headers."""
    receipt = await accepting.accept(given, caller, kind, request, once)
    return hand_over(given, receipt, response)


def hand_over(given: parts.Parts, receipt: acceptance.Receipt, response: fastapi.Response) -> answers.Accepted:
    """The answer to an accepted request, with its headers."""
    job = receipt.job
    answer = answers.accepted(given, job)
    model = given.catalog.models.get(job.model)
    response.headers["Location"] = answer.polling_url
    response.headers["Retry-After"] = str(_first_poll_seconds(model.usual_seconds if model else 1.0))
    if receipt.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return answer


def _first_poll_seconds(usual_seconds: float) -> int:
    """Half the usual time: a caller that polls then and again has the result soon after it is there."""
    return min(max(math.ceil(usual_seconds / 2), 1), LONGEST_RETRY_AFTER_SECONDS)
