"""Black Forest Labs: FLUX images."""

from typing import Any, ClassVar

from shared.domain import faults, models, outputs, states
from shared.providers import base, http, inputs, outcomes, plain, words

_K = faults.FaultKind
_MODERATED = frozenset({"Request Moderated", "Content Moderated"})
_LOST = "Task not found"
_BY_ID = "/v1/get_result?id="


class BlackForestLabsAdapter(plain.PlainAdapter):
    """A job lives in one region, and only its polling_url knows which. Class N."""

    abilities: ClassVar = models.Abilities({states.Kind.IMAGE: frozenset({"seed", "input_references"})})
    visits: ClassVar = (plain.Visit("/v1/credits"),)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return {"x-key": self.connection.key}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        body: dict[str, Any] = {
            "prompt": getattr(ask.request, "prompt", ""),
            "width": ask.pixels.width if ask.pixels else None,
            "height": ask.pixels.height if ask.pixels else None,
            "seed": getattr(ask.request, "seed", None),
            "output_format": getattr(ask.request, "format", None),
            "webhook_url": ask.callback_url,
        }
        for number, url in enumerate(inputs.references(ask.request), start=1):
            body["input_image" if number == 1 else f"input_image_{number}"] = inputs.bare(url)
        return plain.Order(f"/v1/{plain.escaped(ask.upstream_model)}", self._accepted, body)

    def place(self, upstream_id: str) -> str:
        """The id is the polling_url itself where it is one of theirs."""
        return upstream_id if self._is_theirs(upstream_id) else f"{_BY_ID}{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        status = outcomes.name(body["status"])
        if status in _MODERATED:
            return base.Failed(faults.Fault(_K.CONTENT_POLICY, f"The provider says: {status}."))
        if status == _LOST:
            return base.Failed(faults.Fault(_K.NOT_FOUND, "The provider no longer knows this job."))
        progress = outcomes.percent(body.get("progress"))
        return words.outcome(status, lambda: _finished(body), lambda: self._failed(body), progress)

    def _accepted(self, reply: http.Reply) -> base.SubmitOutcome:
        """Keep the polling_url, unless it leads to a host that must not get the key."""
        url = reply.body.get("polling_url")
        theirs = isinstance(url, str) and self._is_theirs(url)
        return base.Accepted(outcomes.name(url if theirs else reply.body["id"]))

    def _is_theirs(self, url: str) -> bool:
        """The host we asked, or another host of the same domain: api.us1.bfl.ai beside api.bfl.ai."""
        ours, theirs = plain.origin(self.connection.base_url), plain.origin(url)
        if ours is None or theirs is None:
            return False
        domain = ours[1].partition(".")[2]
        sibling = domain.count(".") == 1 and theirs[1].endswith(f".{domain}")
        return ours == theirs or (sibling and theirs[0] == "https" and theirs[2] == 443)

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        details = body.get("error") or body.get("details") or "The task failed."
        return base.Failed(self.dialect.named((), str(details)))


def _finished(body: dict[str, Any]) -> base.Finished:
    url = (body.get("result") or {}).get("sample")
    return base.Finished((outputs.Source(url=url),) if url else ())
