"""Anthropic's Messages API: texts on the held line."""

from typing import Any, ClassVar

from shared.domain import faults, models, outputs, requests, states
from shared.providers import base, bills, dialects, http, plain

VERSION = "2023-06-01"
# The API insists on a limit; a caller who names none gets this.
MAX_TOKENS = 4096
_K = faults.FaultKind
KINDS = {
    "invalid_request_error": _K.INVALID_INPUT,
    "request_too_large": _K.INVALID_INPUT,
    "authentication_error": _K.AUTH,
    "permission_error": _K.AUTH,
    "billing_error": _K.OUT_OF_CREDIT,
    # A 429 without Retry-After: the month's budget is spent, and waiting does not help.
    "enforced_spend_limit_reached": _K.OUT_OF_CREDIT,
    "not_found_error": _K.NOT_FOUND,
    "rate_limit_error": _K.THROTTLED,
    "overloaded_error": _K.UNAVAILABLE,
}


class AnthropicAdapter(plain.PlainAdapter):
    """Nothing is kept upstream that could be searched: class N."""

    abilities: ClassVar = models.Abilities({states.Kind.TEXT: frozenset({"max_tokens", "temperature"})})
    # 529: overloaded, and turned down before any work was done.
    dialect: ClassVar = dialects.Dialect(kinds=KINDS, refusing={529: _K.UNAVAILABLE})
    visits: ClassVar = (plain.Visit("/v1/models?limit=1000", "data", "id"),)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return {"x-api-key": self.connection.key, "anthropic-version": VERSION}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        return plain.Order("/v1/messages", _read, _body(ask), seconds=http.GENERATE_SECONDS)


def _body(ask: base.Ask) -> dict[str, Any]:
    request = ask.request
    turns = request.turns() if isinstance(request, requests.TextRequest) else []
    system = "\n\n".join(turn.content for turn in turns if turn.role == "system")
    return {
        "model": ask.upstream_model,
        "max_tokens": getattr(request, "max_tokens", None) or MAX_TOKENS,
        "system": system or None,
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns if turn.role != "system"],
        "temperature": getattr(request, "temperature", None),
    }


def _read(reply: http.Reply) -> base.SubmitOutcome:
    body = reply.body
    if body.get("stop_reason") == "refusal":
        return base.Failed(faults.Fault(_K.CONTENT_POLICY, "The model refused to answer."))
    text = "".join(part["text"] for part in body["content"] if part.get("type") == "text")
    sources = (outputs.Source(media_type="text/plain", text=text),) if text else ()
    return base.Finished(sources, bills.of_usage(body.get("usage")))
