"""Any server that speaks OpenAI's API: OpenAI itself, vLLM, SGLang, llama.cpp, Ollama. Chat,
embeddings, images, `/videos`.
"""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from shared.domain import faults, models, outputs, states
from shared.providers import base, chat, dialects, embeddings, http, inputs, outcomes, pictures, plain, words

_K = faults.FaultKind
KINDS = {
    "invalid_api_key": _K.AUTH,
    "insufficient_quota": _K.OUT_OF_CREDIT,
    "billing_hard_limit_reached": _K.OUT_OF_CREDIT,
    "rate_limit_exceeded": _K.THROTTLED,
    "model_not_found": _K.NOT_FOUND,
    "content_policy_violation": _K.CONTENT_POLICY,
    "moderation_blocked": _K.CONTENT_POLICY,
    "content_filter": _K.CONTENT_POLICY,
    "expired": _K.TIMED_OUT,
}
_CANCELS = {404: base.Cancellation.TOO_LATE, 405: base.Cancellation.UNSUPPORTED, 501: base.Cancellation.UNSUPPORTED}


class OpenAICompatibleAdapter(plain.PlainAdapter):
    """Nothing here deduplicates or can be searched by our reference: class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "frame_images", "input_references"}),
            states.Kind.IMAGE: frozenset({"n", "seed"}),
            states.Kind.TEXT: frozenset({"seed", "max_tokens", "temperature", "response_format"}),
            states.Kind.EMBEDDING: frozenset({"dimensions"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS)
    visits: ClassVar = (plain.Visit("/models", "data", "id"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        if ask.kind is states.Kind.TEXT:
            return chat.order(ask)
        if ask.kind is states.Kind.EMBEDDING:
            return embeddings.order(ask)
        if ask.kind is states.Kind.IMAGE:
            return plain.Order("/images/generations", pictures.read, _image(ask), seconds=http.GENERATE_SECONDS)
        return plain.Order("/videos", _accepted, form=_video(ask))

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/videos/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        progress = body.get("progress")
        return words.outcome(
            outcomes.name(body["status"]),
            lambda: self._finished(body),
            lambda: self._failed(body),
            progress if isinstance(progress, int) else None,
        )

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """DELETE: made for finished videos; servers that stop a running one with it do so without saying."""
        return outcomes.of_cancel(await self.ask("DELETE", self.place(upstream_id)), _CANCELS)

    def download_headers(self, url: str) -> dict[str, str]:
        """Only the content of a video needs the key."""
        return self.headers() if self.is_own(url) and urlsplit(url).path.endswith("/content") else {}

    def _finished(self, body: dict[str, Any]) -> base.Finished:
        upstream_id = outcomes.name(body["id"])
        url = f"{self.connection.base_url}{self.place(upstream_id)}/content"
        return base.Finished((outputs.Source(media_type="video/mp4", url=url),), None, upstream_id)

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        found = dialects.complaint(body)
        return base.Failed(self.dialect.named(found.codes, found.message or "The provider failed."))


def _image(ask: base.Ask) -> dict[str, Any]:
    """What every server takes; the rest (`quality`, `response_format`) is the endpoint's options."""
    return {
        "model": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "n": getattr(ask.request, "n", 1),
        "size": str(ask.pixels),
        "output_format": getattr(ask.request, "format", None),
        "seed": getattr(ask.request, "seed", None),
    }


def _video(ask: base.Ask) -> http.Form:
    """Always a form, as OpenAI's own client sends it."""
    picture = inputs.first_frame(ask.request) or next(iter(inputs.references(ask.request)), None)
    fields: dict[str, Any] = {
        "model": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "seconds": ask.seconds,
        "size": ask.pixels,
        "seed": getattr(ask.request, "seed", None),
    }
    form: dict[str, str | http.File] = {
        key: str(value) for key, value in plain.given({**fields, **plain.options(ask)}).items()
    }
    return form if picture is None else form | {"input_reference": inputs.file(picture)}


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))
