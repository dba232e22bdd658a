"""OpenRouter: videos by polling, images and texts on the held line (reference: openrouter.md)."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, bills, chat, dialects, http, inputs, outcomes, pictures, plain, words

_K = faults.FaultKind
# A route of an image model: by chat completions instead of /images.
BY_CHAT = "chat"
_INVALID = (
    "context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long invalid_request invalid_prompt "
    "payload_too_large unprocessable invalid_image image_too_large image_too_small unsupported_image_format "
    "image_download_failed image_not_found"
)
KINDS = dict.fromkeys(_INVALID.split(), _K.INVALID_INPUT) | {
    "authentication": _K.AUTH,
    "payment_required": _K.OUT_OF_CREDIT,
    "permission_denied": _K.AUTH,
    "rate_limit_exceeded": _K.THROTTLED,
    "not_found": _K.NOT_FOUND,
    "content_policy_violation": _K.CONTENT_POLICY,
    "refusal": _K.CONTENT_POLICY,
}


class OpenRouterAdapter(plain.PlainAdapter):
    """No search, no cancel, no key for repeats: class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "generate_audio", "frame_images", "input_references"}),
            states.Kind.IMAGE: frozenset({"seed", "n", "input_references"}),
            states.Kind.TEXT: frozenset({"seed", "max_tokens", "temperature", "response_format"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS)
    visits: ClassVar = (
        plain.Visit("/key"),
        plain.Visit("/models?output_modalities=all", "data", "id"),
    )

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        if ask.kind is states.Kind.TEXT:
            return chat.order(ask)
        if ask.kind is states.Kind.VIDEO:
            return plain.Order("/videos", _accepted, _video(ask))
        if ask.route == BY_CHAT:
            return plain.Order(chat.PATH, _drawn, _drawing(ask), seconds=http.GENERATE_SECONDS)
        return plain.Order("/images", pictures.read, _image(ask), seconds=http.GENERATE_SECONDS)

    def place(self, upstream_id: str) -> str:
        """By id: the polling_url has the same host and path."""
        return f"/videos/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        return words.outcome(outcomes.name(body["status"]), lambda: _finished(body), lambda: self._failed(body))

    def download_headers(self, url: str) -> dict[str, str]:
        """`unsigned_urls` need the key, in spite of their name. Everything else of theirs does not."""
        content = self.is_own(url) and urlsplit(url).path.endswith("/content")
        return self.headers() if content else {}

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        message = str(body.get("error") or "The provider failed.")
        cost = bills.of_usd((body.get("usage") or {}).get("cost")) or 0
        return base.Failed(self.dialect.named((), message), cost)


def _video(ask: base.Ask) -> dict[str, Any]:
    request = ask.request.model_dump(mode="json", exclude_none=True)
    fields = ("prompt", "size", "seed", "generate_audio", "frame_images", "input_references")
    body: dict[str, Any] = {key: request[key] for key in fields if request.get(key) not in (None, [])}
    if "size" not in body and ask.pixels is not None:
        body["resolution"] = shapes.resolution(ask.request, ask.pixels)
        body["aspect_ratio"] = shapes.aspect_ratio(ask.request, ask.pixels)
    callback = ask.callback_url if (ask.callback_url or "").startswith("https:") else None
    return {"model": ask.upstream_model, "duration": ask.seconds, "callback_url": callback} | body


def _image(ask: base.Ask) -> dict[str, Any]:
    return {
        "model": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "n": getattr(ask.request, "n", 1),
        "size": str(ask.pixels),
        "seed": getattr(ask.request, "seed", None),
        "output_format": getattr(ask.request, "format", None),
        "input_references": _pictures(ask) or None,
    }


def _drawing(ask: base.Ask) -> dict[str, Any]:
    text = {"type": "text", "text": getattr(ask.request, "prompt", "")}
    return {
        "model": ask.upstream_model,
        "messages": [{"role": "user", "content": [text, *_pictures(ask)]}],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": shapes.aspect_ratio(ask.request, ask.pixels)} if ask.pixels else None,
        "seed": getattr(ask.request, "seed", None),
    }


def _pictures(ask: base.Ask) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}} for url in inputs.references(ask.request)]


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))


def _drawn(reply: http.Reply) -> base.SubmitOutcome:
    message = reply.body["choices"][0]["message"]
    urls = [item["image_url"]["url"] for item in message.get("images") or []]
    return base.Finished(tuple(map(pictures.located, urls)), bills.of_usage(reply.body.get("usage")))


def _finished(body: dict[str, Any]) -> base.Finished:
    """`urls` are signed and need no key, but not every job has them."""
    urls = body.get("urls") or body.get("unsigned_urls") or []
    return base.Finished(
        tuple(outputs.Source(url=outcomes.name(url)) for url in urls),
        bills.of_usage(body.get("usage")),
        outcomes.name(body["id"]),
    )
