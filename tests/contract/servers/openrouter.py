"""OpenRouter, as openrouter.md has it."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import speech, upstream

_K = faults.FaultKind
_STATES = {"queued": "pending", "running": "in_progress", "done": "completed", "failed": "failed"}
_STATES |= {"moderated": "failed", "empty": "completed", "odd": "rendering"}
_ERRORS = {"failed": "The provider did not deliver", "moderated": "Content policy violation"}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.04, "is_byok": False}


def build(up: upstream.Upstream) -> web.Application:
    async def video(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body,
            {"model": str, "prompt": str, "duration": int, "resolution": str, "aspect_ratio": str},
            {"frame_images": list, "input_references": list, "generate_audio": bool, "seed": int, "callback_url": str},
        )
        for frame in body.get("frame_images", []):
            upstream.need(frame, {"type": str, "image_url": dict, "frame_type": str})
        job = up.accept(states.Kind.VIDEO, body)
        return web.json_response({"id": job.id, "polling_url": _place(up, job), "status": "pending"}, status=202)

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up, up.look(request.match_info["id"])))

    async def content(_request: web.Request) -> web.Response:
        return web.Response(body=upstream.FILM, content_type="video/mp4")

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        required = {"model": str, "prompt": str, "n": int, "size": str}
        upstream.need(body, required, {"seed": int, "output_format": str, "input_references": list})
        up.accept(states.Kind.IMAGE, body)
        item = {"b64_json": upstream.ENCODED_PICTURE, "media_type": "image/png"}
        return web.json_response({"created": 0, "data": [item], "usage": _USAGE})

    async def chat(request: web.Request) -> web.Response:
        if "modalities" not in (body := await upstream.read(request)):
            return await speech.chat(up)(request)
        required = {"model": str, "messages": list, "modalities": list}
        upstream.need(body, required, {"seed": int, "image_config": dict})
        up.accept(states.Kind.IMAGE, body)
        picture = {"image_url": {"url": f"data:image/png;base64,{upstream.ENCODED_PICTURE}"}}
        return web.json_response(speech.answer({"role": "assistant", "content": "", "images": [picture]}))

    root = "/api/v1"
    return upstream.application(
        web.post(f"{root}/videos", video),
        web.get(f"{root}/videos/{{id}}", look),
        web.get(f"{root}/videos/{{id}}/content", content),
        web.post(f"{root}/images", image),
        web.post(f"{root}/chat/completions", chat),
    )


def _place(up: upstream.Upstream, job: upstream.Job) -> str:
    return f"{up.url}/api/v1/videos/{job.id}"


def _shown(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    body: upstream.Json = {"id": job.id, "polling_url": _place(up, job), "status": _STATES[job.stage]}
    if job.stage in _ERRORS:
        body["error"] = _ERRORS[job.stage]
    if job.stage == "done":
        body |= {"unsigned_urls": [f"{_place(up, job)}/content?index=0"], "usage": {"cost": 0.052, "is_byok": False}}
    return body


def _said(name: str, kind: faults.FaultKind, status: int, word: str) -> upstream.Refusal:
    error = {"code": status, "message": name, "metadata": {"error_type": word}}
    return upstream.Refusal(name, kind, status, {"error": error, "user_id": "user_x"})


_SLOW = {"error": {"code": 429, "message": "Rate limited", "metadata": {"error_type": "rate_limit_exceeded"}}}

DIALECT = upstream.Dialect(
    name="openrouter",
    build=build,
    free={"/api/v1/key": {"data": {"label": "sk-or"}}, "/api/v1/models": {"data": [{"id": "openai/gpt-5-mini"}]}},
    base_path="/api/v1",
    guards_media=True,
    gone_status=410,
    offers=(
        upstream.Offer(states.Kind.VIDEO, "google/veo-3.1"),
        upstream.Offer(states.Kind.IMAGE, "google/gemini-2.5-flash-image", waits=False, size="1024x1024"),
        upstream.Offer(states.Kind.IMAGE, "google/gemini-2.5-flash-image", waits=False, route="chat"),
        upstream.Offer(states.Kind.TEXT, "openai/gpt-5-mini", waits=False, moderated=speech.MODERATED),
    ),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 401, {"error": {"message": "User not found.", "code": 401}}),
    refusals=(
        _said("Duration 99s is not supported", _K.INVALID_INPUT, 400, "invalid_request"),
        _said("no credits", _K.OUT_OF_CREDIT, 402, "payment_required"),
        _said("no endpoints", _K.NOT_FOUND, 404, "not_found"),
        _said("guardrail", _K.AUTH, 403, "permission_denied"),
        _said("flagged", _K.CONTENT_POLICY, 400, "content_policy_violation"),
        _said("refused", _K.CONTENT_POLICY, 403, "refusal"),
        upstream.Refusal("rate", _K.THROTTLED, 429, _SLOW, {"Retry-After": "12"}, wait_seconds=12),
    ),
    callback="callback_url",
)
