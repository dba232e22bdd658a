"""ComfyUI, as upstreams.md §11 has it."""

import uuid

from aiohttp import web

from shared.domain import faults, models, states
from shared.providers import base
from tests.contract.servers import upstream

_K = faults.FaultKind
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": "{seed}", "steps": 20, "latent_image": ["5", 0]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": "{width}", "height": "{height}", "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "photo of {prompt}", "clip": ["4", 1]}},
}


def build(up: upstream.Upstream) -> web.Application:
    async def submit(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, {"prompt": dict, "prompt_id": str, "client_id": str})
        if str(uuid.UUID(body["prompt_id"])) != body["prompt_id"]:
            return web.json_response({"error": {"type": "invalid_prompt_id"}}, status=400)
        if not isinstance(body["prompt"]["3"]["inputs"]["seed"], int) or "{" in body["prompt"]["6"]["inputs"]["text"]:
            return web.json_response({"error": {"type": "prompt_outputs_failed_validation"}}, status=400)
        film = "video" in str(body["prompt"])
        job = up.accept(states.Kind.VIDEO if film else states.Kind.IMAGE, body, body["prompt_id"])
        return web.json_response({"prompt_id": job.id, "number": len(up.jobs), "node_errors": {}})

    async def queue(_request: web.Request) -> web.Response:
        jobs = [up.look(job_id) for job_id in list(up.jobs)]
        piles = {
            f"queue_{pile}": [
                [number, job.id, {}, {}, []]
                for number, job in enumerate(jobs)
                if job.stage == stage and not job.stopped
            ]
            for pile, stage in (("running", "running"), ("pending", "queued"))
        }
        return web.json_response(piles)

    async def history(request: web.Request) -> web.Response:
        job = up.jobs.get(request.match_info["id"])
        ended = job is not None and job.stage in {"done", "failed", "empty"}
        return web.json_response({job.id: _entry(job)} if job is not None and ended else {})

    async def view(request: web.Request) -> web.Response:
        film = request.query["filename"].endswith(".mp4")
        return web.Response(body=upstream.FILM if film else upstream.PICTURE)

    async def stop(request: web.Request) -> web.Response:
        job = up.jobs.get(request.match_info["id"])
        if job is not None:
            job.stopped = True
        return web.json_response({"cancelled": job is not None})

    return upstream.application(
        web.post("/prompt", submit),
        web.get("/queue", queue),
        web.get("/history/{id}", history),
        web.get("/view", view),
        web.post("/api/jobs/{id}/cancel", stop),
    )


def _entry(job: upstream.Job) -> upstream.Json:
    if job.stage == "failed":
        error = {"node_type": "KSampler", "exception_message": "CUDA out of memory", "traceback": []}
        status = {"status_str": "error", "completed": False, "messages": [["execution_error", error]]}
        return {"outputs": {}, "status": status}
    film = job.kind is states.Kind.VIDEO
    file = {"filename": f"out_00001_{'.mp4' if film else '.png'}", "subfolder": "a b", "type": "output"}
    preview = {"filename": "preview.png", "subfolder": "", "type": "temp"}
    made = {"9": {"gifs" if film else "images": [file]}, "8": {"images": [preview]}} if job.stage == "done" else {}
    return {"outputs": made, "status": {"status_str": "success", "completed": True, "messages": []}}


def _said(name: str, kind: faults.FaultKind, word: str) -> upstream.Refusal:
    body = {"error": {"type": word, "message": name, "details": "", "extra_info": {}}, "node_errors": {}}
    return upstream.Refusal(name, kind, 400, body)


DIALECT = upstream.Dialect(
    name="comfyui",
    build=build,
    free={"/system_stats": {"system": {"comfyui_version": "0.3"}, "devices": []}},
    key="",
    doubt=models.Doubt.SEARCHABLE,
    offers=(
        upstream.Offer(states.Kind.IMAGE, "sdxl", options={"workflow": GRAPH}),
        upstream.Offer(
            states.Kind.VIDEO,
            "wan",
            options={"workflow": {**GRAPH, "7": {"class_type": "SaveVideo", "inputs": {"format": "video/h264-mp4"}}}},
        ),
    ),
    courses=frozenset({upstream.Course.FAILS, upstream.Course.EMPTY}),
    refusals=(
        _said("bad graph", _K.INVALID_INPUT, "prompt_outputs_failed_validation"),
        _said("no such node", _K.INVALID_INPUT, "invalid_prompt"),
    ),
    cancels=frozenset({base.Cancellation.CONFIRMED}),
)
