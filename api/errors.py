"""Errors as answers: one envelope for every fault, and never a stack trace."""

import http
from collections.abc import Mapping
from typing import Any

import fastapi
import pydantic
from fastapi import exceptions as fastapi_exceptions
from fastapi.responses import JSONResponse
from starlette import exceptions as starlette_exceptions
from starlette import types

from api import dialects, validation
from shared import errors, logs
from shared.db import outages

RETRY_AFTER_SECONDS = 5

_log = logs.get(__name__)


class ErrorDetail(pydantic.BaseModel):
    """What was wrong and what to do about it."""

    code: errors.Code = pydantic.Field(description="One of a closed set; rely on this, not on the message")
    message: str = pydantic.Field(description="A sentence for people")
    param: str | None = pydantic.Field(None, description="The path of the field, such as `frame_images[0].image_url`")
    accepted: list[Any] | None = pydantic.Field(None, description="The values this field takes, or near matches")
    details: dict[str, Any] | None = pydantic.Field(None, description="More, by kind of fault; `errors` lists several")
    request_id: str = pydantic.Field(description="Finds this request in the logs; also in `X-Request-Id`")


class ErrorAnswer(pydantic.BaseModel):
    """Every answer with a status of 400 or more looks like this."""

    error: ErrorDetail


_EXAMPLES: Mapping[int, dict[str, Any]] = {
    400: {
        "code": "unsupported_value",
        "message": "sandbox/video does not offer duration 7.",
        "param": "duration",
        "accepted": [1, 2, 3, 5],
    },
    401: {"code": "unauthenticated", "message": "A valid key is needed: send `Authorization: Bearer <key>`."},
    402: {
        "code": "budget_exceeded",
        "message": "The budget is used up. Limit: the key's day budget.",
        "details": {"limit_source": "key", "period": "day", "left_micros": 1200, "needed_micros": 50000},
    },
    403: {"code": "forbidden", "message": "This key needs the scope 'submit'.", "param": "scope"},
    404: {"code": "not_found", "message": "There is nothing with this id here."},
    409: {"code": "conflict", "message": "The job is over: it is completed.", "details": {"status": "completed"}},
    410: {"code": "gone", "message": "The output existed but has been deleted or has expired; run the job again."},
    413: {"code": "too_large", "message": "The body is larger than this route takes."},
    415: {"code": "unsupported_media_type", "message": "Send the body as `Content-Type: application/json`."},
    416: {"code": "invalid_request", "message": "The range lies outside the output.", "param": "Range"},
    422: {
        "code": "idempotency_mismatch",
        "message": "This Idempotency-Key was used with another body; use a new key for a new request.",
        "param": "Idempotency-Key",
    },
    429: {"code": "rate_limited", "message": "This key may send 600 requests a minute."},
    503: {"code": "unavailable", "message": "The service cannot store anything right now; try again later."},
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its OpenAPI. 503 may always happen and need not be named; nor need 403 and
    429, where a key is needed.
    """
    always = (403, 429, 503) if http.HTTPStatus.UNAUTHORIZED in statuses else (503,)
    return {status: _documented(status) for status in sorted({*statuses, *always})}


def described(status: int) -> dict[str, Any]:
    """One error answer as the OpenAPI has it, for what FastAPI does not know of."""
    made = _documented(status)
    del made["model"]
    made["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/ErrorAnswer"}
    return made


def _documented(status: int) -> dict[str, Any]:
    blank = {"param": None, "accepted": None, "details": None, "request_id": "req_01k0zqj5w3m8v4t2c6n9xb7rde"}
    example = {"error": {**blank, **_EXAMPLES[status]}}
    return {
        "model": ErrorAnswer,
        "description": http.HTTPStatus(status).phrase,
        "content": {"application/json": {"example": example}},
    }


def install(app: fastapi.FastAPI) -> None:
    """Answer our errors, FastAPI's and Starlette's in the envelope. What is left, the middleware answers."""
    app.add_exception_handler(errors.GenqueueError, _on_ours)
    app.add_exception_handler(fastapi_exceptions.RequestValidationError, _on_validation)
    app.add_exception_handler(starlette_exceptions.HTTPException, _on_http)


async def _on_ours(request: fastapi.Request, error: Exception) -> fastapi.Response:
    return of_exception(error, request.scope)


async def _on_validation(request: fastapi.Request, error: Exception) -> fastapi.Response:
    found = error.errors() if isinstance(error, fastapi_exceptions.RequestValidationError) else ()
    body_field = getattr(request.scope.get("route"), "body_field", None)
    model = body_field.field_info.annotation if body_field is not None else None
    return of_exception(validation.of_pydantic(found, model), request.scope)


async def _on_http(request: fastapi.Request, error: Exception) -> fastapi.Response:
    status = error.status_code if isinstance(error, starlette_exceptions.HTTPException) else 500
    if status == http.HTTPStatus.NOT_FOUND:
        return respond(errors.NotFoundError("There is no such route; see /docs."), request.scope)
    if status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(request.app.state.allowed_methods(request.url.path))
        return respond(errors.MethodNotAllowedError(), request.scope, {"Allow": allowed})
    known = errors.InvalidRequestError() if status < http.HTTPStatus.INTERNAL_SERVER_ERROR else errors.GenqueueError()
    return respond(known, request.scope)


def of_exception(error: Exception, scope: types.Scope) -> fastapi.Response:
    """The answer to anything that was raised. What is not ours becomes 503 or 500; the logs say more."""
    return respond(known(error), scope)


def known(error: Exception) -> errors.GenqueueError:
    """Anything that was raised as an error we may show; writes down what nobody expected."""
    if isinstance(error, errors.GenqueueError) and error.code is not errors.Code.INTERNAL:
        return error
    if outages.is_outage(error):
        _log.warning("database_away", error=type(error).__name__)
        return errors.UnavailableError()
    # The message of an exception may quote a prompt or a statement's parameters: only its class and place are logged.
    _log.error("unexpected_error", error=type(error).__name__, where=_where(error))
    return errors.GenqueueError()


def respond(
    error: errors.GenqueueError, scope: types.Scope, headers: Mapping[str, str] | None = None
) -> fastapi.Response:
    """The error in the envelope of whoever was called: a dialect's own under its prefix, ours everywhere else."""
    more = {**standard_headers(error), **(headers or {})}
    dialect = dialects.speaking(scope)
    return dialect.error(error, request_id(scope), more) if dialect else answer(error, request_id(scope), more)


def answer(error: errors.GenqueueError, id_of_request: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Our own envelope."""
    detail = ErrorDetail(
        code=error.code,
        message=error.message,
        param=error.param,
        accepted=error.accepted,
        details=error.details,
        request_id=id_of_request,
    )
    body = ErrorAnswer(error=detail).model_dump(mode="json")
    return JSONResponse(body, error.status, headers)


def standard_headers(error: errors.GenqueueError) -> dict[str, str]:
    """The headers that belong to the status, whatever the envelope."""
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="genqueue"'}
    seconds = error.retry_after_seconds
    if seconds is None and error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        seconds = RETRY_AFTER_SECONDS
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _where(error: Exception) -> list[str]:
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-12:]


def request_id(scope: Any) -> str:  # noqa: ANN401 - Starlette's scope
    """The id of this request, as the middleware set it."""
    found: str = scope.get("state", {}).get("request_id", "")
    return found
