"""Kling, as upstreams.md §5 has it: a token in every request, errors in `code`."""

import base64
import hashlib
import hmac
import json
import time

from aiohttp import web

from shared.domain import faults, models, states
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "submitted", "running": "processing", "done": "succeed", "failed": "failed", "moderated": "failed"}
_STATES |= {"empty": "succeed", "odd": "postponed"}
_REASONS = {"failed": "Worker died", "moderated": "Failed the platform's content policy"}


def authorised(request: web.Request) -> bool:
    """A JWT of HS256 made from the secret of this access key, and valid now."""
    try:
        head, claims, signature = request.headers["Authorization"].removeprefix("Bearer ").split(".")
        expected = hmac.new(b"the-secret", f"{head}.{claims}".encode(), hashlib.sha256).digest()
        said, header = json.loads(_decoded(claims)), json.loads(_decoded(head))
        return (
            hmac.compare_digest(_decoded(signature), expected)
            and header == {"alg": "HS256", "typ": "JWT"}
            and said["iss"] == "the-access-key"
            and said["nbf"] <= time.time() < said["exp"] <= time.time() + 1800
        )
    except (KeyError, ValueError):
        return False


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def build(up: upstream.Upstream) -> web.Application:
    shared = {"model_name": str, "prompt": str, "aspect_ratio": str}
    more = {"external_task_id": str, "callback_url": str}

    async def video(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        pictures = {"image": str} if "image2video" in request.path else {}
        upstream.need(body, {**shared, **pictures, "duration": str}, {**more, "image_tail": str, "sound": str})
        return web.json_response(_told(up, up.accept(states.Kind.VIDEO, body)))

    async def image(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, shared, {**more, "n": int, "image": str})
        return web.json_response(_told(up, up.accept(states.Kind.IMAGE, body)))

    async def look(request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        by_reference = {job.body.get("external_task_id"): job.id for job in up.jobs.values()}
        job_id = by_reference.get(wanted, wanted)
        path = "images/generations" if "images" in request.path else "videos"
        if job_id not in up.jobs or ("images" in path) != (up.jobs[job_id].kind is states.Kind.IMAGE):
            return web.json_response({"code": 1203, "message": "The resource does not exist", "request_id": "r"})
        return web.json_response(_told(up, up.look(job_id)))

    routes = [web.post(f"/v1/videos/{kind}", video) for kind in ("text2video", "image2video")]
    routes += [web.get(f"/v1/videos/{kind}/{{id}}", look) for kind in ("text2video", "image2video")]
    routes += [web.post("/v1/images/generations", image), web.get("/v1/images/generations/{id}", look)]
    return upstream.application(*routes)


def _told(up: upstream.Upstream, job: upstream.Job) -> upstream.Json:
    data: upstream.Json = {"task_id": job.id, "task_status": _STATES[job.stage], "created_at": 1790000000000}
    if job.stage in _REASONS:
        data["task_status_msg"] = _REASONS[job.stage]
    if job.stage == "done":
        data["task_result"] = {f"{job.kind}s": [{"id": "m", "url": up.media_url(job), "duration": "5.1"}]}
    return {"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}


def _said(name: str, kind: faults.FaultKind, code: int, status: int = 200) -> upstream.Refusal:
    return upstream.Refusal(name, kind, status, {"code": code, "message": name, "request_id": "r"})


DIALECT = upstream.Dialect(
    name="kling",
    build=build,
    key="the-access-key:the-secret",
    authorised=authorised,
    doubt=models.Doubt.SEARCHABLE,
    offers=(
        upstream.Offer(states.Kind.VIDEO, "kling-v2-6"),
        upstream.Offer(states.Kind.VIDEO, "kling-v2-6", route="text", leaves_out=frozenset({"frame_images"})),
        upstream.Offer(states.Kind.IMAGE, "kling-v2", size="1024x1024"),
    ),
    wrong_key=_said("signature is invalid", _K.AUTH, 1000, 401),
    refusals=(
        _said("token expired", _K.AUTH, 1004),
        _said("resource pack depleted", _K.OUT_OF_CREDIT, 1102, 429),
        _said("bad field", _K.INVALID_INPUT, 1201, 400),
        _said("no such model", _K.NOT_FOUND, 1203, 404),
        _said("moderated", _K.CONTENT_POLICY, 1301, 400),
        _said("rate", _K.THROTTLED, 1302, 429),
        _said("too many tasks at once", _K.THROTTLED, 1303),
        upstream.Refusal(
            "gateway rate", _K.THROTTLED, 429, {"code": 1302, "message": "slow"}, {"Retry-After": "4"}, wait_seconds=4
        ),
    ),
    callback="callback_url",
)
