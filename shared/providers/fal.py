"""fal's queue: submit, look at the status, and only when it is COMPLETED learn from the result whether it went well."""

from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, dialects, http, inputs, outcomes, pictures, plain, words

_K = faults.FaultKind
KINDS = {
    "content_policy_violation": _K.CONTENT_POLICY,
    "no_media_generated": _K.CONTENT_POLICY,
    "request_timeout": _K.TIMED_OUT,
    "startup_timeout": _K.TIMED_OUT,
    "generation_timeout": _K.TIMED_OUT,
    "downstream_service_unavailable": _K.UNAVAILABLE,
}
# How long a job may wait for its start; the default of limits.stuck_seconds.
START_SECONDS = 1800
_CANCELS = {400: base.Cancellation.TOO_LATE, 404: base.Cancellation.TOO_LATE}
_GATEWAY = frozenset({502, 503, 504})


class FalAdapter(plain.PlainAdapter):
    """Inputs differ by model: the endpoint's options say what this one calls them. Class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "frame_images"}),
            states.Kind.IMAGE: frozenset({"seed", "n"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return {"Authorization": f"Key {self.connection.key}"}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter. fal's own repeats are switched off: each would be paid for."""
        query = f"?{urlencode({'fal_webhook': ask.callback_url})}" if ask.callback_url else ""
        headers = {"X-Fal-Request-Timeout": str(START_SECONDS), "X-Fal-No-Retry": "1"}
        body = _video(ask) if ask.kind is states.Kind.VIDEO else _image(ask)
        return plain.Order(f"/{plain.escaped(ask.upstream_model)}{query}", self._accepted, body, headers=headers)

    def place(self, upstream_id: str) -> str:
        """The id is the path of response_url as fal gave it: it leaves out parts of the model's name."""
        return f"/{upstream_id}"

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """The status, and when that says COMPLETED the result: two requests at most."""
        status = await self.ask("GET", f"{self.place(upstream_id)}/status")
        seen = outcomes.of_poll(status, self.dialect, _stage)
        if not isinstance(seen, base.Finished):
            return seen
        return self._result(await self.ask("GET", self.place(upstream_id)), upstream_id)

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """202 is a request; a job that ran may still finish."""
        return outcomes.of_cancel(await self.ask("PUT", f"{self.place(upstream_id)}/cancel"), _CANCELS)

    def _accepted(self, reply: http.Reply) -> base.SubmitOutcome:
        url = outcomes.name(reply.body["response_url"])
        if not self.is_own(url):
            raise ValueError("a response_url on another host")
        return base.Accepted(urlsplit(url).path.strip("/"))

    def _result(self, answer: http.Answer, upstream_id: str) -> base.PollOutcome:
        """A job that is completed and whose result is an error has failed, unless it is the gateway that fails."""
        if not isinstance(answer, http.Reply):
            return base.PollLost(answer.message)
        fault = self.dialect.fault(answer)
        if fault is None:
            return outcomes.of_poll(answer, self.dialect, lambda reply: _finished(reply, upstream_id))
        if fault.kind in {_K.THROTTLED, _K.AUTH} or (answer.status in _GATEWAY and not answer.json):
            return base.PollLost(f"status {answer.status}", fault.retry_after_seconds)
        return base.Failed(fault)


def _stage(reply: http.Reply) -> base.PollOutcome:
    done = base.Finished(())
    return words.outcome(outcomes.name(reply.body["status"]), lambda: done, lambda: done)


def _finished(reply: http.Reply, upstream_id: str) -> base.PollOutcome:
    """Files are objects with a `url`; the prompt, which may hold URLs too, comes back beside them."""
    found = [item for item in _objects(reply.body) if isinstance(item.get("url"), str)]
    sources = (
        outputs.Source(media_type=item.get("content_type"), url=item["url"])
        if not item["url"].startswith("data:")
        else pictures.located(item["url"])
        for item in found
    )
    return base.Finished(tuple(sources), None, upstream_id)


def _objects(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [found for item in value for found in _objects(item)]
    if isinstance(value, dict):
        return [value, *_objects(list(value.values()))]
    return []


def _video(ask: base.Ask) -> dict[str, Any]:
    request = ask.request
    return {
        "prompt": getattr(request, "prompt", ""),
        "duration": ask.seconds,
        "aspect_ratio": shapes.aspect_ratio(request, ask.pixels) if ask.pixels else None,
        "resolution": shapes.resolution(request, ask.pixels) if ask.pixels else None,
        "seed": getattr(request, "seed", None),
        "image_url": inputs.first_frame(request),
        "end_image_url": inputs.last_frame(request),
    }


def _image(ask: base.Ask) -> dict[str, Any]:
    request = ask.request
    return {
        "prompt": getattr(request, "prompt", ""),
        "image_size": {"width": ask.pixels.width, "height": ask.pixels.height} if ask.pixels else None,
        "num_images": getattr(request, "n", 1),
        "seed": getattr(request, "seed", None),
        "output_format": getattr(request, "format", None),
    }
