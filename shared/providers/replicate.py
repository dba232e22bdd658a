"""Replicate's predictions, for models by name (`owner/name`) and by version (`owner/name:version`)."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from shared.domain import models, outputs, requests, shapes, states
from shared.providers import base, bills, dialects, files, http, inputs, outcomes, plain, words

# A prediction is stopped by Replicate itself after this, so that a lost one does not run for ever.
HARD_STOP = "60m"
FILE_HOST = ".replicate.delivery"
_WAIT = re.compile(r"resets in ~?(\d+)\s*s")
_CANCELS = {404: base.Cancellation.TOO_LATE, 405: base.Cancellation.UNSUPPORTED}


def complaint(body: Mapping[str, Any]) -> dialects.Complaint:
    """`{"title", "detail", "status"}`; the seconds to wait are in the prose of a 429."""
    message = str(body.get("detail") or body.get("title") or "")
    wait = _WAIT.search(message)
    return dialects.Complaint((), message, min(float(wait[1]), http.LONGEST_WAIT_SECONDS) if wait else None)


class ReplicateAdapter(plain.PlainAdapter):
    """Inputs differ by model: the endpoint's options say what this one calls them. Class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "frame_images"}),
            states.Kind.IMAGE: frozenset({"seed"}),
            states.Kind.TEXT: frozenset({"max_tokens", "temperature"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(read=complaint)
    visits: ClassVar = (plain.Visit("/v1/account"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter. Never with `Prefer: wait`, which would hold the line."""
        name, _, version = ask.upstream_model.partition(":")
        body: dict[str, Any] = {"version": version} if version else {}
        body["input"] = _input(ask)
        if ask.callback_url:
            body |= {"webhook": ask.callback_url, "webhook_events_filter": ["completed"]}
        path = "/v1/predictions" if version else f"/v1/models/{plain.escaped(name)}/predictions"
        return plain.Order(path, _accepted, body, headers={"Cancel-After": HARD_STOP}, under="input")

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/v1/predictions/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        body = reply.body
        return words.outcome(outcomes.name(body["status"]), lambda: self._finished(body), lambda: self._failed(body))

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """Confirmed when the answer shows the prediction as canceled."""
        answer = await self.ask("POST", f"{self.place(upstream_id)}/cancel")
        said = str(answer.json.get("status")) if isinstance(answer, http.Reply) and answer.json else ""
        if said in {"canceled", "aborted"}:
            return base.Cancellation.CONFIRMED
        if said in {"succeeded", "failed"}:
            return base.Cancellation.TOO_LATE
        return outcomes.of_cancel(answer, _CANCELS)

    def _finished(self, body: dict[str, Any]) -> base.Finished:
        """Media are URLs or data: URLs wherever they stand in the output; a text is one string or its pieces."""
        output, upstream_id = body.get("output"), outcomes.name(body["id"])
        found = files.sources(output, self._is_file)
        if not found and output:
            pieces = output if isinstance(output, list) else [output]
            text = "".join(piece for piece in pieces if isinstance(piece, str)).replace("\0", "")
            found = (outputs.Source(media_type="text/plain", text=text),) if text else ()
        return base.Finished(found, _usage(body.get("metrics")), upstream_id)

    def _is_file(self, text: str) -> bool:
        """Files are on hosts of their own; any other URL is part of a text."""
        origin = plain.origin(text)
        theirs = origin is not None and (origin[1].endswith(FILE_HOST) or self.is_own(text))
        return theirs or text.startswith("data:")

    def _failed(self, body: dict[str, Any]) -> base.Failed:
        return base.Failed(self.dialect.named((), str(body.get("error") or "The prediction failed.")))


def _input(ask: base.Ask) -> dict[str, Any]:
    request = ask.request
    if isinstance(request, requests.TextRequest):
        return _conversation(request)
    assert not isinstance(request, requests.EmbeddingRequest)  # noqa: S101 - the catalog's check: not among `abilities`
    return {
        "prompt": request.prompt,
        "aspect_ratio": shapes.aspect_ratio(request, ask.pixels) if ask.pixels else None,
        "seed": request.seed,
        "duration": ask.seconds,
        "output_format": getattr(request, "format", None),
        "image": inputs.first_frame(request),
        "last_frame": inputs.last_frame(request),
    }


def _conversation(request: requests.TextRequest) -> dict[str, Any]:
    """Its text models take one prompt; turns are told apart by their roles."""
    turns = request.turns()
    system = "\n\n".join(turn.content for turn in turns if turn.role == "system")
    said = [turn for turn in turns if turn.role != "system"]
    one = said[0].content if len(said) == 1 else "\n\n".join(f"{turn.role}: {turn.content}" for turn in said)
    return {
        "prompt": one,
        "system_prompt": system or None,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["id"]))


def _usage(metrics: Any) -> outputs.Usage | None:  # noqa: ANN401 - anything a provider sends
    if not isinstance(metrics, dict) or "output_token_count" not in metrics:
        return None
    return outputs.Usage(
        input_tokens=bills.count(metrics.get("input_token_count")),
        output_tokens=bills.count(metrics.get("output_token_count")),
    )
