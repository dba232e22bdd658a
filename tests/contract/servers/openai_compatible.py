"""OpenAI's API as openai.md has it, and as vLLM, SGLang, llama.cpp and Ollama follow it."""

from aiohttp import web

from shared.domain import faults, states
from shared.providers import base
from tests.contract.servers import speech, upstream

_K = faults.FaultKind
_STATES = {"queued": "queued", "running": "in_progress", "done": "completed", "failed": "failed", "moderated": "failed"}
_STATES |= {"odd": "warming_up"}
_ERRORS = {
    "failed": {"code": "video_generation_failed", "message": "The worker died"},
    "moderated": {"code": "moderation_blocked", "message": "Blocked by our moderation system"},
}


def build(up: upstream.Upstream) -> web.Application:
    async def video(request: web.Request) -> web.Response:
        form = await upstream.form(request)
        upstream.need(
            form,
            {"model": str, "prompt": str, "seconds": str, "size": str},
            {"seed": str, "input_reference": bytes, "num_inference_steps": str},
        )
        return web.json_response(_shown(up.accept(states.Kind.VIDEO, {})))

    async def look(request: web.Request) -> web.Response:
        return web.json_response(_shown(up.look(request.match_info["id"])))

    async def content(_request: web.Request) -> web.Response:
        return web.Response(body=upstream.FILM, content_type="video/mp4")

    async def stop(request: web.Request) -> web.Response:
        return web.json_response({"id": request.match_info["id"], "object": "video.deleted", "deleted": True})

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        required = {"model": str, "prompt": str, "n": int, "size": str, "quality": str}
        upstream.need(body, required, {"seed": int, "output_format": str})
        up.accept(states.Kind.IMAGE, body)
        item = {"b64_json": upstream.ENCODED_PICTURE}
        return web.json_response(
            {"created": 1790000000, "data": [item], "usage": {"input_tokens": 3, "output_tokens": 9}}
        )

    return upstream.application(
        web.post("/v1/videos", video),
        web.get("/v1/videos/{id}", look),
        web.delete("/v1/videos/{id}", stop),
        web.get("/v1/videos/{id}/content", content),
        web.post("/v1/images/generations", image),
        web.post("/v1/chat/completions", speech.chat(up)),
        web.post("/v1/embeddings", speech.embeddings(up)),
    )


def _shown(job: upstream.Job) -> upstream.Json:
    return {
        "id": job.id,
        "object": "video",
        "status": _STATES[job.stage],
        "progress": {"queued": 0, "running": 42}.get(job.stage, 100),
        "seconds": "4",
        "error": _ERRORS.get(job.stage),
    }


def _said(name: str, kind: faults.FaultKind, status: int, code: str | None, word: str) -> upstream.Refusal:
    error = {"message": name, "type": word, "param": None, "code": code}
    return upstream.Refusal(name, kind, status, {"error": error})


_SLOW = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}

DIALECT = upstream.Dialect(
    name="openai_compatible",
    build=build,
    free={"/v1/models": {"object": "list", "data": [{"id": "gpt-5-mini", "object": "model"}]}},
    base_path="/v1",
    guards_media=True,
    picture=f"data:image/png;base64,{upstream.ENCODED_PICTURE}",
    courses=frozenset({upstream.Course.FAILS, upstream.Course.MODERATED, upstream.Course.ODD}),
    says_progress=True,
    cancels=frozenset({base.Cancellation.REQUESTED}),
    offers=(
        upstream.Offer(states.Kind.VIDEO, "Wan-AI/Wan2.2-T2V-A14B", options={"num_inference_steps": 30}),
        upstream.Offer(states.Kind.IMAGE, "gpt-image-1", waits=False, options={"quality": "low"}),
        upstream.Offer(states.Kind.EMBEDDING, "text-embedding-3-small", waits=False),
        upstream.Offer(states.Kind.TEXT, "gpt-5-mini", waits=False, moderated=speech.MODERATED),
    ),
    wrong_key=_said("Incorrect API key provided", _K.AUTH, 401, "invalid_api_key", "invalid_request_error"),
    refusals=(
        _said("bad field", _K.INVALID_INPUT, 400, "unsupported_value", "invalid_request_error"),
        _said("no quota", _K.OUT_OF_CREDIT, 429, "insufficient_quota", "insufficient_quota"),
        _said("no such model", _K.NOT_FOUND, 404, "model_not_found", "invalid_request_error"),
        _said("blocked", _K.CONTENT_POLICY, 400, "moderation_blocked", "image_generation_user_error"),
        _said("Your request was rejected by our safety system", _K.CONTENT_POLICY, 400, None, "invalid_request_error"),
        upstream.Refusal("rate", _K.THROTTLED, 429, _SLOW, {"Retry-After": "20"}, wait_seconds=20),
    ),
)
