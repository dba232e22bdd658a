"""Together: videos by polling; images and texts in OpenAI's words on the held line."""

from typing import Any, ClassVar

from shared.domain import faults, models, outputs, states
from shared.providers import (
    base,
    bills,
    chat,
    dialects,
    http,
    inputs,
    openai_compatible,
    outcomes,
    pictures,
    plain,
    words,
)


class TogetherAdapter(plain.PlainAdapter):
    """No search, no cancel, no key for repeats: class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "generate_audio", "frame_images", "input_references"}),
            states.Kind.IMAGE: frozenset({"seed", "n"}),
            states.Kind.TEXT: frozenset({"seed", "max_tokens", "temperature", "response_format"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(
        kinds=openai_compatible.KINDS | {"invalid_request_error": faults.FaultKind.INVALID_INPUT}
    )
    visits: ClassVar = (plain.Visit("/v1/models", name="id"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        if ask.kind is states.Kind.TEXT:
            return chat.order(ask, f"/v1{chat.PATH}")
        if ask.kind is states.Kind.IMAGE:
            path = "/v1/images/generations"
            return plain.Order(path, pictures.read, _image(ask), seconds=http.GENERATE_SECONDS)
        return plain.Order("/v2/videos", _accepted, _video(ask))

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/v2/videos/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        return words.outcome(outcomes.name(body["status"]), lambda: _finished(body), lambda: self._failed(body))

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        found = dialects.complaint(body)
        return base.Failed(self.dialect.named(found.codes, found.message or "The video failed."))


def _image(ask: base.Ask) -> dict[str, Any]:
    return _shared(ask) | {"n": getattr(ask.request, "n", 1), "response_format": "base64"}


def _video(ask: base.Ask) -> dict[str, Any]:
    found = (("first", inputs.first_frame(ask.request)), ("last", inputs.last_frame(ask.request)))
    frames = [{"input_image": url, "frame": frame} for frame, url in found if url]
    media = plain.given(
        {"frame_images": frames or None, "reference_images": inputs.references(ask.request) or None},
    )
    return _shared(ask) | {
        "seconds": str(ask.seconds),
        "generate_audio": getattr(ask.request, "generate_audio", None),
        "media": media or None,
    }


def _shared(ask: base.Ask) -> dict[str, Any]:
    return {
        "model": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "width": ask.pixels.width if ask.pixels else None,
        "height": ask.pixels.height if ask.pixels else None,
        "seed": getattr(ask.request, "seed", None),
    }


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))


def _finished(body: dict[str, Any]) -> base.Finished:
    made = body.get("outputs") or {}
    url, cost = made.get("video_url"), bills.of_usd(made.get("cost"))
    sources = (outputs.Source(media_type="video/mp4", url=url),) if url else ()
    return base.Finished(sources, None if cost is None else outputs.Usage(cost_micros=cost), outcomes.name(body["id"]))
