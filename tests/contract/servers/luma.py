"""Luma Dream Machine, as upstreams.md §3.1 has it."""

from aiohttp import web

from shared.domain import faults, states
from shared.providers import base
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "queued", "running": "dreaming", "done": "completed", "failed": "failed", "moderated": "failed"}
_STATES |= {"empty": "completed", "odd": "reticulating"}
_REASONS = {"failed": "out of memory", "moderated": "The prompt was blocked by content moderation"}


def build(up: upstream.Upstream) -> web.Application:
    async def video(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body,
            {"model": str, "prompt": str, "aspect_ratio": str, "resolution": str, "duration": str},
            {"keyframes": dict, "callback_url": str},
        )
        upstream.need(body.get("keyframes", {}), {}, {"frame0": dict, "frame1": dict})
        return web.json_response(_shown(up, up.accept(states.Kind.VIDEO, body)), status=201)

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body, {"model": str, "prompt": str, "aspect_ratio": str}, {"image_ref": list, "callback_url": str}
        )
        return web.json_response(_shown(up, up.accept(states.Kind.IMAGE, body)), status=201)

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up, up.look(request.match_info["id"])))

    async def stop(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    root = "/dream-machine/v1/generations"
    return upstream.application(
        web.post(f"{root}/video", video),
        web.post(f"{root}/image", image),
        web.get(f"{root}/{{id}}", look),
        web.delete(f"{root}/{{id}}", stop),
    )


def _shown(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    done = job.stage == "done"
    return {
        "id": job.id,
        "state": _STATES[job.stage],
        "failure_reason": _REASONS.get(job.stage),
        "assets": {str(job.kind): up.media_url(job)} if done else None,
    }


DIALECT = upstream.Dialect(
    name="luma",
    build=build,
    free={"/dream-machine/v1/credits": {"credit_balance": 100}},
    base_path="/dream-machine/v1",
    offers=(
        upstream.Offer(states.Kind.VIDEO, "ray-2"),
        upstream.Offer(states.Kind.IMAGE, "photon-1"),
    ),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 403, {"detail": "Not authenticated"}),
    refusals=(
        upstream.Refusal("bad field", _K.INVALID_INPUT, 400, {"detail": "Invalid aspect_ratio"}),
        upstream.Refusal("bad form", _K.INVALID_INPUT, 422, {"detail": [{"loc": ["body", "model"], "msg": "missing"}]}),
        upstream.Refusal("no credit", _K.OUT_OF_CREDIT, 402, {"detail": "Insufficient credits"}),
        upstream.Refusal("no such model", _K.NOT_FOUND, 404, {"detail": "Not Found"}),
        upstream.Refusal("moderated", _K.CONTENT_POLICY, 400, {"detail": "Blocked by content moderation"}),
        upstream.Refusal("rate", _K.THROTTLED, 429, {"detail": "Too many"}, {"Retry-After": "7"}, wait_seconds=7),
    ),
    cancels=frozenset({base.Cancellation.REQUESTED}),
    callback="callback_url",
)
