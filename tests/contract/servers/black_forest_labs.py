"""Black Forest Labs, as upstreams.md §8 has it."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "Pending", "running": "Pending", "done": "Ready", "failed": "Error", "empty": "Ready"}
_STATES |= {"moderated": "Content Moderated", "odd": "Reviewing"}


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        if request.match_info["model"] not in {"flux-2-pro", "flux-kontext-pro"}:
            raise web.HTTPNotFound
        body = await upstream.read(request)
        pictures = {"input_image": str, **{f"input_image_{number}": str for number in range(2, 10)}}
        upstream.need(
            body,
            {"prompt": str, "width": int, "height": int},
            {"seed": int, "output_format": str, "webhook_url": str, **pictures},
        )
        job = up.accept(states.Kind.IMAGE, body)
        # The region's own path: only the polling_url as returned leads to the job.
        url = f"{up.url}/regions/us1/get_result?id={job.id}"
        return web.json_response({"id": job.id, "polling_url": url, "cost": 4.0, "input_mp": 0, "output_mp": 1})

    async def look(request: web.Request) -> web.Response:
        if request.query["id"] not in up.jobs:
            return web.json_response({"id": request.query["id"], "status": "Task not found"})
        job = up.look(request.query["id"])
        result = {"sample": up.media_url(job), "seed": 1, "duration": 2.5} if job.stage == "done" else None
        error = "Worker died" if job.stage == "failed" else None
        progress = 0.5 if job.stage == "running" else None
        body = {"id": job.id, "status": _STATES[job.stage], "result": result, "progress": progress, "error": error}
        return web.json_response(body)

    async def lost(request: web.Request) -> web.Response:
        return web.json_response({"id": request.query["id"], "status": "Task not found"})

    return upstream.application(
        web.post("/v1/{model}", submit), web.get("/regions/us1/get_result", look), web.get("/v1/get_result", lost)
    )


DIALECT = upstream.Dialect(
    name="black_forest_labs",
    build=build,
    free={"/v1/credits": {"credits": 500}},
    authorised=lambda request: request.headers.get("x-key") == "good-key",
    offers=(upstream.Offer(states.Kind.IMAGE, "flux-2-pro", size="1024x1024"),),
    wrong_key=upstream.Refusal("wrong key", _K.AUTH, 403, {"detail": "Not authenticated - Invalid key"}),
    refusals=(
        upstream.Refusal("bad form", _K.INVALID_INPUT, 422, {"detail": [{"loc": ["body"], "msg": "too wide"}]}),
        upstream.Refusal("no credit", _K.OUT_OF_CREDIT, 402, {"detail": "Insufficient credits"}),
        upstream.Refusal("no such model", _K.NOT_FOUND, 404, {"detail": "Not Found"}),
        upstream.Refusal("moderated", _K.CONTENT_POLICY, 422, {"detail": "Request Moderated"}),
        upstream.Refusal(
            "24 active tasks", _K.THROTTLED, 429, {"detail": "Too many"}, {"Retry-After": "3"}, wait_seconds=3
        ),
    ),
    says_progress=True,
    gone_status=403,
    callback="webhook_url",
)
