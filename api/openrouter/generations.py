"""`/api/v1/generation`: what became of a job, for whoever has its id."""

from typing import Annotated, Any

import fastapi

from api import auth, chats, parts, routing
from shared import errors
from shared.domain import attempts, states
from shared.services import jobs

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

_TYPES = {
    states.Kind.TEXT: "completions",
    states.Kind.IMAGE: "image",
    states.Kind.VIDEO: "video",
    states.Kind.EMBEDDING: "embeddings",
}
# What each way an attempt ended would have been as a status of HTTP.
_STATUSES = {"throttled": 429, "timed_out": 504, "invalid_input": 400, "content_policy": 400, "auth": 401}
# Keys their clients insist on, of which we know nothing.
_UNKNOWN = (
    "app_id",
    "cache_discount",
    "external_user",
    "http_referer",
    "moderation_latency",
    "native_tokens_cached",
    "native_tokens_completion_images",
    "native_tokens_reasoning",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_prompt",
    "num_search_results",
    "preset_id",
    "router",
    "service_tier",
    "streamed",
    "upstream_inference_cost",
    "user_agent",
    "web_search_engine",
    "workspace_id",
)


@router.get("/generation")
async def retrieve(
    caller: auth.Authenticated, given: parts.Given, generation_id: Annotated[str, fastapi.Query(alias="id")]
) -> dict[str, Any]:
    """A job of any kind."""
    try:
        view = await jobs.get(given.db, caller.tenant_id, generation_id)
    except errors.NotFoundError:
        raise errors.NotFoundError(f"Generation {generation_id[:64]} not found", param="id") from None
    return {"data": dict.fromkeys(_UNKNOWN) | _known(view)}


def _known(view: jobs.JobView) -> dict[str, Any]:
    job, used, last = view.job, chats.tokens(view), view.attempts[-1] if view.attempts else None
    cost = job.cost_micros / 1_000_000
    return {
        "id": job.id,
        "api_type": _TYPES[job.kind],
        "cancelled": job.status is states.JobStatus.CANCELLED,
        "created_at": job.created_at.isoformat(),
        "data_region": "global",
        "finish_reason": _finish_reason(job.status),
        "native_finish_reason": job.error_code,
        "generation_time": _milliseconds(last),
        "latency": _milliseconds(last),
        "is_byok": False,
        "model": job.served_model or job.model,
        "native_tokens_prompt": used.input_tokens,
        "native_tokens_completion": used.output_tokens,
        "tokens_prompt": used.input_tokens,
        "tokens_completion": used.output_tokens,
        "num_media_completion": sum(1 for output in view.outputs if output.variant == "main"),
        "origin": "",
        "provider_name": job.served_provider,
        "provider_responses": [_response(attempt) for attempt in view.attempts],
        "total_cost": cost,
        "usage": cost,
        "upstream_id": last.upstream_id if last else None,
    }


def _finish_reason(status: states.JobStatus) -> str | None:
    if status is states.JobStatus.COMPLETED:
        return "stop"
    return "error" if status in states.TERMINAL else None


def _milliseconds(attempt: attempts.Attempt | None) -> float | None:
    if attempt is None or attempt.sent_at is None or attempt.finished_at is None:
        return None
    return round((attempt.finished_at - attempt.sent_at).total_seconds() * 1000, 1)


def _response(attempt: attempts.Attempt) -> dict[str, Any]:
    known = {
        "status": 200 if attempt.fault is None else _STATUSES.get(attempt.fault, 502),
        "id": attempt.upstream_id,
        "latency": _milliseconds(attempt),
        "model_permaslug": attempt.model,
        "is_byok": False,
    }
    return {name: value for name, value in known.items() if value is not None}
