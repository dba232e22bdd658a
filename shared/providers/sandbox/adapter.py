"""The adapter for the sandbox provider; its wire format is in README.md beside this file."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from shared.domain import faults, models, outputs, requests, states
from shared.providers import base, http

_FAULTS = {
    "throttled": faults.FaultKind.THROTTLED,
    "rate_limited": faults.FaultKind.THROTTLED,
    "unavailable": faults.FaultKind.UNAVAILABLE,
    "invalid_input": faults.FaultKind.INVALID_INPUT,
    "content_policy": faults.FaultKind.CONTENT_POLICY,
    "unauthenticated": faults.FaultKind.AUTH,
    "out_of_credit": faults.FaultKind.OUT_OF_CREDIT,
    "model_not_found": faults.FaultKind.NOT_FOUND,
    "not_found": faults.FaultKind.NOT_FOUND,
}
_BY_STATUS = {
    400: faults.FaultKind.INVALID_INPUT,
    401: faults.FaultKind.AUTH,
    402: faults.FaultKind.OUT_OF_CREDIT,
    404: faults.FaultKind.NOT_FOUND,
    422: faults.FaultKind.INVALID_INPUT,
    429: faults.FaultKind.THROTTLED,
}
_RUNNING = frozenset({"queued", "running"})


class SandboxAdapter:
    """Speaks to one account of the sandbox, which decides its doubt class."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"seed", "n", "generate_audio", "frame_images", "input_references"}),
            states.Kind.IMAGE: frozenset({"seed", "n", "input_references"}),
            states.Kind.TEXT: frozenset({"seed", "max_tokens", "temperature", "response_format"}),
            states.Kind.EMBEDDING: frozenset({"dimensions"}),
        },
        doubts=(models.Doubt.KEYED, models.Doubt.SEARCHABLE),
    )

    def __init__(self, connection: base.Connection) -> None:
        self._connection = connection
        self.doubt: models.Doubt = self.abilities.doubt(connection.provider.doubt)

    async def submit(self, ask: base.Ask) -> base.SubmitOutcome:
        """See base.Adapter. A 5xx with the sandbox's own error body means: not accepted."""
        body = {
            "kind": ask.kind,
            "model": ask.upstream_model,
            "reference": ask.reference,
            "input": _input(ask),
        }
        if ask.callback_url:
            body["callback_url"] = ask.callback_url
        keyed = {"Idempotency-Key": ask.reference} if self.doubt is models.Doubt.KEYED else {}
        reply = await self._send("POST", "/v1/generations", http.SUBMIT_SECONDS, body, keyed)
        if isinstance(reply, http.NeverSent):
            return base.NotSent(faults.Fault(faults.FaultKind.UNAVAILABLE, f"Not reached: {reply.message}."))
        if isinstance(reply, http.Lost):
            return base.Unknown(f"The answer was lost: {reply.message}.")
        try:
            return _submit_outcome(reply)
        except http.MISSHAPEN:
            return base.Unknown(f"Status {reply.status} with a body nobody understands.")

    async def find(self, reference: str) -> base.Accepted | None:
        """See base.Adapter."""
        reply = await self._send("GET", f"/v1/generations?reference={reference}", http.POLL_SECONDS)
        if not isinstance(reply, http.Reply) or reply.status != 200 or reply.json is None:
            raise base.LookupFailedError
        found = reply.json.get("data") or []
        return base.Accepted(str(found[0]["id"])) if found else None

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """See base.Adapter."""
        reply = await self._send("GET", f"/v1/generations/{upstream_id}", http.POLL_SECONDS)
        if not isinstance(reply, http.Reply):
            return base.PollLost(reply.message)
        if reply.status == 404:
            return base.Failed(faults.Fault(faults.FaultKind.NOT_FOUND, "The provider no longer knows this job."))
        if reply.status != 200 or reply.json is None:
            return base.PollLost(f"status {reply.status}", reply.retry_after_seconds)
        try:
            return _poll_outcome(reply.json)
        except http.MISSHAPEN:
            return base.PollLost("a body nobody understands")

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """See base.Adapter."""
        reply = await self._send("POST", f"/v1/generations/{upstream_id}/cancel", http.POLL_SECONDS)
        if not isinstance(reply, http.Reply) or reply.status >= 500:
            return base.Cancellation.REQUESTED
        if reply.status == 409:
            return base.Cancellation.TOO_LATE
        confirmed = reply.json is not None and reply.json.get("status") == "cancelled"
        return base.Cancellation.CONFIRMED if confirmed else base.Cancellation.REQUESTED

    def download_headers(self, url: str) -> dict[str, str]:
        """See base.Adapter."""
        own = urlsplit(self._connection.base_url).netloc == urlsplit(url).netloc
        return self._headers() if own else {}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._connection.key}"}

    async def _send(
        self,
        method: str,
        path: str,
        seconds: float,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.Reply | http.NeverSent | http.Lost:
        submits_in_doubt = method == "POST" and body is not None and self.doubt is not models.Doubt.KEYED
        client = self._connection.fresh_client if submits_in_doubt else self._connection.client
        url = self._connection.base_url + path
        return await http.send(
            client, method, url, headers=self._headers() | (headers or {}), body=body, seconds=seconds
        )


def _input(ask: base.Ask) -> dict[str, Any]:
    own = ask.request.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude=set(requests.Request.model_fields)
    )
    if ask.pixels is not None:
        own["size"] = str(ask.pixels)
    if ask.seconds is not None:
        own["duration"] = ask.seconds
    return own


def _submit_outcome(reply: http.Reply) -> base.SubmitOutcome:
    body = reply.json
    if body is None:
        return base.Unknown(f"Status {reply.status} with a body that is not JSON.")
    # A finished generation that failed carries an error, too; but it has an id, and maybe a price.
    if body.get("error") and not body.get("id"):
        return base.Refused(_fault(reply.status, body, reply.retry_after_seconds))
    upstream_id = body.get("id")
    if not isinstance(upstream_id, str) or not upstream_id or reply.status not in {200, 202}:
        return base.Unknown(f"Status {reply.status} with a body nobody understands.")
    outcome = _poll_outcome(body) if reply.status == 200 else base.Running()
    return outcome if isinstance(outcome, base.Finished | base.Failed) else base.Accepted(upstream_id)


def _poll_outcome(body: dict[str, Any]) -> base.PollOutcome:
    status = str(body.get("status"))
    if status == "succeeded":
        return base.Finished(_sources(body), _usage(body), str(body.get("id")))
    if status in {"failed", "cancelled"}:
        message = str((body.get("error") or {}).get("message") or f"The provider says: {status}.")
        cost = int(body.get("cost_micros") or 0)
        return base.Failed(faults.Fault(faults.FaultKind.UNAVAILABLE, message[:500]), cost)
    odd = None if status in _RUNNING else status
    return base.Running(int(body.get("progress") or 0), odd_status=odd)


def _fault(status: int, body: dict[str, Any], retry_after_seconds: float | None) -> faults.Fault:
    error = body["error"] if isinstance(body["error"], dict) else {"message": str(body["error"])}
    fallback = _BY_STATUS.get(status, faults.FaultKind.UNAVAILABLE)
    kind = _FAULTS.get(str(error.get("code")), fallback)
    return faults.Fault(kind, str(error.get("message") or kind)[:500], retry_after_seconds)


def _sources(body: dict[str, Any]) -> tuple[outputs.Source, ...]:
    return tuple(
        outputs.Source(media_type=item.get("media_type"), url=item.get("url"), text=item.get("text"))
        for item in body.get("outputs") or []
    )


def _usage(body: dict[str, Any]) -> outputs.Usage:
    usage = body.get("usage") or {}
    return outputs.Usage(
        cost_micros=body.get("cost_micros"),
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
    )
