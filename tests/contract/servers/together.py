"""Together, as upstreams.md §9 has it; images and chat in OpenAI's words."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import speech, upstream

_K = faults.FaultKind
_STATES = {"queued": "queued", "running": "in_progress", "done": "completed", "failed": "failed", "moderated": "failed"}
_STATES |= {"empty": "completed", "odd": "upscaling"}
_ERRORS = {
    "failed": {"code": "internal", "message": "The worker died"},
    "moderated": {"code": "content_policy_violation", "message": "No"},
}


def build(up: upstream.Upstream) -> web.Application:
    async def video(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body,
            {"model": str, "prompt": str, "seconds": str, "width": int, "height": int},
            {"seed": int, "generate_audio": bool, "media": dict},
        )
        upstream.need(body.get("media", {}), {}, {"frame_images": list, "reference_images": list})
        return web.json_response(_shown(up, up.accept(states.Kind.VIDEO, body)))

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        required = {"model": str, "prompt": str, "width": int, "height": int, "n": int, "response_format": str}
        upstream.need(body, required, {"seed": int})
        up.accept(states.Kind.IMAGE, body)
        return web.json_response({"id": "i", "data": [{"index": 0, "b64_json": upstream.ENCODED_PICTURE}]})

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up, up.look(request.match_info["id"])))

    return upstream.application(
        web.post("/v2/videos", video),
        web.get("/v2/videos/{id}", look),
        web.post("/v1/images/generations", image),
        web.post("/v1/chat/completions", speech.chat(up)),
    )


def _shown(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    made = {"video_url": up.media_url(job), "cost": 0.25} if job.stage == "done" else None
    return {"id": job.id, "status": _STATES[job.stage], "outputs": made, "error": _ERRORS.get(job.stage)}


def _said(name: str, kind: faults.FaultKind, status: int, code: str) -> upstream.Refusal:
    return upstream.Refusal(name, kind, status, {"error": {"message": name, "type": code, "code": code}})


DIALECT = upstream.Dialect(
    name="together",
    build=build,
    free={"/v1/models": [{"id": "openai/gpt-oss-20b", "type": "chat"}]},
    offers=(
        upstream.Offer(states.Kind.VIDEO, "minimax/hailuo-02"),
        upstream.Offer(states.Kind.IMAGE, "black-forest-labs/FLUX.1-schnell", waits=False, size="1024x1024"),
        upstream.Offer(states.Kind.TEXT, "openai/gpt-oss-20b", waits=False, moderated=speech.MODERATED),
    ),
    wrong_key=_said("wrong key", _K.AUTH, 401, "invalid_api_key"),
    refusals=(
        _said("bad field", _K.INVALID_INPUT, 400, "invalid_request_error"),
        _said("no credit", _K.OUT_OF_CREDIT, 402, "credit_limit"),
        _said("no such model", _K.NOT_FOUND, 404, "model_not_available"),
        _said("moderated", _K.CONTENT_POLICY, 422, "content_policy_violation"),
        upstream.Refusal(
            "rate", _K.THROTTLED, 429, {"error": {"message": "slow"}}, {"Retry-After": "2"}, wait_seconds=2
        ),
    ),
)
