"""A text job as a `response` of OpenAI's."""

from typing import Any

from api import chats
from shared.domain import jobs, requests, states
from shared.services import jobs as job_services

_STATUSES = {states.JobStatus.EXPIRED: "failed"}
# Their closed set; ours rides along as `error.fault`.
_ERROR_CODES = {
    "throttled": "rate_limit_exceeded",
    "content_policy": "invalid_prompt",
    "invalid_input": "invalid_prompt",
}


def of_view(view: job_services.JobView, text: str | None, *, background: bool = True) -> dict[str, Any]:
    """Every key their strict reader asks for."""
    job, stored = view.job, view.request or {}
    return {
        "id": job.id,
        "object": "response",
        "created_at": int(job.created_at.timestamp()),
        "completed_at": int(job.finished_at.timestamp()) if job.finished_at and text is not None else None,
        "status": _STATUSES.get(job.status, str(job.status)),
        "background": background,
        "error": _error(job),
        "incomplete_details": None,
        "instructions": None,
        "metadata": job.metadata,
        "model": job.served_model or job.model,
        "output": [] if text is None else [_message(job, text)],
        "parallel_tool_calls": False,
        "temperature": stored.get("temperature"),
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None if text is None else _usage(view),
        "cost_micros": job.cost_micros,
        "attempts": len(view.attempts),
        "queue_position": view.queue_position,
    }


def items(view: job_services.JobView) -> dict[str, Any]:
    """The turns of the conversation that was sent."""
    request = requests.parse(view.job.kind, view.request or {})
    turns = request.turns() if isinstance(request, requests.TextRequest) else []
    data = [
        {
            "id": f"{view.job.id}.{place}",
            "type": "message",
            "role": turn.role,
            "status": "completed",
            "content": [{"type": "input_text", "text": turn.content}],
        }
        for place, turn in enumerate(turns)
    ]
    return {"object": "list", "data": data, "first_id": data[0]["id"], "last_id": data[-1]["id"], "has_more": False}


def _message(job: jobs.Job, text: str) -> dict[str, Any]:
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": f"{job.id}.out",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }


def _error(job: jobs.Job) -> dict[str, str] | None:
    if job.status not in (states.JobStatus.FAILED, states.JobStatus.EXPIRED):
        return None
    fault = job.error_code or str(job.status)
    return {"code": _ERROR_CODES.get(fault, "server_error"), "message": job.error_message or fault, "fault": fault}


def _usage(view: job_services.JobView) -> dict[str, Any]:
    used = chats.tokens(view)
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.input_tokens + used.output_tokens,
    }
