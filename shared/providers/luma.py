"""Luma's Dream Machine generations."""

from typing import Any, ClassVar

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, http, inputs, outcomes, plain, words


class LumaAdapter(plain.PlainAdapter):
    """No search and no key for repeats: class N."""

    abilities: ClassVar = models.Abilities(
        {states.Kind.VIDEO: frozenset({"frame_images"}), states.Kind.IMAGE: frozenset({"input_references"})}
    )
    visits: ClassVar = (plain.Visit("/credits"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        request = ask.request
        body: dict[str, Any] = {
            "model": ask.upstream_model,
            "prompt": getattr(request, "prompt", ""),
            "aspect_ratio": shapes.aspect_ratio(request, ask.pixels) if ask.pixels else None,
            "callback_url": ask.callback_url,
        }
        if ask.kind is states.Kind.IMAGE:
            pictures = [{"url": url} for url in inputs.references(request)]
            return plain.Order("/generations/image", _accepted, body | {"image_ref": pictures or None})
        body["resolution"] = shapes.resolution(request, ask.pixels) if ask.pixels else None
        body["duration"] = f"{ask.seconds}s"
        return plain.Order("/generations/video", _accepted, body | {"keyframes": _keyframes(ask) or None})

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/generations/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        return words.outcome(outcomes.name(body["state"]), lambda: _finished(body), lambda: self._failed(body))

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """DELETE: what it does to a generation that runs is not written anywhere, so it is a request."""
        return outcomes.of_cancel(await self.ask("DELETE", self.place(upstream_id)), {})

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        reason = str(body.get("failure_reason") or "The generation failed.")
        return base.Failed(self.dialect.named((), reason, faults.FaultKind.UNAVAILABLE))


def _keyframes(ask: base.Ask) -> dict[str, dict[str, str]]:
    found = (("frame0", inputs.first_frame(ask.request)), ("frame1", inputs.last_frame(ask.request)))
    return {name: {"type": "image", "url": url} for name, url in found if url}


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))


def _finished(body: dict[str, Any]) -> base.Finished:
    assets = body.get("assets") or {}
    url = assets.get("video") or assets.get("image")
    return base.Finished((outputs.Source(url=url),) if url else (), None, outcomes.name(body["id"]))
