"""Replicate, as upstreams.md §12 has it."""

from aiohttp import web

from shared.domain import faults, states
from shared.providers import base
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "starting", "running": "processing", "done": "succeeded", "failed": "failed"}
_STATES |= {"moderated": "failed", "empty": "succeeded", "odd": "hibernating"}
_ERRORS = {"failed": "CUDA out of memory", "moderated": "NSFW content detected"}
_INPUTS: dict[states.Kind, tuple[dict[str, type], dict[str, type]]] = {
    states.Kind.VIDEO: ({"prompt": str, "duration": int, "aspect_ratio": str}, {"image": str, "last_frame": str}),
    states.Kind.IMAGE: ({"prompt": str, "aspect_ratio": str, "num_outputs": int}, {"output_format": str}),
    states.Kind.TEXT: ({"prompt": str}, {"system_prompt": str, "max_tokens": int, "temperature": float}),
}
_BY_MODEL = {"veo": states.Kind.VIDEO, "flux": states.Kind.IMAGE, "gpt": states.Kind.TEXT}


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        versioned = request.path == "/v1/predictions"
        upstream.need(
            body,
            {"input": dict, **({"version": str} if versioned else {})},
            {"webhook": str, "webhook_events_filter": list},
        )
        kind = states.Kind.VIDEO if versioned else _BY_MODEL[request.match_info["name"]]
        required, optional = _INPUTS[kind]
        upstream.need(body["input"], required, {**optional, "seed": int})
        if "Prefer" in request.headers or not request.headers["Cancel-After"].endswith("m"):
            raise web.HTTPBadRequest(text="no Prefer, and a hard stop")
        return web.json_response(_shown(up, up.accept(kind, body)), status=201)

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up, up.look(request.match_info["id"])))

    async def stop(request: web.Request) -> web.Response:
        return web.json_response({"id": request.match_info["id"], "status": "canceled"})

    return upstream.application(
        web.post("/v1/models/{owner}/{name}/predictions", submit),
        web.post("/v1/predictions", submit),
        web.get("/v1/predictions/{id}", look),
        web.post("/v1/predictions/{id}/cancel", stop),
    )


def _shown(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    output: object = None
    if job.stage == "done":
        output = {
            states.Kind.VIDEO: up.media_url(job),
            states.Kind.IMAGE: {"note": "see https://example.com/terms", "files": [{"image": up.media_url(job)}]},
            states.Kind.TEXT: [upstream.TEXT[:10], upstream.TEXT[10:]],
        }[job.kind]
    urls = {"get": f"{up.url}/v1/predictions/{job.id}", "cancel": f"{up.url}/v1/predictions/{job.id}/cancel"}
    return {
        "id": job.id,
        "status": _STATES[job.stage],
        "output": output,
        "error": _ERRORS.get(job.stage),
        "urls": urls,
        "metrics": {"predict_time": 1.5, "input_token_count": 11, "output_token_count": 7},
    }


def _said(name: str, kind: faults.FaultKind, status: int, wait_seconds: float | None = None) -> upstream.Refusal:
    return upstream.Refusal(
        name, kind, status, {"title": "No", "detail": name, "status": status}, wait_seconds=wait_seconds
    )


DIALECT = upstream.Dialect(
    name="replicate",
    build=build,
    free={"/v1/account": {"type": "organization", "username": "acme"}},
    offers=(
        upstream.Offer(states.Kind.VIDEO, "google/veo"),
        upstream.Offer(states.Kind.VIDEO, "someone/veo:5c7d5dc6dd8bf75c", route="version"),
        upstream.Offer(states.Kind.IMAGE, "someone/flux", options={"num_outputs": "{n}"}),
        upstream.Offer(states.Kind.TEXT, "openai/gpt"),
    ),
    wrong_key=_said("Invalid token", _K.AUTH, 401),
    refusals=(
        _said("input: prompt is required", _K.INVALID_INPUT, 422),
        _said("Insufficient credit", _K.OUT_OF_CREDIT, 402),
        _said("no such model", _K.NOT_FOUND, 404),
        _said("Flagged as sensitive content", _K.CONTENT_POLICY, 422),
        _said("Request was throttled. Your rate limit resets in ~30s.", _K.THROTTLED, 429, 30),
    ),
    cancels=frozenset({base.Cancellation.CONFIRMED}),
    callback="webhook",
)
