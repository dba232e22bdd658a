"""Google's Gemini API, as upstreams.md §4.1 has it, with generateContent and Imagen's predict."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import upstream

_K = faults.FaultKind
_USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}
_MADE = [{"bytesBase64Encoded": upstream.ENCODED_PICTURE, "mimeType": "image/png"}]


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        model, _, verb = request.match_info["call"].partition(":")
        handlers = {"predictLongRunning": _film, "predict": _predict, "generateContent": _content}
        return web.json_response(handlers[verb](up, model, body))

    async def look(request: web.Request) -> web.Response:
        job = up.look(request.match_info["id"])
        name = f"models/{request.match_info['model']}/operations/{job.id}"
        if job.stage in {"queued", "running"}:
            return web.json_response({"name": name, "metadata": {}})
        return web.json_response({"name": name, "done": True, **_end(up, job)})

    async def content(_request: web.Request) -> web.Response:
        return web.Response(body=upstream.FILM, content_type="video/mp4")

    return upstream.application(
        web.post("/v1beta/models/{call}", submit),
        web.get("/v1beta/models/{model}/operations/{id}", look),
        web.get("/v1beta/files/{id}/content", content),
    )


def _film(up: upstream.Upstream, model: str, body: upstream.Json) -> upstream.Json:
    upstream.need(body, {"instances": list, "parameters": dict}, {"webhookConfig": dict})
    upstream.need(body["instances"][0], {"prompt": str}, {"image": dict, "lastFrame": dict, "referenceImages": list})
    needed = {"sampleCount": int, "durationSeconds": int, "aspectRatio": str, "resolution": str}
    upstream.need(body["parameters"], needed, {"negativePrompt": str})
    for field in ("image", "lastFrame"):
        upstream.need(body["instances"][0][field], {"bytesBase64Encoded": str, "mimeType": str})
    return {"name": f"models/{model}/operations/{up.accept(states.Kind.VIDEO, body).id}"}


def _predict(up: upstream.Upstream, _model: str, body: upstream.Json) -> upstream.Json:
    upstream.need(body, {"instances": list, "parameters": dict})
    upstream.need(body["parameters"], {"aspectRatio": str, "sampleCount": int})
    up.accept(states.Kind.IMAGE, body)
    return {"predictions": _MADE}


def _content(up: upstream.Upstream, model: str, body: upstream.Json) -> upstream.Json:
    upstream.need(body, {"contents": list, "generationConfig": dict}, {"systemInstruction": dict})
    config = body["generationConfig"]
    if "image" in model:
        upstream.need(config, {"responseModalities": list, "imageConfig": dict})
        part: upstream.Json = {"inlineData": {"mimeType": "image/png", "data": upstream.ENCODED_PICTURE}}
    else:
        form = {"responseMimeType": str, "responseJsonSchema": dict}
        upstream.need(config, {}, {"maxOutputTokens": int, "temperature": float, "seed": int, **form})
        part = {"text": upstream.TEXT}
    up.accept(states.Kind.IMAGE if "image" in model else states.Kind.TEXT, body)
    thought = {"text": "Let me think.", "thought": True}
    candidate = {"content": {"role": "model", "parts": [thought, part]}, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": _USAGE}


def _end(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    if job.stage == "failed":
        return {"error": {"code": 13, "message": "Internal error", "details": []}}
    filtered = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["The audio was filtered."]}
    uri = f"{up.url}/v1beta/files/{job.id}/content"
    made = {
        "done": {"generatedSamples": [{"video": {"uri": uri}}]},
        "moderated": filtered,
        "empty": {},
    }[job.stage]
    return {"response": {"generateVideoResponse": made}}


def _said(name: str, kind: faults.FaultKind, status: int, word: str, *details: upstream.Json) -> upstream.Refusal:
    error = {"code": status, "message": name, "status": word, "details": list(details)}
    delays = [float(detail["retryDelay"][:-1]) for detail in details if "retryDelay" in detail]
    return upstream.Refusal(name, kind, status, {"error": error}, wait_seconds=delays[0] if delays else None)


DIALECT = upstream.Dialect(
    name="google",
    build=build,
    free={"/v1beta/models": {"models": [{"name": "models/gemini-2.5-flash"}]}},
    authorised=lambda request: request.headers.get("x-goog-api-key") == "good-key",
    picture=f"data:image/png;base64,{upstream.ENCODED_PICTURE}",
    courses=frozenset({upstream.Course.FAILS, upstream.Course.MODERATED, upstream.Course.EMPTY}),
    guards_media=True,
    offers=(
        upstream.Offer(states.Kind.VIDEO, "veo-3.1-generate-preview", seconds=8),
        upstream.Offer(
            states.Kind.IMAGE,
            "gemini-2.5-flash-image",
            waits=False,
            moderated={"candidates": [{"finishReason": "IMAGE_SAFETY"}]},
        ),
        upstream.Offer(
            states.Kind.IMAGE,
            "imagen-4.0-generate-001",
            waits=False,
            route="predict",
            options={"sampleCount": "{n}"},
            leaves_out=frozenset({"input_references"}),
            moderated={"predictions": [{"raiFilteredReason": "Filtered"}]},
        ),
        upstream.Offer(
            states.Kind.TEXT,
            "gemini-2.5-flash",
            waits=False,
            moderated={"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        ),
    ),
    wrong_key=_said("API key not valid.", _K.AUTH, 400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}),
    refusals=(
        _said("bad field", _K.INVALID_INPUT, 400, "INVALID_ARGUMENT"),
        _said("no such model", _K.NOT_FOUND, 404, "NOT_FOUND"),
        _said("not allowed", _K.AUTH, 403, "PERMISSION_DENIED"),
        _said(
            "quota", _K.THROTTLED, 429, "RESOURCE_EXHAUSTED", {"@type": "…/google.rpc.RetryInfo", "retryDelay": "34.5s"}
        ),
    ),
    callback="webhookConfig",
)
