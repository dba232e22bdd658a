"""Stability. A model is a route of theirs (`stable-image/generate/core`): some answer at once, some want polling."""

import base64
from typing import Any, ClassVar

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, dialects, http, inputs, outcomes, plain

_K = faults.FaultKind
KINDS = {
    "content_moderation": _K.CONTENT_POLICY,
    "bad_request": _K.INVALID_INPUT,
    "invalid_prompts": _K.CONTENT_POLICY,
    "unauthorized": _K.AUTH,
    "payment_required": _K.OUT_OF_CREDIT,
    "rate_limit_exceeded": _K.THROTTLED,
}
FILTERED = "CONTENT_FILTERED"
RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
# The keys of a result in base64, by route.
_RESULTS = ("image", "video", "result")


class StabilityAdapter(plain.PlainAdapter):
    """Results come as bytes, never by URL. No search, no cancel: class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "frame_images"}),
            states.Kind.IMAGE: frozenset({"seed", "input_references"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS)
    visits: ClassVar = (plain.Visit("/v1/user/balance"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter. JSON is asked for, so that both sorts of route answer alike."""
        path = f"/v2beta/{plain.escaped(ask.upstream_model)}"
        headers = {"Accept": "application/json"}
        return plain.Order(
            path, lambda reply: _submitted(reply, ask), form=_form(ask), seconds=http.GENERATE_SECONDS, headers=headers
        )

    def place(self, upstream_id: str) -> str:
        """The id has its path in it: `results/ID`, `image-to-video/result/ID`."""
        return f"/v2beta/{plain.escaped(upstream_id)}"

    def headers(self) -> dict[str, str]:
        """Polls ask for the bytes themselves, in any form."""
        return super().headers() | {"Accept": "*/*"}

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """202 while it runs; then the bytes, or their base64 in JSON."""
        if reply.status == 202:
            said = str(reply.body.get("status") or "in-progress")
            return base.Running(odd_status=None if said == "in-progress" else said)
        if (reply.headers.get("finish-reason") or (reply.json or {}).get("finish_reason")) == FILTERED:
            return base.Failed(faults.Fault(_K.CONTENT_POLICY, "The provider filtered the result."))
        return base.Finished(_sources(reply))


def _form(ask: base.Ask) -> http.Form:
    request = ask.request
    picture = inputs.first_frame(request) or next(iter(inputs.references(request)), None)
    if ask.kind is states.Kind.VIDEO and picture is None:
        raise inputs.UnusableInputError("This provider makes videos from a picture only; send a first_frame.")
    fields: dict[str, Any] = {"seed": getattr(request, "seed", None)}
    if ask.kind is states.Kind.IMAGE:
        fields["prompt"] = getattr(request, "prompt", "")
        fields["output_format"] = getattr(request, "format", None)
        # A picture to start from has a shape of its own.
        fields["aspect_ratio"] = (
            shapes.aspect_ratio(request, ask.pixels, RATIOS) if ask.pixels and not picture else None
        )
    form: dict[str, str | http.File] = {
        key: str(value) for key, value in plain.given({**fields, **plain.options(ask)}).items()
    }
    return form | ({"image": inputs.file(picture)} if picture else {})


def _submitted(reply: http.Reply, ask: base.Ask) -> base.SubmitOutcome:
    body = reply.body
    if body.get("finish_reason") == FILTERED:
        return base.Failed(faults.Fault(_K.CONTENT_POLICY, "The provider filtered the result."))
    if any(body.get(key) for key in _RESULTS):
        return base.Finished(_sources(reply))
    upstream_id = outcomes.name(body["id"])
    results = "image-to-video/result" if ask.kind is states.Kind.VIDEO else "results"
    return base.Accepted(f"{results}/{upstream_id}")


def _sources(reply: http.Reply) -> tuple[outputs.Source, ...]:
    if reply.json is None:
        if reply.media_type.partition("/")[0] not in {"image", "video"} and reply.content:
            raise ValueError("neither a result nor JSON")
        return (outputs.Source(media_type=reply.media_type, body=reply.content),) if reply.content else ()
    encoded = next((reply.json[key] for key in _RESULTS if reply.json.get(key)), None)
    return (outputs.Source(body=base64.b64decode(encoded, validate=True)),) if encoded else ()
