"""Stability, as upstreams.md §7 has it: forms in, bytes out."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import upstream

_K = faults.FaultKind


def build(up: upstream.Upstream) -> web.Application:
    async def core(request: web.Request) -> web.Response:
        form = await _form(request)
        upstream.need(form, {"prompt": str, "aspect_ratio": str}, {"seed": str, "output_format": str})
        up.accept(states.Kind.IMAGE, {})
        return web.json_response({"image": upstream.ENCODED_PICTURE, "finish_reason": "SUCCESS", "seed": 1})

    async def upscale(request: web.Request) -> web.Response:
        form = await _form(request)
        upstream.need(form, {"prompt": str, "image": bytes}, {"seed": str, "output_format": str})
        return web.json_response({"id": up.accept(states.Kind.IMAGE, {}).id})

    async def animate(request: web.Request) -> web.Response:
        form = await _form(request)
        upstream.need(form, {"image": bytes}, {"seed": str})
        return web.json_response({"id": up.accept(states.Kind.VIDEO, {}).id})

    async def look(request: web.Request) -> web.Response:
        return _shown(up.look(request.match_info["id"]))

    return upstream.application(
        web.post("/v2beta/stable-image/generate/core", core),
        web.post("/v2beta/stable-image/upscale/creative", upscale),
        web.post("/v2beta/image-to-video", animate),
        web.get("/v2beta/results/{id}", look),
        web.get("/v2beta/image-to-video/result/{id}", look),
    )


async def _form(request: web.Request) -> upstream.Json:
    if request.headers["Accept"] != "application/json":
        raise web.HTTPBadRequest(text="ask for JSON")
    return dict(await upstream.form(request))


def _shown(job: upstream.Job) -> web.Response:
    if job.stage in {"queued", "running", "odd"}:
        word = "thinking" if job.stage == "odd" else "in-progress"
        return web.json_response({"id": job.id, "status": word}, status=202)
    film = job.kind is states.Kind.VIDEO
    reason = "CONTENT_FILTERED" if job.stage == "moderated" else "SUCCESS"
    body = b"" if job.stage == "empty" else upstream.FILM if film else upstream.PICTURE
    return web.Response(
        body=body, content_type="video/mp4" if film else "image/png", headers={"finish-reason": reason, "seed": "1"}
    )


def _said(name: str, kind: faults.FaultKind, status: int, word: str) -> upstream.Refusal:
    return upstream.Refusal(name, kind, status, {"id": "e", "name": word, "errors": [f"{name}."]})


DIALECT = upstream.Dialect(
    name="stability",
    build=build,
    free={"/v1/user/balance": {"credits": 12.5}},
    picture=f"data:image/png;base64,{upstream.ENCODED_PICTURE}",
    offers=(
        upstream.Offer(
            states.Kind.IMAGE,
            "stable-image/generate/core",
            waits=False,
            leaves_out=frozenset({"input_references"}),
            moderated={"image": upstream.ENCODED_PICTURE, "finish_reason": "CONTENT_FILTERED"},
        ),
        upstream.Offer(states.Kind.IMAGE, "stable-image/upscale/creative", route="upscale"),
        upstream.Offer(states.Kind.VIDEO, "image-to-video"),
    ),
    courses=frozenset({upstream.Course.MODERATED, upstream.Course.EMPTY, upstream.Course.ODD}),
    wrong_key=_said("wrong key", _K.AUTH, 401, "unauthorized"),
    refusals=(
        _said("bad field", _K.INVALID_INPUT, 400, "bad_request"),
        _said("no credit", _K.OUT_OF_CREDIT, 402, "payment_required"),
        _said("no such model", _K.NOT_FOUND, 404, "not_found"),
        _said("moderated", _K.CONTENT_POLICY, 403, "content_moderation"),
        upstream.Refusal(
            "150 in 10 s", _K.THROTTLED, 429, {"name": "rate_limit_exceeded"}, {"Retry-After": "60"}, wait_seconds=60
        ),
    ),
    gone_status=200,  # results never come by URL
)
