"""ComfyUI: a graph of the operator's own, filled in and queued. Keep it on a private network: it asks for no key."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from shared.domain import faults, models, outputs, states, templates
from shared.providers import base, dialects, http, inputs, outcomes, plain

_K = faults.FaultKind
# Our references are no UUIDs, and ComfyUI insists on one: each reference has one of its own, always the same.
_NAMES = uuid.UUID("a7a1d3f0-2f5e-4f0f-9a53-6f2f0f6c7d10")
WORKFLOW = "workflow"
SEEDS = 2**48
_PILES = ("images", "gifs", "videos", "audio")


class ComfyUIAdapter(plain.PlainAdapter):
    """We choose the prompt_id, but a repeated one is queued again: it can be searched, not repeated. Class L."""

    abilities: ClassVar = models.Abilities(
        {states.Kind.VIDEO: frozenset(), states.Kind.IMAGE: frozenset()}, doubts=(models.Doubt.SEARCHABLE,)
    )
    dialect: ClassVar = dialects.Dialect()
    visits: ClassVar = (plain.Visit("/system_stats"),)

    def order(self, ask: base.Ask) -> plain.Order:
        """The graph is the endpoint's option `workflow`, in ComfyUI's API format, with places such as {prompt}."""
        graph = ask.options.get(WORKFLOW)
        if not isinstance(graph, dict):
            raise inputs.UnusableInputError("The catalog has no options.workflow for this endpoint.")
        prompt_id = name_of(ask.reference)
        # A sampler must have a seed. One made from the reference stays the same if the ask is looked into again.
        values = dict(inputs.values(ask))
        if values["seed"] is None:
            values["seed"] = uuid.UUID(prompt_id).int % SEEDS
        body = {"prompt": templates.fill(graph, values), "prompt_id": prompt_id, "client_id": prompt_id}
        return plain.Order("/prompt", _accepted, body)

    def additions(self, ask: base.Ask) -> Mapping[str, Any]:
        """Everything but the graph goes beside it, such as `front` or `extra_data`."""
        return {key: value for key, value in plain.options(ask).items() if key != WORKFLOW}

    def place(self, upstream_id: str) -> str:
        """See plain.PlainAdapter."""
        return f"/history/{plain.escaped(upstream_id)}"

    async def find(self, reference: str) -> base.Accepted | None:
        """Both live in memory: after a restart of the server nothing is found, and nothing runs."""
        upstream_id = name_of(reference)
        seen = await self.poll(upstream_id)
        if isinstance(seen, base.PollLost):
            raise base.LookupFailedError
        gone = isinstance(seen, base.Failed) and seen.fault.kind is _K.NOT_FOUND
        return None if gone else base.Accepted(upstream_id)

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """The queue first, then the history: a job that ends between the two looks is found in the second."""
        waiting = outcomes.of_poll(
            await self.ask("GET", "/queue"), self.dialect, lambda reply: _in_queue(reply, upstream_id)
        )
        if not isinstance(waiting, base.Finished):
            return waiting
        history = await self.ask("GET", self.place(upstream_id))
        return outcomes.of_poll(history, self.dialect, lambda reply: self._ended(reply, upstream_id))

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """Older servers only let go of what still waits. Their /interrupt is not used: it stops whatever runs."""
        answer = await self.ask("POST", f"/api/jobs/{plain.escaped(upstream_id)}/cancel", {})
        if isinstance(answer, http.Reply) and answer.status == 200 and answer.json is not None:
            stopped = bool(answer.json.get("cancelled"))
            return base.Cancellation.CONFIRMED if stopped else base.Cancellation.TOO_LATE
        if isinstance(answer, http.Reply) and answer.status in {404, 405}:
            await self.ask("POST", "/queue", {"delete": [upstream_id]})
        return base.Cancellation.REQUESTED

    def download_headers(self, url: str) -> dict[str, str]:
        """A key is for the proxy that guards the server, files included."""
        return self.headers() if self.is_own(url) else {}

    def _ended(self, reply: http.Reply, upstream_id: str) -> base.PollOutcome:
        entry = reply.body.get(upstream_id)
        if entry is None:
            return base.Failed(faults.Fault(_K.NOT_FOUND, "Neither queued nor done: the server was restarted."))
        status = entry.get("status") or {}
        if status.get("status_str") == "error":
            return base.Failed(_why(status.get("messages") or []))
        files = _files(entry.get("outputs") or {})
        urls = (f"{self.connection.base_url}/view?{urlencode(file)}" for file in files)
        return base.Finished(tuple(outputs.Source(url=url) for url in urls), None, upstream_id)


def name_of(reference: str) -> str:
    """The prompt_id of one of our references."""
    return str(uuid.uuid5(_NAMES, reference))


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["prompt_id"]))


def _in_queue(reply: http.Reply, upstream_id: str) -> base.PollOutcome:
    """Finished here means: not in the queue (any more)."""
    waiting = [item[1] for pile in ("queue_running", "queue_pending") for item in reply.body[pile]]
    return base.Running() if upstream_id in waiting else base.Finished(())


def _why(messages: list[Any]) -> faults.Fault:
    told = {kind: details for kind, details in messages if isinstance(details, dict)}
    if "execution_interrupted" in told:
        return faults.Fault(_K.UNAVAILABLE, "It was interrupted on the server.")
    error = told.get("execution_error", {})
    message = f"{error.get('node_type', 'A node')}: {error.get('exception_message', 'failed')}"
    return faults.Fault(_K.UNAVAILABLE, message[:500])


def _files(nodes: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the nodes saved; previews (`temp`) only if there is nothing else."""
    found = [item for node in nodes.values() for pile in _PILES for item in node.get(pile) or []]
    kept = [item for item in found if item.get("type") == "output"] or found
    for item in kept:
        yield {key: str(item.get(key, "")) for key in ("filename", "subfolder", "type")}
