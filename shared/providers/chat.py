"""OpenAI's chat completions, which most text providers speak."""

from collections.abc import Mapping
from typing import Any

from shared.domain import faults, outputs, requests
from shared.providers import base, bills, http, plain

PATH = "/chat/completions"


def order(ask: base.Ask, path: str = PATH) -> plain.Order:
    """Ask for a text; the line is held until it is there."""
    request = ask.request
    assert isinstance(request, requests.TextRequest)  # noqa: S101 - the catalog's check: only texts come here
    body = {
        "model": ask.upstream_model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.turns()],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "response_format": _form(request),
    }
    return plain.Order(path, read, body, seconds=http.GENERATE_SECONDS)


def _form(request: requests.TextRequest) -> dict[str, Any] | None:
    if request.response_format is None:
        return None
    return request.response_format.model_dump(mode="json", by_alias=True, exclude_none=True)


def read(reply: http.Reply) -> base.SubmitOutcome:
    """The text of the first choice. Its id is left out: some engines draw it from a thousand (Ollama)."""
    choice = reply.body["choices"][0]
    message = choice["message"]
    if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
        return base.Failed(
            faults.Fault(faults.FaultKind.CONTENT_POLICY, str(message.get("refusal") or "The provider filtered it."))
        )
    text = _text(message.get("content"))
    sources = (outputs.Source(media_type="text/plain", text=text),) if text else ()
    return base.Finished(sources, bills.of_usage(reply.body.get("usage")))


def _text(content: str | list[Mapping[str, Any]] | None) -> str:
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content)
    return (content or "").replace("\0", "")
