"""fal's queue, as upstreams.md §12 has it: COMPLETED says only that there is a result to ask for."""

from aiohttp import web

from shared.domain import faults, states
from shared.providers import base
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "IN_QUEUE", "running": "IN_PROGRESS", "odd": "IN_MAINTENANCE"}
_POLICY = {"detail": [{"loc": ["body", "prompt"], "msg": "Flagged by a checker", "type": "content_policy_violation"}]}


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        film = request.path.endswith("/text-to-video")
        if film:
            required = {"prompt": str, "duration": str, "aspect_ratio": str, "resolution": str}
            upstream.need(body, required, {"seed": int, "image_url": str, "end_image_url": str})
        else:
            sizes = {"image_size": dict, "num_images": int}
            upstream.need(body, {"prompt": str, **sizes}, {"seed": int, "output_format": str})
        if request.headers["X-Fal-No-Retry"] != "1" or not request.headers["X-Fal-Request-Timeout"].isdigit():
            raise web.HTTPBadRequest(text="repeats are not switched off")
        job = up.accept(states.Kind.VIDEO if film else states.Kind.IMAGE, body)
        return web.json_response({"request_id": job.id, "status": "IN_QUEUE", **_urls(up, job)})

    async def status(request: web.Request) -> web.Response:
        job = up.look(request.match_info["id"])
        word = _STATES.get(job.stage, "COMPLETED")
        body = {"status": word, "request_id": job.id, "queue_position": 0, **_urls(up, job)}
        return web.json_response(body, status=200 if word == "COMPLETED" else 202)

    async def result(request: web.Request) -> web.Response:
        job = up.jobs[request.match_info["id"]]
        if job.stage == "failed":
            headers = {"X-Fal-Error-Type": "runner_server_error"}
            return web.json_response({"detail": "the runner died", "error_type": "x"}, status=500, headers=headers)
        if job.stage == "moderated":
            return web.json_response(_POLICY, status=422)
        return web.json_response(_result(up, job))

    async def stop(_request: web.Request) -> web.Response:
        return web.json_response({"status": "CANCELLATION_REQUESTED"}, status=202)

    # The queue's own paths leave out what follows the app's name.
    root = "/fal-ai/some-app/requests/{id}"
    return upstream.application(
        web.post("/fal-ai/some-app/v2/text-to-video", submit),
        web.post("/fal-ai/some-app/v2/text-to-image", submit),
        web.get(f"{root}/status", status),
        web.get(root, result),
        web.put(f"{root}/cancel", stop),
    )


def _urls(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    root = f"{up.url}/fal-ai/some-app/requests/{job.id}"
    return {"response_url": root, "status_url": f"{root}/status", "cancel_url": f"{root}/cancel"}


def _result(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    prompt = "as in https://example.com/a.png"
    file = {"url": up.media_url(job), "content_type": "video/mp4", "file_name": "out"}
    if job.stage == "empty":
        return {"images": [], "prompt": prompt}
    return {"video": file, "seed": 1} if job.kind is states.Kind.VIDEO else {"images": [file], "prompt": prompt}


DIALECT = upstream.Dialect(
    name="fal",
    build=build,
    authorised=lambda request: request.headers.get("Authorization") == "Key good-key",
    offers=(
        upstream.Offer(states.Kind.VIDEO, "fal-ai/some-app/v2/text-to-video", options={"duration": "{seconds}s"}),
        upstream.Offer(states.Kind.IMAGE, "fal-ai/some-app/v2/text-to-image"),
    ),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 401, {"detail": "Cannot access application without a key"}),
    refusals=(
        upstream.Refusal(
            "bad field", _K.INVALID_INPUT, 422, {"detail": [{"msg": "missing", "type": "value_error.missing"}]}
        ),
        upstream.Refusal("moderated", _K.CONTENT_POLICY, 422, _POLICY),
        upstream.Refusal("no credit", _K.OUT_OF_CREDIT, 402, {"detail": "Balance exhausted"}),
        upstream.Refusal("no such app", _K.NOT_FOUND, 404, {"detail": "Application not found"}),
        upstream.Refusal("rate", _K.THROTTLED, 429, {"detail": "Too many"}, {"Retry-After": "6"}, wait_seconds=6),
    ),
    cancels=frozenset({base.Cancellation.REQUESTED}),
    callback="fal_webhook",
)
