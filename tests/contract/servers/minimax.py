"""MiniMax v1, as upstreams.md §6 has it: errors behind a 200, and the file one request further."""

from aiohttp import web

from shared.domain import faults, states
from tests.contract.servers import upstream

_K = faults.FaultKind
_STATES = {"queued": "Queueing", "running": "Processing", "done": "Success", "failed": "Fail", "moderated": "Fail"}
_STATES |= {"empty": "Success", "odd": "Rendering"}
_REASONS = {"failed": "worker died", "moderated": "sensitive content"}
_FINE = {"status_code": 0, "status_msg": "success"}


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body,
            {"model": str, "prompt": str, "duration": int, "resolution": str},
            {"first_frame_image": str, "last_frame_image": str, "subject_reference": list},
        )
        if body["resolution"] not in {"512P", "768P", "1080P"}:
            return _said("bad resolution", _K.INVALID_INPUT, 2013).answer()
        return web.json_response({"task_id": up.accept(states.Kind.VIDEO, body).id, "base_resp": _FINE})

    async def look(request: web.Request) -> web.Response:
        job = up.look(request.query["task_id"])
        body: upstream.Json = {"task_id": job.id, "status": _STATES[job.stage], "base_resp": _FINE}
        body |= {"file_id": f"file-{job.id}"} if job.stage == "done" else {"file_id": ""}
        body |= {"error_message": _REASONS[job.stage]} if job.stage in _REASONS else {}
        return web.json_response(body)

    async def file(request: web.Request) -> web.Response:
        job = up.jobs.get(request.query["file_id"].removeprefix("file-"))
        if job is None:
            return _said("invalid params", _K.INVALID_INPUT, 2013).answer()
        file = {"file_id": request.query["file_id"], "bytes": len(upstream.FILM), "download_url": up.media_url(job)}
        return web.json_response({"file": file, "base_resp": _FINE})

    return upstream.application(
        web.post("/v1/video_generation", submit),
        web.get("/v1/query/video_generation", look),
        web.get("/v1/files/retrieve", file),
    )


def _said(name: str, kind: faults.FaultKind, code: int) -> upstream.Refusal:
    return upstream.Refusal(name, kind, 200, {"task_id": "", "base_resp": {"status_code": code, "status_msg": name}})


DIALECT = upstream.Dialect(
    name="minimax",
    build=build,
    offers=(upstream.Offer(states.Kind.VIDEO, "MiniMax-Hailuo-02", seconds=6, size="1364x768"),),
    wrong_key=_said("login fail", _K.AUTH, 1004),
    refusals=(
        _said("rate", _K.THROTTLED, 1002),
        _said("no balance", _K.OUT_OF_CREDIT, 1008),
        _said("moderated prompt", _K.CONTENT_POLICY, 1026),
        _said("moderated output", _K.CONTENT_POLICY, 1027),
        _said("bad field", _K.INVALID_INPUT, 2013),
        _said("not verified", _K.AUTH, 2038),
        upstream.Refusal(
            "gateway rate",
            _K.THROTTLED,
            429,
            {"base_resp": {"status_code": 1002}},
            {"Retry-After": "5"},
            wait_seconds=5,
        ),
    ),
)
