"""Anthropic's Messages API, from its public documentation."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import upstream

_K = faults.FaultKind


def authorised(request: web.Request) -> bool:
    return request.headers.get("x-api-key") == "good-key" and request.headers.get("anthropic-version") == "2023-06-01"


def build(up: upstream.Upstream) -> web.Application:
    async def messages(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        required = {"model": str, "max_tokens": int, "messages": list}
        upstream.need(body, required, {"system": str, "temperature": float})
        if any(turn["role"] not in {"user", "assistant"} for turn in body["messages"]):
            raise web.HTTPBadRequest(text="system is a field of its own")
        up.accept(states.Kind.TEXT, body)
        content = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": upstream.TEXT}]
        usage = {"input_tokens": 11, "output_tokens": 7}
        return web.json_response(
            {"id": "msg_1", "type": "message", "content": content, "stop_reason": "end_turn", "usage": usage}
        )

    return upstream.application(web.post("/v1/messages", messages))


def _said(name: str, kind: faults.FaultKind, status: int, word: str, **more: object) -> upstream.Refusal:
    error = {"type": word, "message": name, **more}
    return upstream.Refusal(name, kind, status, {"type": "error", "error": error, "request_id": "req_1"})


_SLOW = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}

DIALECT = upstream.Dialect(
    name="anthropic",
    build=build,
    free={"/v1/models": {"data": [{"id": "claude-sonnet-4-5", "type": "model"}], "has_more": False}},
    authorised=authorised,
    offers=(
        upstream.Offer(
            states.Kind.TEXT,
            "claude-sonnet-4-5",
            waits=False,
            moderated={"id": "m", "content": [], "stop_reason": "refusal", "usage": {}},
        ),
    ),
    wrong_key=_said("invalid x-api-key", _K.AUTH, 401, "authentication_error"),
    refusals=(
        _said("bad field", _K.INVALID_INPUT, 400, "invalid_request_error"),
        _said("no credit", _K.OUT_OF_CREDIT, 402, "billing_error"),
        _said(
            "the month is spent",
            _K.OUT_OF_CREDIT,
            429,
            "rate_limit_error",
            details={"error_code": "enforced_spend_limit_reached"},
        ),
        _said("not allowed", _K.AUTH, 403, "permission_error"),
        _said("no such model", _K.NOT_FOUND, 404, "not_found_error"),
        _said("too long", _K.INVALID_INPUT, 413, "request_too_large"),
        _said("overloaded", _K.UNAVAILABLE, 529, "overloaded_error"),
        upstream.Refusal("rate", _K.THROTTLED, 429, _SLOW, {"Retry-After": "8"}, wait_seconds=8),
    ),
)
