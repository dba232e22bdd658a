"""MiniMax's Hailuo videos (v1)."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, dialects, http, inputs, outcomes, plain, words

_K = faults.FaultKind
KINDS = {
    "1002": _K.THROTTLED,
    "1004": _K.AUTH,  # also what a key of the other region gets
    "1008": _K.OUT_OF_CREDIT,
    "1026": _K.CONTENT_POLICY,
    "1027": _K.CONTENT_POLICY,
    "2013": _K.INVALID_INPUT,
    "2038": _K.AUTH,
    "2049": _K.AUTH,
}
_SERVERS_OWN = frozenset({1000, 1001, 1013})


def in_band(body: Mapping[str, Any]) -> dialects.Complaint | None:
    """Errors come with status 200, in `base_resp`. The server's own troubles prove nothing."""
    said = body.get("base_resp")
    code = said.get("status_code") if isinstance(said, dict) else None
    if not isinstance(code, int) or code == 0 or code in _SERVERS_OWN:
        return None
    return dialects.Complaint((str(code),), str(body["base_resp"].get("status_msg") or f"Code {code}."))


class MiniMaxAdapter(plain.PlainAdapter):
    """Callbacks are not used: their address must first answer a challenge. Class N."""

    abilities: ClassVar = models.Abilities({states.Kind.VIDEO: frozenset({"frame_images", "input_references"})})
    dialect: ClassVar = dialects.Dialect(kinds=KINDS, in_band=in_band)
    visits: ClassVar = (plain.Visit("/v1/files/retrieve?file_id=1", fine=frozenset({_K.NOT_FOUND, _K.INVALID_INPUT})),)

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        pictures = inputs.references(ask.request)
        body = {
            "model": ask.upstream_model,
            "prompt": getattr(ask.request, "prompt", ""),
            "duration": ask.seconds,
            "resolution": shapes.resolution(ask.request, ask.pixels).upper() if ask.pixels else None,
            "first_frame_image": inputs.first_frame(ask.request),
            "last_frame_image": inputs.last_frame(ask.request),
            "subject_reference": [{"type": "character", "image": pictures}] if pictures else None,
        }
        return plain.Order("/v1/video_generation", _accepted, body)

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/v1/query/video_generation?{urlencode({'task_id': upstream_id})}"

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """The task, and when it is done the file's address: two requests at most."""
        answer = await self.ask("GET", self.place(upstream_id))
        seen = outcomes.of_poll(answer, self.dialect, self.progress)
        if not isinstance(seen, base.Finished) or not seen.upstream_id:
            return seen
        file = await self.ask("GET", f"/v1/files/retrieve?{urlencode({'file_id': seen.upstream_id})}")
        return outcomes.of_poll(file, self.dialect, lambda reply: _finished(reply, upstream_id))

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """Done: with the file's id in the place of the job's, or none."""
        body = reply.body
        file_id = str(body.get("file_id") or "")
        return words.outcome(
            outcomes.name(body["status"]),
            lambda: base.Finished((), None, file_id),
            lambda: base.Failed(self.dialect.named((), _reason(body))),
        )


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["task_id"]))


def _reason(body: Mapping[str, Any]) -> str:
    return str(body.get("error_message") or "The task failed.")


def _finished(reply: http.Reply, upstream_id: str) -> base.PollOutcome:
    url = outcomes.name(reply.body["file"]["download_url"])
    return base.Finished((outputs.Source(media_type="video/mp4", url=url),), None, upstream_id)
