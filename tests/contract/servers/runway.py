"""Runway, as upstreams.md §2 has it."""

from aiohttp import web

from shared.domain import faults, states
from shared.providers import base
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "THROTTLED", "running": "RUNNING", "done": "SUCCEEDED", "failed": "FAILED", "moderated": "FAILED"}
_STATES |= {"empty": "SUCCEEDED", "odd": "DEFERRED"}
_CODES = {"failed": "INTERNAL.BAD_OUTPUT.CODE01", "moderated": "SAFETY.INPUT.TEXT"}
_SHARED = {"model": str, "promptText": str, "ratio": str}


def authorised(request: web.Request) -> bool:
    versioned = request.headers.get("X-Runway-Version") == "2024-11-06"
    return versioned and request.headers.get("Authorization") == "Bearer good-key"


def build(up: upstream.Upstream) -> web.Application:
    async def from_image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, {**_SHARED, "promptImage": list}, {"duration": int, "seed": int})
        for frame in body["promptImage"]:
            upstream.need(frame, {"uri": str, "position": str})
        return web.json_response({"id": up.accept(states.Kind.VIDEO, body).id})

    async def from_text(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, _SHARED, {"duration": int, "seed": int})
        return web.json_response({"id": up.accept(states.Kind.VIDEO, body).id})

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, _SHARED, {"seed": int, "referenceImages": list})
        return web.json_response({"id": up.accept(states.Kind.IMAGE, body).id})

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up, up.look(request.match_info["id"])))

    async def stop(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    return upstream.application(
        web.post("/v1/image_to_video", from_image),
        web.post("/v1/text_to_video", from_text),
        web.post("/v1/text_to_image", image),
        web.get("/v1/tasks/{id}", look),
        web.delete("/v1/tasks/{id}", stop),
    )


def _shown(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    body: upstream.Json = {"id": job.id, "status": _STATES[job.stage], "createdAt": "2026-11-01T00:00:00Z"}
    if job.stage == "running":
        body["progress"] = 0.42
    if job.stage == "done":
        body |= {"output": [up.media_url(job)], "cost": {"credits": 25}}
    if job.stage in _CODES:
        body |= {"failure": "It did not work.", "failureCode": _CODES[job.stage]}
    return body


DIALECT = upstream.Dialect(
    name="runway",
    build=build,
    free={"/v1/organization": {"creditBalance": 500}},
    authorised=authorised,
    offers=(
        upstream.Offer(states.Kind.VIDEO, "gen4_turbo"),
        upstream.Offer(states.Kind.VIDEO, "gen4.5", route="text", leaves_out=frozenset({"frame_images"})),
        upstream.Offer(states.Kind.IMAGE, "gen4_image"),
    ),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 401, {"error": "Invalid API key"}),
    refusals=(
        upstream.Refusal("bad field", _K.INVALID_INPUT, 400, {"error": "Validation of body failed", "issues": []}),
        upstream.Refusal("no such model", _K.NOT_FOUND, 404, {"error": "Not found"}),
        upstream.Refusal("moderated", _K.CONTENT_POLICY, 400, {"error": "Failed the content moderation."}),
        upstream.Refusal("rate", _K.THROTTLED, 429, {"error": "Slow down"}, {"Retry-After": "11"}, wait_seconds=11),
    ),
    cancels=frozenset({base.Cancellation.REQUESTED}),
    says_progress=True,
)
