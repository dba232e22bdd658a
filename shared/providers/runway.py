"""Runway's tasks."""

from decimal import Decimal
from typing import Any, ClassVar

from shared.domain import faults, models, outputs, pricing, states
from shared.providers import base, dialects, http, inputs, outcomes, plain, words

VERSION = "2024-11-06"
# What a credit costs at Runway's list price.
CREDIT_USD = Decimal("0.01")
_K = faults.FaultKind
_FAILURES = {
    "SAFETY": _K.CONTENT_POLICY,
    "INPUT_PREPROCESSING": _K.INVALID_INPUT,
    "ASSET": _K.INVALID_INPUT,
}


class RunwayAdapter(plain.PlainAdapter):
    """Work over the account's limit is not refused but waits as THROTTLED. Class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "frame_images"}),
            states.Kind.IMAGE: frozenset({"seed", "input_references"}),
        }
    )
    dialect: ClassVar = dialects.Dialect()
    visits: ClassVar = (plain.Visit("/v1/organization"),)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return super().headers() | {"X-Runway-Version": VERSION}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        if ask.kind is states.Kind.IMAGE:
            return plain.Order("/v1/text_to_image", _accepted, _image(ask))
        frames = _frames(ask)
        path = "/v1/image_to_video" if frames else "/v1/text_to_video"
        return plain.Order(path, _accepted, _shared(ask) | {"promptImage": frames or None, "duration": ask.seconds})

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/v1/tasks/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        return words.outcome(
            outcomes.name(body["status"]),
            lambda: _finished(body),
            lambda: self._failed(body),
            outcomes.percent(body.get("progress")),
        )

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """DELETE refunds what still waits; what runs may yet finish and is charged: nobody is told which it was.
        On a finished task it deletes the outputs, so it is for cancelling only.
        """
        return outcomes.of_cancel(await self.ask("DELETE", self.place(upstream_id)), {})

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        family = str(body.get("failureCode") or "").partition(".")[0]
        message = str(body.get("failure") or "The task failed.")
        kind = _FAILURES.get(family, _K.UNAVAILABLE)
        return base.Failed(faults.Fault(kind, message[:500]), _cost_micros(body) or 0)


def _shared(ask: base.Ask) -> dict[str, Any]:
    return {
        "model": ask.upstream_model,
        "promptText": getattr(ask.request, "prompt", ""),
        "ratio": f"{ask.pixels.width}:{ask.pixels.height}" if ask.pixels else None,
        "seed": getattr(ask.request, "seed", None),
    }


def _image(ask: base.Ask) -> dict[str, Any]:
    pictures = [{"uri": url} for url in inputs.references(ask.request)]
    return _shared(ask) | {"referenceImages": pictures or None}


def _frames(ask: base.Ask) -> list[dict[str, str]]:
    found = (("first", inputs.first_frame(ask.request)), ("last", inputs.last_frame(ask.request)))
    return [{"uri": url, "position": position} for position, url in found if url]


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))


def _finished(body: dict[str, Any]) -> base.Finished:
    """A later look at the task signs its URLs anew."""
    sources = tuple(outputs.Source(url=outcomes.name(url)) for url in body.get("output") or [])
    cost = _cost_micros(body)
    return base.Finished(sources, None if cost is None else outputs.Usage(cost_micros=cost), outcomes.name(body["id"]))


def _cost_micros(body: dict[str, Any]) -> int | None:
    spent = (body.get("cost") or {}).get("credits")
    return pricing.to_micros(CREDIT_USD * Decimal(str(spent))) if isinstance(spent, int | float) else None
